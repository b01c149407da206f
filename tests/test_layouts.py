"""Splits and classes under the names that people give them: one decision for report, datasets and split."""

import shutil
import unicodedata

import pytest
from support.checks import line
from support.images import fill, fill_different

from helpers.data import ImageDataset, image_datasets
from helpers.errors import LessonError
from helpers.layouts import read_layout
from helpers.own_images import check_folder, split_folder
from helpers.weights import Preprocessing

SMALL = Preprocessing(16)


def make(folder, names, classes=("dents", "scratches"), number=1):
    for name in names:
        for label in classes:
            fill_different(folder / name / label, number, size=(20, 16))
    return folder


def remedies(found) -> list[str]:
    return [str(row) for row in found.rows() if row.remedy and row.name not in ("few", "balance")]


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Train", "Val"), ("train", "val")),
        (("TRAINING", "Validation", "TESTING"), ("train", "val", "test")),
        (("trn", "dev", "tst"), ("train", "val", "test")),
        (("train_images", "valid_images"), ("train", "val")),
        (("images-train", "images-val"), ("train", "val")),
        (("trainset", "testset"), ("train", "test")),
        (("TrainData", "TestData", "ValData"), ("train", "test", "val")),
        (("train2017", "val2017"), ("train", "val")),
        (("seg_train", "seg_test"), ("train", "test")),
        (("leaf disease train", "leaf disease valid"), ("train", "val")),
        (("train", "eval"), ("train", "val")),
        (("train", "val", "eval"), ("train", "val", "test")),
        (("train", "evaluation", "test"), ("train", "val", "test")),
    ],
)
def test_names_of_splits(tmp_path, names, meant):
    layout = read_layout(make(tmp_path, names))
    assert layout.splits == {split: tmp_path / name for name, split in zip(names, meant, strict=True)}
    found = check_folder(tmp_path)
    assert found.counts(meant[0]) == {"dents": 1, "scratches": 1}
    if names != meant:
        assert any(f"{names[0]} is read as" in row or f"{names[1]} is read as" in row for row in remedies(found))
    if "val" in meant:
        assert list(image_datasets(tmp_path, SMALL)) == sorted(meant, key=["train", "val", "test"].index)
        with pytest.raises(LessonError, match="is split already"):
            split_folder(found, SMALL)


@pytest.mark.parametrize(
    "names",
    [
        ("bus", "car", "train"),  # a vehicle
        ("train_station", "bus_station"),
        ("tested", "untested"),
        ("value", "devil", "trained"),
        ("control", "test"),
    ],
)
def test_classes_that_are_called_like_splits(tmp_path, names):
    for name in names:
        fill_different(tmp_path / name, 1)
    assert not read_layout(tmp_path).has_splits
    assert ImageDataset(tmp_path).classes == sorted(names)
    assert list(check_folder(tmp_path).counts()) == sorted(names)


def test_a_test_folder_beside_classes_is_asked_about(tmp_path):
    for name in ("cats", "dogs", "test"):
        fill_different(tmp_path / name, 20)
    assert any("test is taken for a class; if it is a split" in row for row in remedies(check_folder(tmp_path)))


def test_only_train_and_test_keeps_the_test(tmp_path):
    make(tmp_path, ("Training",), number=8)
    make(tmp_path, ("Testing",), number=2)
    found = check_folder(tmp_path)
    assert any("there is no val" in row for row in remedies(found))
    with pytest.raises(LessonError, match="val is not there; move a part of Training there, or let .*split_folder"):
        image_datasets(tmp_path, SMALL)
    with pytest.warns(UserWarning, match="collect more"):
        parts = split_folder(found, SMALL)
    assert {split: len(part) for split, part in parts.items()} == {"train": 12, "val": 4, "test": 4}
    assert all("Testing" in path for path, _ in parts["test"].samples)
    assert not any("Testing" in path for split in ("train", "val") for path, _ in parts[split].samples)


def test_val_alone_is_no_split_and_no_class(tmp_path):
    make(tmp_path, ("val", "test"))
    found = check_folder(tmp_path)
    assert any("there is no train" in row for row in remedies(found))
    for call in (lambda: image_datasets(tmp_path, SMALL), lambda: split_folder(found, SMALL)):
        with pytest.raises(LessonError, match="train is not there|is split already, into val and test"):
            call()


@pytest.mark.parametrize("names", [("entrenamiento", "prueba"), ("fold1", "fold2", "fold3")])
def test_splits_in_other_languages_are_asked_about(tmp_path, names):
    make(tmp_path, names)
    assert any("all hold dents, scratches; are these the classes?" in row for row in remedies(check_folder(tmp_path)))


def test_two_folders_for_one_split_are_refused(tmp_path):
    make(tmp_path, ("train", "val", "valid"))
    for call in (check_folder, lambda folder: image_datasets(folder, SMALL)):
        with pytest.raises(LessonError, match="has val and valid, which mean the same split; join them") as error:
            call(tmp_path)
        line(error)


def test_splits_inside_the_classes_are_refused(tmp_path):
    make(tmp_path, ("cats", "dogs"), classes=("train", "test"))
    for call in (check_folder, ImageDataset):
        with pytest.raises(LessonError, match=r"splits inside the classes \(cats/t.*\); put the classes inside"):
            call(tmp_path)


def test_a_dataset_of_splits_is_told_where_to_go(tmp_path):
    make(tmp_path, ("Train", "Test"))
    with pytest.raises(LessonError, match=r"holds splits \(Train and Test\), not classes; .*image_datasets takes it"):
        ImageDataset(tmp_path)


def test_a_folder_around_the_classes_is_named(tmp_path):
    make(tmp_path / "around", ("cats",), classes=("tabby", "black"))
    assert any(
        "cats alone, which holds black, tabby; give" in row for row in remedies(check_folder(tmp_path / "around"))
    )


def test_archives_with_a_folder_around_each_split(tmp_path):
    make(tmp_path / "seg_train", ("seg_train",))
    make(tmp_path / "seg_test", ("seg_test",))
    fill(tmp_path / "seg_pred" / "seg_pred", "1.png")
    layout = read_layout(tmp_path)
    assert layout.splits == {"train": tmp_path / "seg_train/seg_train", "test": tmp_path / "seg_test/seg_test"}
    assert "seg_pred (1 image) lies beside the splits" in str(check_folder(tmp_path))


@pytest.mark.parametrize("inside", ["", "test", "unknown", "images"])
def test_a_test_without_classes_is_named_and_left_out(tmp_path, inside):
    make(tmp_path, ("train", "val"), number=2)
    fill_different(tmp_path / "test" / inside, 3)
    found = check_folder(tmp_path)
    assert "test has 3 images without classes: it is left out; helpers.predict" in str(found)
    assert list(image_datasets(tmp_path, SMALL)) == ["train", "val"]
    assert not remedies(found)


def test_a_val_without_classes_is_refused(tmp_path):
    make(tmp_path, ("train",))
    fill_different(tmp_path / "val", 3)
    assert any("val has 3 images without classes" in row for row in remedies(check_folder(tmp_path)))
    with pytest.raises(LessonError, match="val has no folders; put the images into one folder per class"):
        image_datasets(tmp_path, SMALL)


def test_pictures_without_folders_in_train(tmp_path):
    fill_different(tmp_path / "train", 3)
    fill_different(tmp_path / "test", 3)
    for call in (check_folder, ImageDataset, lambda folder: image_datasets(folder, SMALL)):
        with pytest.raises(LessonError, match="train has no folders; put the images into one folder per class"):
            call(tmp_path)


def test_archives_that_were_not_unpacked_are_named(tmp_path):
    (tmp_path / "train.zip").touch()
    with pytest.raises(LessonError, match=r"has no folders; .*; unpack train\.zip first"):
        check_folder(tmp_path)


# --- The report warns before the next call refuses


@pytest.mark.parametrize(
    ("change", "said", "refused"),
    [
        (lambda f: fill_different(f / "val" / "rust", 1), "val has 'rust', which train lacks; add it to train", True),
        (lambda f: (f / "val/dents").rename(f / "val/Dents"), "'Dents', which train lacks; is it 'dents'? then", True),
        (lambda f: (f / "val/dents").rename(f / "val/dents "), "'dents ', which train lacks; is it 'dents'?", True),
        (lambda f: (f / "val/dents").rename(f / "val/dent"), "val has 'dent', which train lacks; is it 'dents'?", True),
        (lambda f: shutil.rmtree(f / "val/dents"), "val lacks dents; move some of the images there", False),
        (lambda f: shutil.rmtree(f / "test/dents"), "test lacks dents; move some", False),
        (lambda f: (f / "train" / "rust").mkdir(), "empty      train/rust; put images there", True),
        (
            lambda f: shutil.rmtree(f / "test") or (f / "test").mkdir(),
            "test has 0 images without classes; put",
            False,
        ),
    ],
)
def test_classes_that_differ_between_the_splits(tmp_path, change, said, refused):
    change(make(tmp_path, ("train", "val", "test")))
    assert any(said in row for row in remedies(check_folder(tmp_path)))
    if refused:
        with pytest.raises(LessonError, match="which the training images lack|has no images") as error:
            image_datasets(tmp_path, SMALL)
        line(error)
    else:
        assert image_datasets(tmp_path, SMALL)


def test_the_same_name_in_two_forms_of_unicode_is_one_class(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Gänseblümchen") for form in ("NFC", "NFD"))
    make(tmp_path, ("train",), classes=(composed, "Klee"))
    make(tmp_path, ("val",), classes=(decomposed, "Klee"))
    datasets = image_datasets(tmp_path, SMALL)
    assert datasets["train"].classes == datasets["val"].classes == [composed, "Klee"]
    assert sorted(datasets["val"].targets) == [0, 1]
    assert not remedies(check_folder(tmp_path))
    make(tmp_path, ("train",), classes=(decomposed,), number=2)
    found = check_folder(tmp_path)
    assert found.counts("train") == {composed: 3, "Klee": 1}
    assert any("twice: the names look identical, in two forms of Unicode; move" in row for row in remedies(found))
    assert image_datasets(tmp_path, SMALL)["train"].targets.count(0) == 3


@pytest.mark.parametrize("other", ["Oak Leaf", "oak_leaf", "oak-leaf", "OAK LEAF", "oak leaf "])
def test_classes_that_look_alike(tmp_path, other):
    make(tmp_path, ("oak leaf", other, "ash"), classes=("",))
    found = check_folder(tmp_path)
    assert any("look alike; if they are one class, join them" in row for row in remedies(found))
    assert set(found.counts()) == {"oak leaf", other, "ash"}


# --- What is laid out for something else, or one folder too high


def test_splits_one_folder_deeper_are_named(tmp_path):
    make(tmp_path / "pets", ("train", "val"))
    for call in (check_folder, ImageDataset, lambda folder: image_datasets(folder, SMALL)):
        with pytest.raises(LessonError, match=r"holds splits in pets; give one of them, as .*pets\.") as error:
            call(tmp_path)
        line(error)


def test_folds_with_splits_are_named(tmp_path):
    for fold in ("fold0", "fold1"):
        make(tmp_path / fold, ("train", "val"))
    with pytest.raises(LessonError, match=r"holds splits in fold0, fold1; give one of them, as .*fold0\."):
        check_folder(tmp_path)


def test_an_export_for_object_detection_is_named(tmp_path):
    for split in ("train", "valid"):
        fill_different(tmp_path / split / "images", 2)
        fill(tmp_path / split / "labels")
    assert any("train holds images, labels, as for object detection" in row for row in remedies(check_folder(tmp_path)))


def test_folders_that_look_hidden_are_named_where_there_are_no_others(tmp_path):
    make(tmp_path, (".cats", "__dogs"), classes=("",))
    with pytest.raises(LessonError, match=r"has no folders; .*; \.cats, __dogs look hidden: let the names begin"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_names_that_are_none(tmp_path, name):
    for call in (check_folder, ImageDataset, lambda folder: image_datasets(folder, SMALL)):
        with pytest.raises(LessonError, match="is not there"):
            call(tmp_path / name)
