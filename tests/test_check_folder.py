"""The check-up of a folder: what it finds, what it says in ten seconds, and what programs get."""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import INSECTS, fill, noise

from helpers.check_folder import main
from helpers.data import ImageDataset, load_image
from helpers.errors import LessonError
from helpers.own_images import check_folder, near_duplicates, report
from helpers.own_images.near_duplicates import same_looks

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path):
    """Five ants and five bees of the embedded images, in one folder per class."""
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        for path in sorted((INSECTS / "train" / name).iterdir())[:5]:
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    return tmp_path


def row(found, name: str) -> str:
    return "\n".join(str(row) for row in found.rows() if row.name == name)


def test_the_embedded_pictures_are_well():
    found = check_folder(INSECTS)
    assert not any(row.remedy for row in found.rows())
    assert len(found.pictures) == 797 and not found.duplicates and str(found).endswith("All is well.")


def test_it_sees_the_pictures_that_training_sees(folder):
    found = check_folder(folder)
    assert [str(folder / p.name) for p in found.pictures] == [path for path, _ in ImageDataset(folder).samples]
    assert found.counts() == {"ants": 5, "bees": 5}
    sizes = [load_image(folder / p.name).size for p in found.pictures]
    assert [(p.width, p.height) for p in found.pictures] == sizes


def test_unreadable_files_are_named_with_their_reason(folder):
    pictures = sorted((folder / "ants").iterdir())
    whole = pictures[0].read_bytes()
    pictures[0].write_bytes(whole[: len(whole) // 2])
    pictures[1].write_bytes(b"")
    pictures[2].write_text("no image")
    found = check_folder(folder)
    assert list(found.unreadable) == [f"ants/{path.name}" for path in pictures[:3]]
    damaged, empty, text = (why.reason for why in found.unreadable.values())
    assert "truncated" in damaged and empty == "is empty" and text == "holds no image"
    assert row(found, "unreadable").count("!!  unreadable ants/") == 3
    assert str(folder) not in str(found), "names, not the paths of this machine"


def test_more_than_a_handful_is_counted(folder):
    for i in range(9):
        (folder / "ants" / f"{i}.jpg").touch()
    found = check_folder(folder)
    assert row(found, "unreadable").count("\n") == report.SHOWN and "and 4 more" in row(found, "unreadable")
    assert len(json.loads(found.as_json())["unreadable"]) == 9
    assert len(str(found).splitlines()) <= 15, "ten seconds"


def test_what_the_system_keeps_for_itself_stops_nothing(folder, monkeypatch):
    """The root of a stick or a disk has folders that nobody may read."""
    (folder / ".Trashes").mkdir()
    scan = os.scandir

    def refused(path="."):
        if Path(path).name == ".Trashes":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("helpers.layouts.os.scandir", refused)
    assert ".Trashes" in check_folder(folder).hidden


def test_hidden_files_and_other_kinds_are_said(folder):
    fill(folder / ".ipynb_checkpoints", "a.jpg")
    fill(folder / "ants" / "__MACOSX", "a.jpg")
    (folder / "ants" / ".DS_Store").touch()
    Image.new("RGB", (8, 8)).save(folder / "bees" / "imageNotFound.gif")
    (folder / "notes.txt").touch()
    found = check_folder(folder)
    assert found.hidden == [".ipynb_checkpoints", "ants/.DS_Store", "ants/__MACOSX"]
    assert found.others == ["bees/imageNotFound.gif", "notes.txt"]
    assert "notes.txt" in row(found, "others") and ".DS_Store" in row(found, "hidden")
    assert "!!  dropped    1 GIF ending in .gif: bees/imageNotFound.gif; export them" in str(found)
    assert len(found.pictures) == 10


def test_the_same_picture_in_two_splits_is_reported_with_both_paths(folder, tmp_path):
    for split in ("train", "val"):
        (folder / split).mkdir()
    (folder / "ants").rename(folder / "train" / "ants")
    (folder / "bees").rename(folder / "val" / "bees")
    original = min((folder / "train" / "ants").iterdir())
    picture = load_image(original)
    fill(folder / "val" / "ants")
    picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)).save(
        folder / "val" / "ants" / "again.jpg", quality=60
    )
    found = check_folder(folder)
    assert [[p.name for p in group] for group in found.leaks] == [[f"train/ants/{original.name}", "val/ants/again.jpg"]]
    assert f"train/ants/{original.name} = val/ants/again.jpg" in row(found, "leak")


def test_the_same_picture_in_two_classes_is_reported(folder):
    original = min((folder / "ants").iterdir())
    (folder / "bees" / "again.jpg").write_bytes(original.read_bytes())
    found = check_folder(folder)
    assert [p.label for p in found.contradictions[0]] == ["ants", "bees"] and not found.leaks
    assert "again.jpg" in row(found, "conflict")


def test_a_copy_in_its_own_class_is_no_problem(folder):
    original = min((folder / "ants").iterdir())
    (folder / "ants" / "again.jpg").write_bytes(original.read_bytes())
    assert row(check_folder(folder), "twice").startswith("ok")


def test_plain_pictures_of_other_colours_are_not_the_same():
    thumbnails = np.array([[200] * 8, [30] * 8, [201] * 8], dtype=np.uint8)
    groups = same_looks(np.zeros(3, dtype=np.uint64), thumbnails)
    assert groups[0] == groups[2] != groups[1]


def test_many_bits_apart_are_not_the_same():
    hashes = np.array([0, 2**near_duplicates.BITS - 1, 2 ** (near_duplicates.BITS + 1) - 1], dtype=np.uint64)
    groups = same_looks(hashes, np.zeros((3, 8), dtype=np.uint8))
    assert groups[0] == groups[1] == groups[2], "in a chain"
    groups = same_looks(hashes[[0, 2]], np.zeros((2, 8), dtype=np.uint8))
    assert groups[0] != groups[1]


@pytest.mark.parametrize(
    ("counts", "name", "remedy"),
    [
        ((1, 200), "balance", "weighted_sampler"),
        ((2, 1), "few", "collect 20 or more"),
        ((30, 0), "images", "two classes are needed"),
    ],
)
def test_counts_that_need_a_remedy(tmp_path, monkeypatch, counts, name, remedy):
    for label, number in zip(("ants", "bees"), counts, strict=True):
        fill(tmp_path / label, *(f"{i}.png" for i in range(number)))
    assert remedy in row(check_folder(tmp_path), name)


def test_an_empty_class_and_a_missing_val(tmp_path):
    fill(tmp_path / "train" / "ants", "a.png")
    fill(tmp_path / "train" / "bees")
    found = check_folder(tmp_path)
    assert row(found, "empty").startswith("!!  empty      train/bees;") and "there is no val" in row(found, "splits")


@pytest.mark.parametrize(("make", "message"), [(False, "is not there"), (True, "has no folders")])
def test_a_folder_without_classes_is_one_line(tmp_path, make, message):
    if make:
        (tmp_path / "x").mkdir()
    with pytest.raises(LessonError, match=message):
        check_folder(tmp_path / "x")


def test_a_zip_is_told_to_be_unpacked(tmp_path):
    (tmp_path / "insects.zip").touch()
    with pytest.raises(LessonError, match=r"insects\.zip is a file; give a folder .* \(a zip: unpacked\)"):
        check_folder(tmp_path / "insects.zip")


def test_the_home_folder_may_be_short(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))  # the home folder on Windows
    assert check_folder(Path("~") / folder.name).counts() == check_folder(folder).counts()


def command(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["check_folder", *map(str, arguments)])
    return main()


def test_the_command_prints_the_report_and_its_status(folder, monkeypatch, capsys):
    assert command(monkeypatch, folder) == 1, "five images of a class are few"
    assert capsys.readouterr().out.startswith("ok  images     10 in 2 classes: ants 5, bees 5")
    assert command(monkeypatch, INSECTS) == 0


def test_the_command_speaks_to_programs(folder, monkeypatch, capsys):
    command(monkeypatch, folder, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"ants": 5, "bees": 5}
    picture = found["pictures"][0]
    assert picture.keys() > {"name", "split", "label", "width", "height", "group", "burst", "bits", "taken"}
    assert picture["name"].startswith("ants/") and picture["taken"] is None
    assert any(finding["name"] == "few" and finding["remedy"] for finding in found["findings"])


def test_the_command_fails_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="is not there"):
        command(monkeypatch, tmp_path / "nowhere")


# --- What could be an image and does not count


def dropped(found) -> str:
    assert "\n" not in "".join(row.found + row.remedy for row in found.rows())
    return row(found, "dropped")


def stored(kind: str, **options) -> bytes:
    file = io.BytesIO()
    noise(1).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("IMG_1", stored("JPEG"), "1 JPEG without an ending: ants/IMG_1; let the names end in .jpg"),
        (
            "a.jpg_large",
            stored("PNG"),
            "1 PNG ending in .jpg_large: ants/a.jpg_large; let the names end in .png",
        ),
        ("a.jpg.download", stored("WEBP"), "1 WebP ending in .download"),
        ("scan.bak", stored("TIFF"), "1 TIFF ending in .bak: ants/scan.bak; let the names end in .tif"),
        ("a.gif", stored("GIF"), "1 GIF ending in .gif: ants/a.gif; export them as PNG or JPEG, or remove"),
        ("a.dcm", bytes(128) + b"DICM", "1 DICOM ending in .dcm: ants/a.dcm; export them as PNG or JPEG"),
        ("a.NEF", b"II*\0" + bytes(200), "1 camera raw ending in .NEF: ants/a.NEF; export them as PNG"),
        (".hidden.png", stored("PNG"), "1 with a name that looks hidden: ants/.hidden.png; let it begin with a letter"),
        ("__a.png", stored("PNG"), "1 with a name that looks hidden: ants/__a.png; let it begin with a letter"),
    ],
)
def test_pictures_that_are_dropped_are_named_with_their_remedy(folder, name, content, said):
    (folder / "ants" / name).write_bytes(content)
    found = check_folder(folder)
    assert found.counts() == {"ants": 5, "bees": 5} and f"!!  dropped    {said}" in dropped(found)


@pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a.avif", "a.heic"])
def test_the_formats_of_telephones_count_like_any_other(folder, name):
    kind = "AVIF" if name.endswith(("avif", "heic")) else "JPEG"
    (folder / "ants" / name).write_bytes(stored(kind))
    found = check_folder(folder)
    assert found.counts() == {"ants": 6, "bees": 5}
    targets = ImageDataset(folder).targets
    assert (targets.count(0), targets.count(1)) == (6, 5)
    assert not dropped(found)


def test_what_is_no_picture_is_only_named(folder):
    for name, content in (("a.txt", b"text"), ("a.json", b"{}"), ("a.mov", b"\0\0\0\x14ftypqt  " + bytes(20))):
        (folder / "ants" / name).write_bytes(content)
    found = check_folder(folder)
    assert not dropped(found) and found.others == ["ants/a.json", "ants/a.mov", "ants/a.txt"]


def test_pictures_outside_the_classes_are_named(folder):
    fill(folder, "overview.png")
    assert "1 outside the classes' folders: overview.png; move it into the folder of its class" in dropped(
        check_folder(folder)
    )


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_named(folder, tmp_path_factory):
    elsewhere = fill(tmp_path_factory.mktemp("disk"), "1.png", "2.png")
    (folder / "ants" / "more").symlink_to(elsewhere, target_is_directory=True)
    (folder / "ants" / "round").symlink_to(folder, target_is_directory=True)
    (folder / "ants" / "gone.jpg").symlink_to(elsewhere / "gone.jpg")
    found = check_folder(folder)
    assert found.counts() == {"ants": 5, "bees": 5}
    assert "2 behind a link to a folder: ants/more; move the images there in place of the link" in dropped(found)
    assert "1 by links that lead nowhere: ants/gone.jpg; put the file there" in dropped(found)
    assert "round" not in dropped(found) and "ants/round" in found.others


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", ".@__thumb/s1001.jpg", ".thumbnails/1.jpg", "#recycle/1.jpg"),
        *("$RECYCLE.BIN/S-1-5/1.jpg", ".Trash/1.jpg", ".Trash-1001/files/1.jpg", ".picasaoriginals/1.jpg"),
        *("__MACOSX/1.jpg", "Holiday Previews.lrdata/1.jpg", "Photos.photoslibrary/1.jpg", ".stversions/1.jpg"),
    ],
)
@pytest.mark.parametrize("place", ["", "ants"])
def test_foreign_pictures_are_counted_and_never_used(folder, name, place):
    path = folder / place / name
    fill(path.parent, path.name)
    found = check_folder(folder)
    top = f"{place}/{name}".strip("/").removesuffix(name) + name.partition("/")[0]
    assert found.foreign == {top: 1} and found.hidden == [top]
    assert found.counts() == {"ants": 5, "bees": 5} and ImageDataset(folder).classes == ["ants", "bees"]
    assert f"ok  hidden     ignored: {top} (1 image)" in str(found) and not dropped(found)


# --- Values


def grey(folder, name: str, largest: int, seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, largest + 1, (8, 8)).repeat(8, 0).repeat(8, 1)
    numbers[0, 0] = largest
    folder.mkdir(exist_ok=True)
    Image.fromarray(numbers.astype(np.uint16)).save(folder / name)


def test_the_bits_of_a_folder_are_said(tmp_path):
    for i in range(4):
        grey(tmp_path / "ab"[i % 2], f"{i}.png", 4095, i)
    found = check_folder(tmp_path)
    assert row(found, "bits") == "ok  bits       4 images of 16 bits: 4095 is read as white"
    assert {p.bits for p in found.pictures} == {12}
    grey(tmp_path / "a", "dark.tif", 700, 9)
    found = check_folder(tmp_path)
    assert "!!  bits       images of 16 bits make use of 10 bits: 1, 12 bits: 4; each is made as bright" in str(found)


def test_pictures_that_are_nearly_black_are_named(folder):
    fill(folder / "ants", "night.png", colour=(3, 9, 12))
    found = row(check_folder(folder), "dark")
    assert found.startswith("!!  dark       ants/night.png, its brightest value is 12 of 255; is it meant to be black?")


def test_a_picture_that_is_too_large_is_not_called_damaged(folder):
    Image.new("1", (20_000, 9_500)).save(folder / "ants" / "panorama.png")
    found = row(check_folder(folder), "unreadable")
    assert found == "!!  unreadable ants/panorama.png has 190 megapixels, too large: 179 are read; scale it down"
