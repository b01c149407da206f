"""A folder becomes train, val and test: nothing twice, nothing lost, nothing moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.images import fill, fill_with_insects

from helpers.errors import LessonError
from helpers.own_images import check_folder, split_folder, split_indices
from helpers.own_images.splits import SHARES
from helpers.weights import Preprocessing

pytestmark = pytest.mark.quick

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=200)


@given(LABELS, st.data())
def test_each_picture_is_in_one_split_and_groups_stay_together(labels, data):
    groups = data.draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels)))
    parts = split_indices(labels, groups)
    assert sorted(i for indices in parts.values() for i in indices) == list(range(len(labels)))
    sides = {split: {groups[i] for i in indices} for split, indices in parts.items()}
    assert not (sides["train"] & sides["val"] or sides["train"] & sides["test"] or sides["val"] & sides["test"])


@given(LABELS, st.integers(0, 3))
def test_each_split_has_its_share_of_each_class(labels, seed):
    parts = split_indices(labels, seed=seed)
    for label in set(labels):
        for split, share in SHARES.items():
            there = sum(labels[i] == label for i in parts[split])
            assert abs(there - share * labels.count(label)) < 1 + 1e-6
        assert any(labels[i] == label for i in parts["train"])


def test_the_seed_fixes_the_parts():
    labels = [0, 1] * 30
    assert split_indices(labels, seed=1) == split_indices(labels, seed=1) != split_indices(labels, seed=2)


def test_hundreds_of_small_classes_reach_all_splits():
    parts = split_indices(np.repeat(np.arange(300), 3))
    assert len(parts["train"]) >= 300 and min(map(len, parts.values())) > 100


def test_a_folder_is_split_without_touching_it(tmp_path):
    fill_with_insects(tmp_path, 20)
    before = sorted(tmp_path.rglob("*"))
    datasets = split_folder(check_folder(tmp_path), Preprocessing(64))
    assert {split: len(data) for split, data in datasets.items()} == {"train": 24, "val": 8, "test": 8}
    assert all(data.classes == ["ants", "bees"] for data in datasets.values())
    assert sorted(tmp_path.rglob("*")) == before
    image, label = datasets["val"][0]
    assert image.shape == (3, 64, 64) and label == 0 and f"{datasets['val'].samples[0][0]}".startswith(str(tmp_path))


def test_copies_stay_on_one_side(tmp_path):
    fill_with_insects(tmp_path, 20)
    for path in [*tmp_path.glob("*/*")]:
        path.with_name(f"again_{path.name}").write_bytes(path.read_bytes())
    for seed in range(5):
        datasets = split_folder(check_folder(tmp_path), Preprocessing(64), seed=seed)
        for data in datasets.values():
            names = [path.rpartition("/")[2] for path, _ in data.samples]
            assert all(f"again_{name}" in names for name in names if not name.startswith("again_"))


def test_three_pictures_work_with_a_warning(tmp_path):
    fill(tmp_path / "ants", "a.png", "b.png")
    fill(tmp_path / "bees", "c.png", colour=(0, 0, 255))
    fill(tmp_path / "ants", "b.png", colour=(0, 255, 0))
    with pytest.warns(UserWarning, match="'bees' has 1 image; collect more"):
        datasets = split_folder(check_folder(tmp_path), Preprocessing(64))
    assert {split: len(data) for split, data in datasets.items()} == {"train": 2, "val": 1}
    assert set(datasets["train"].targets) == {0, 1}


def test_an_unreadable_file_stops_unless_it_may_be_skipped(tmp_path):
    fill_with_insects(tmp_path, 20)
    (tmp_path / "ants" / "cut.jpg").write_bytes(b"\xff\xd8")
    found = check_folder(tmp_path)
    with pytest.raises(LessonError, match=r"cut.jpg holds no image; replace it .*skip_unreadable=True"):
        split_folder(found, Preprocessing(64))
    datasets = split_folder(found, Preprocessing(64), skip_unreadable=True)
    assert sum(map(len, datasets.values())) == 40
    assert not any("cut.jpg" in path for data in datasets.values() for path, _ in data.samples)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            {"train/ants": 1, "train/bees": 1, "val/ants": 1},
            "is split already, into train and val; .*image_datasets",
        ),
        ({"ants": 9}, "has one class with images, 'ants'; two are needed"),
        ({"ants": 1, "bees": 1}, "has 2 images in 2 classes, and all are needed to train; collect two or more"),
    ],
)
def test_what_cannot_be_split_is_one_line(tmp_path, folders, message):
    for shade, (name, number) in enumerate(folders.items()):
        fill(tmp_path / name, *(f"{i}.png" for i in range(number)), colour=(90 * shade, 0, 0))
    with pytest.raises(LessonError, match=message):
        split_folder(check_folder(tmp_path), Preprocessing(64))
