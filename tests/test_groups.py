"""What belongs together lies in one split: by names, folders, tables, days; with copies and series."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from support.checks import line
from support.images import fill_different, noise

from helpers.errors import LessonError
from helpers.own_images import (
    check_folder,
    groups_by_column,
    groups_by_day,
    groups_by_folder,
    groups_by_name,
    split_folder,
)
from helpers.own_images.groups import join_groups
from helpers.weights import Preprocessing

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path):
    """Twelve animals, each three times, six of each class."""
    for animal in range(12):
        place = tmp_path / ("ill" if animal % 2 else "well") / f"cage{animal % 4}"
        fill_different(place / "new", 3)
        for path in (place / "new").iterdir():
            path.rename(place / f"cow{animal:02}_{path.name}")
        (place / "new").rmdir()
    return tmp_path


def assert_apart(found, groups) -> None:
    with pytest.warns(UserWarning, match="collect more"):
        parts = split_folder(found, Preprocessing(16), groups=groups)
    group_of = {str(found.folder / p.name): group for p, group in zip(found.pictures, groups, strict=True)}
    sides = [{group_of[path] for path, _ in part.samples} for part in parts.values()]
    assert sum(map(len, sides)) == len(set().union(*sides)) > 2
    assert sum(map(len, parts.values())) == len(found.pictures)


def test_by_a_pattern_in_the_name(folder):
    found = check_folder(folder.parent / folder.name)
    groups = groups_by_name(found, r"(cow\d+)_")
    assert len(set(groups)) == 12
    assert_apart(found, groups)


def test_by_folders_in_the_classes(folder):
    found = check_folder(folder)
    groups = groups_by_folder(found)
    assert set(groups) == {"cage0", "cage1", "cage2", "cage3"}
    assert_apart(found, groups)


@pytest.mark.parametrize("written", [lambda p: p.name, lambda p: p.name[:-4], lambda p: p.name.replace("/", "\\")])
def test_by_a_column_of_a_table(folder, written):
    found = check_folder(folder)
    table = folder.parent / "animals.csv"
    rows = [f"{written(p)};{p.name.partition('cow')[2][:2]}" for p in found.pictures]
    table.write_text("\n".join(["image;animal", *rows]))
    groups = groups_by_column(found, table, "animal", "image", delimiter=";")
    assert len(set(groups)) == 12 and None not in groups
    assert_apart(found, groups)


def test_a_name_from_a_mac_finds_its_row(tmp_path):
    """There, an accent is a character of its own."""
    for number, name in enumerate(["Ana_1.png", "jose\u0301_1.png", "Ana_2.png"]):
        (tmp_path / "images" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        noise(number).save(tmp_path / "images" / "ab"[number % 2] / name)
    table = tmp_path / "people.csv"
    table.write_text("file,who\nAna_1.png,Ana\nAna_2.png,Ana\njos\u00e9_1.png,José\n", encoding="utf-8")
    assert None not in groups_by_column(check_folder(tmp_path / "images"), table, "who")


def test_by_the_day(tmp_path):
    for i in range(8):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2024:05:0{1 + i // 2} 12:00:0{i}"
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        noise(i).save(tmp_path / "ab"[i % 2] / f"{i}.jpg", exif=exif)
    found = check_folder(tmp_path)
    assert found.pictures[0].taken == datetime(2024, 5, 1, 12)
    assert groups_by_day(found)[:2] == ["2024-05-01", "2024-05-02"]
    assert_apart(found, groups_by_day(found))


def test_what_makes_no_groups_is_one_line(folder):
    found = check_folder(folder)
    table = folder.parent / "t.csv"
    table.write_text("file,animal\nx,1\nx,2\n")
    paths = folder.parent / "v.csv"
    paths.write_text("file,animal\na\\x,1\na\\x,2\n")
    other = folder.parent / "u.csv"
    other.write_text("file,animal\nx,1\n")
    for call, said in (
        (lambda: groups_by_name(found, r"cow\d+"), "has no parentheses around what names the group; add them"),
        (lambda: groups_by_name(found, r"(cow"), "is no regular expression"),
        (lambda: groups_by_name(found, r"(goat\d+)"), r"is in no name, as in 'ill/cage1/cow"),
        (lambda: groups_by_column(found, table, "animal"), "gives 'x' the groups '1' and '2'"),
        (lambda: groups_by_column(found, paths, "animal"), r"gives 'a\\\\x' the groups '1' and '2'"),
        (lambda: groups_by_column(found, other, "animal"), "names none of the images in .*, as 'x'"),
        (lambda: groups_by_day(found), "No image in .* says when it was taken"),
        (lambda: split_folder(found, Preprocessing(16), groups=[1, 2]), "2 groups for 36 images; give one for each"),
        (lambda: split_folder(found, Preprocessing(16), groups=[1] * 36), "no image|all are needed to train"),
    ):
        with pytest.raises(LessonError, match=said) as error:
            call()
        line(error)


def test_a_folder_without_folders_has_no_groups(tmp_path):
    for name in "ab":
        fill_different(tmp_path / name, 1)
    with pytest.raises(LessonError, match="has no folders in the folders of the classes"):
        groups_by_folder(check_folder(tmp_path))


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 6))] * 2), min_size=1, max_size=30))
def test_groups_of_two_kinds_join_by_way_of_others(pictures):
    first, second = zip(*pictures, strict=True)
    joined = join_groups(first, None, second)
    for kind in (first, second):
        for i, group in enumerate(kind):
            same = [joined[j] for j, other in enumerate(kind) if other == group and group is not None]
            assert group is None or set(same) == {joined[i]}
    links = {(a, b) for a, b in pictures if a is not None and b is not None}
    alone = sum(a is None and b is None for a, b in pictures)
    assert len(set(joined)) >= alone and (links or len(set(joined)) >= alone)
