"""From files to batches: what people's folders really look like, and what lesson 02 builds by hand."""

import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from support.images import BLACK, BLUE, GREEN, GREY, INSECTS, RED, WHITE, corners, fill, quarters
from support.lesson_code import lesson_code
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import helpers.data
from helpers.data import (
    CachedDataset,
    CsvDataset,
    ImageDataset,
    image_datasets,
    load_image,
    make_dataloader,
    make_dataloaders,
    weighted_sampler,
)
from helpers.errors import LessonError
from helpers.transforms import eval_transform, train_transform
from helpers.weights import Preprocessing
from helpers.widgets import batch_explorer

pytestmark = pytest.mark.quick


@pytest.fixture
def splits(tmp_path) -> Path:
    """Nine images to train on and five to validate with, of two classes."""
    fill(tmp_path / "train" / "ants", *(f"{n}.png" for n in range(5)), colour=(200, 30, 30))
    fill(tmp_path / "train" / "bees", *(f"{n}.png" for n in range(4)), colour=(200, 200, 30))
    fill(tmp_path / "val" / "ants", "a.png", "b.png", colour=(180, 40, 40))
    fill(tmp_path / "val" / "bees", "a.png", "b.png", "c.png", colour=(180, 180, 40))
    return tmp_path


# --- One file


def test_transparency_lies_over_white(tmp_path):
    image = quarters().convert("RGBA")
    image.paste((*BLACK, 0), (0, 0, 8, 4))  # black that nobody is meant to see
    image.paste((*GREEN, 128), (8, 0, 16, 4))
    image.save(tmp_path / "a.png")
    seen = load_image(tmp_path / "a.png")
    assert seen.mode == "RGB"
    assert corners(seen) == [WHITE, (127, 255, 127), BLUE, GREY]


def test_grey_with_transparency(tmp_path):
    image = Image.new("LA", (4, 4), (0, 0))
    image.putpixel((3, 3), (100, 255))
    image.save(tmp_path / "a.png")
    assert corners(load_image(tmp_path / "a.png")) == [WHITE, WHITE, WHITE, (100, 100, 100)]


@pytest.mark.parametrize("kind", ["one index", "one value per colour"])
def test_palette_with_transparency(tmp_path, kind):
    image = quarters().quantize(4)
    red = image.getpixel((0, 0))
    values = bytes(0 if index == red else 255 for index in range(4))
    image.save(tmp_path / "a.png", transparency=red if kind == "one index" else values)
    assert corners(load_image(tmp_path / "a.png")) == [WHITE, GREEN, BLUE, GREY]


def test_palette_without_transparency(tmp_path):
    quarters().quantize(4).save(tmp_path / "a.png")
    assert corners(load_image(tmp_path / "a.png")) == [RED, GREEN, BLUE, GREY]


def save_pgm(image: Image.Image, path: Path) -> None:
    path.write_bytes(b"P5 %d %d 65535\n" % image.size + np.asarray(image).astype(">u2").tobytes())


@pytest.mark.parametrize(
    ("name", "kind", "save"),
    [
        ("a.png", "<u2", Image.Image.save),
        ("a.tif", "<u2", Image.Image.save),
        ("big_endian.tif", ">u2", Image.Image.save),
        ("a.pgm", "<u2", save_pgm),
        ("a.tif", "<i4", Image.Image.save),
    ],
    ids=["png", "tif", "big-endian tif", "pgm", "tif of 32 bits"],
)
def test_sixteen_bits_keep_their_greys(tmp_path, name, kind, save):
    greys = np.array([[0, 60], [130, 255]])
    save(Image.fromarray((greys * 256 + 77).astype(kind)), tmp_path / name)
    assert [red for red, _, _ in corners(load_image(tmp_path / name))] == greys.ravel().tolist()


@pytest.mark.parametrize("numbers", [np.float32([[0, 1]]), np.int32([[0, 1_000_000]]), np.int32([[-1, 9]])], ids=str)
def test_numbers_without_a_white_are_refused(tmp_path, numbers):
    Image.fromarray(numbers).save(tmp_path / "a.tif")
    with pytest.raises(LessonError, match=r"a\.tif cannot be read \(it does not say which number is white\); save"):
        load_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk(tmp_path, suffix):
    quarters((64, 32)).convert("CMYK").save(tmp_path / f"a.{suffix}", quality=95)
    difference = np.subtract(corners(load_image(tmp_path / f"a.{suffix}")), [RED, GREEN, BLUE, GREY])
    assert np.abs(difference).max() < 12


def test_one_bit(tmp_path):
    image = Image.new("1", (4, 4))
    image.putpixel((3, 3), 1)
    image.save(tmp_path / "a.png")
    assert corners(load_image(tmp_path / "a.png")) == [BLACK, BLACK, BLACK, WHITE]


# How a camera that notes this orientation has stored the image.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_exif_turns_the_picture_upright_in_its_colours(tmp_path, orientation, mode):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = quarters().quantize(4) if mode == "P" else quarters().convert(mode)
    image.transpose(STORED[orientation]).save(tmp_path / "a.png", exif=exif)
    seen = load_image(tmp_path / "a.png")
    assert seen.size == (16, 8)
    assert corners(seen) == [RED, GREEN, BLUE, GREY]


def test_exif_turns_sixteen_bits_too(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.uint16([[0, 65535]])).save(tmp_path / "a.png", exif=exif)
    assert load_image(tmp_path / "a.png").size == (1, 2)


def test_a_broken_exif_block_does_not_hide_the_picture(tmp_path):
    Image.new("RGB", (8, 4), RED).save(tmp_path / "a.jpg", exif=b"Exif\0\0nonsense")
    assert load_image(tmp_path / "a.jpg").size == (8, 4)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000)])
def test_odd_sizes(tmp_path, size):
    Image.new("RGB", size, RED).save(tmp_path / "a.png")
    for transform in (train_transform(Preprocessing(32)), eval_transform(Preprocessing(32))):
        assert transform(load_image(tmp_path / "a.png")).shape == (3, 32, 32)


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "missing"])
def test_a_damaged_file_is_named(tmp_path, kind):
    whole = next((INSECTS / "train" / "ants").iterdir()).read_bytes()
    content = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"<html>not found</html>"}
    if kind in content:
        (tmp_path / "ant 1.jpg").write_bytes(content[kind])
    with pytest.raises(LessonError, match=r"ant 1\.jpg cannot be read"):
        load_image(tmp_path / "ant 1.jpg")


# --- Folders


def test_a_clean_folder_reads_as_torchvision_reads_it():
    theirs, ours = ImageFolder(INSECTS / "val"), ImageDataset(INSECTS / "val")
    assert (ours.classes, ours.class_to_idx) == (theirs.classes, theirs.class_to_idx)
    assert (ours.samples, ours.targets) == (theirs.samples, theirs.targets)
    assert ours[3][0].tobytes() == theirs[3][0].tobytes()


def test_what_programs_leave_is_no_class_and_no_picture(splits):
    before = ImageDataset(splits / "train").samples
    for folder in (".ipynb_checkpoints", "__MACOSX", ".git", "ants/.ipynb_checkpoints", "bees/__MACOSX/deep"):
        fill(splits / "train" / folder, "0.png")
    fill(splits / "train" / "ants", "._0.png")
    (splits / "train" / "ants" / "folder.jpg").mkdir()
    for name in ("ants/.DS_Store", "bees/Thumbs.db", "notes.txt", ".DS_Store"):
        (splits / "train" / name).write_bytes(b"")
    after = ImageDataset(splits / "train")
    assert after.classes == ["ants", "bees"]
    assert after.samples == before


def test_hidden_folders_on_the_way_do_not_count(tmp_path):
    fill(tmp_path / ".cache" / "train" / "ants", "a.png")
    assert len(ImageDataset(tmp_path / ".cache" / "train")) == 1


def test_folders_below_a_class_belong_to_it(splits):
    fill(splits / "train" / "bees" / "garden" / "2024", "z.JPEG")
    samples = ImageDataset(splits / "train").samples
    assert [label for path, label in samples if path.endswith("z.JPEG")] == [1]


def test_links_in_a_circle_give_each_picture_once(splits):
    before = len(ImageDataset(splits / "train"))
    (splits / "train" / "ants" / "again").symlink_to(splits / "train", target_is_directory=True)
    assert len(ImageDataset(splits / "train")) == before


def test_a_class_may_be_a_link(splits):
    fill(splits / "elsewhere", "a.png", "b.png")
    (splits / "train" / "wasps").symlink_to(splits / "elsewhere", target_is_directory=True)
    assert ImageDataset(splits / "train").targets.count(2) == 2


def test_names_as_people_give_them(tmp_path):
    for name in ("two words", "l'abeille", "\N{HONEYBEE}", "x" * 200):
        fill(tmp_path / name, f"{name[:100]} 1.PNG")
    dataset = ImageDataset(tmp_path)
    assert [dataset[i][1] for i in range(4)] == [0, 1, 2, 3]
    assert len(dataset.classes) == 4


def test_val_is_matched_by_name(splits):
    shutil.rmtree(splits / "val" / "ants")
    val = image_datasets(splits, Preprocessing(32))["val"]
    assert ImageFolder(splits / "val").class_to_idx == {"bees": 0}  # the trap
    assert val.class_to_idx == {"ants": 0, "bees": 1}
    assert set(val.targets) == {1}


def test_an_empty_class_is_allowed_in_val_alone(splits):
    for file in (splits / "val" / "ants").iterdir():
        file.unlink()
    assert set(image_datasets(splits, Preprocessing(32))["val"].targets) == {1}
    for file in (splits / "train" / "ants").iterdir():
        file.unlink()
    with pytest.raises(LessonError, match=r"ants has no images \(\.jpg"):
        image_datasets(splits, Preprocessing(32))


def test_a_class_that_train_lacks_is_named(splits):
    fill(splits / "val" / "wasps", "a.png")
    with pytest.raises(LessonError, match="val has the class 'wasps', which the training images lack"):
        image_datasets(splits, Preprocessing(32))


def test_val_without_any_picture(splits):
    for file in (splits / "val").rglob("*.png"):
        file.unlink()
    with pytest.raises(LessonError, match="ants has no images"):
        image_datasets(splits, Preprocessing(32))


def test_one_class_only(splits):
    shutil.rmtree(splits / "train" / "bees")
    with pytest.raises(LessonError, match="train has one class only, 'ants'"):
        image_datasets(splits, Preprocessing(32))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_missing_split_is_named(splits, split):
    shutil.rmtree(splits / split)
    with pytest.raises(LessonError, match=f"{split} is not there"):
        image_datasets(splits, Preprocessing(32))


def test_pictures_without_class_folders(tmp_path):
    fill(tmp_path, "a.png")
    with pytest.raises(LessonError, match="has no folders; put the images into one folder per class"):
        ImageDataset(tmp_path)


def test_the_splits_and_their_transforms(splits):
    assert list(image_datasets(splits, Preprocessing(32))) == ["train", "val"]
    shutil.copytree(splits / "val", splits / "test")
    datasets = image_datasets(splits, Preprocessing(32))
    assert list(datasets) == ["train", "val", "test"]
    for split, dataset in datasets.items():
        crops_at_random = any(isinstance(step, v2.RandomResizedCrop) for step in dataset.transform.transforms)
        assert crops_at_random == (split == "train")
    assert datasets["test"][0][0].shape == (3, 32, 32)


# --- Tables


def write_table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    table = folder / "labels.csv"
    table.write_text(text, encoding=encoding)
    return table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_names_files_and_labels(splits, encoding):
    text = 'file,label,seen by\nbees/0.png,bees,me\nants/1.png,ants,"me, too"\n'
    dataset = CsvDataset(write_table(splits, text, encoding), splits / "train")
    assert dataset.classes == ["ants", "bees"]
    assert [Path(path).name for path, _ in dataset.samples] == ["0.png", "1.png"]
    assert dataset.targets == [1, 0]
    image, label = dataset[1]
    assert (image.getpixel((0, 0)), label, len(dataset)) == ((200, 30, 30), 0, 2)


def test_a_table_s_classes_can_be_given(splits):
    table = write_table(splits, "file,label\nbees/0.png,bees\n")
    dataset = CsvDataset(table, splits / "train", eval_transform(Preprocessing(16)), ["wasps", "ants", "bees"])
    image, label = dataset[0]
    assert (image.shape, label) == ((3, 16, 16), 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\nants/0.png,ants\n", "no column 'file'"),
        ("file;label\nants/0.png;ants\n", "no column 'file'"),
        ("file\nants/0.png\n", "no column 'label'"),
        ("", "no column 'file'"),
        ("file,label\n", "no rows"),
        ("file,label\nants/0.png\n", "lacks a label in line 2: ants/0.png"),
        ("file,label\nants/0.png,\n", "lacks a label in line 2: ants/0.png"),
        ("file,label\nants/9.png,ants\n", "names 'ants/9.png', which is not in"),
        ("file,label\nants/0.png,Ants\n", r"the class 'Ants', not one of \['ants', 'bees'\]"),
    ],
)
def test_a_table_s_mistake_is_named(splits, text, message):
    with pytest.raises(LessonError, match=message):
        CsvDataset(write_table(splits, text), splits / "train", class_names=["ants", "bees"])


# --- In memory


def seeded(dataset, index: int) -> torch.Tensor:
    torch.manual_seed(index)
    return dataset[index][0]


@pytest.mark.parametrize("make", [train_transform, eval_transform])
def test_memory_gives_the_pixels_that_decoding_gives(make):
    dataset = ImageDataset(INSECTS / "val", make(Preprocessing(64)))
    dataset.samples, dataset.targets = dataset.samples[60:80], dataset.targets[60:80]
    cached = CachedDataset(dataset)
    assert (len(cached), cached.classes, cached.targets) == (20, dataset.classes, dataset.targets)
    for index in [*range(20), *range(20)]:  # the second time must not differ from the first
        assert torch.equal(seeded(cached, index), seeded(dataset, index))
        assert cached[index][1] == dataset[index][1]


def test_memory_keeps_whole_pictures_and_crops_them_anew():
    dataset = ImageDataset(INSECTS / "val", train_transform(Preprocessing(64)))
    dataset.samples = dataset.samples[:2]
    cached = CachedDataset(dataset)
    assert all(image.dtype == torch.uint8 and min(image.shape[1:]) >= 140 for image in cached.images)
    assert not torch.equal(cached[0][0], cached[0][0])


def test_memory_reads_each_file_once(splits):
    cached = CachedDataset(ImageDataset(splits / "train", eval_transform(Preprocessing(16))))
    shutil.rmtree(splits / "train")
    assert sum(len(labels) for _, labels in DataLoader(cached, batch_size=4)) == 9


def test_photographs_can_be_kept_at_the_size_that_is_needed(tmp_path):
    place = tmp_path / "ants"
    place.mkdir()
    for ending in ("jpg", "png"):
        quarters((640, 480)).save(place / f"a.{ending}")
    cached = CachedDataset(ImageDataset(tmp_path), min_side=100)
    assert [tuple(image.shape) for image in cached.images] == [(3, 120, 160), (3, 480, 640)]


@pytest.fixture(scope="module")
def kept() -> CachedDataset:
    return CachedDataset(image_datasets(INSECTS, Preprocessing(64))["val"])  # 70 ants, 83 bees


def test_few_pictures_of_each_class(kept):
    part = helpers.data.subsample(kept, per_class=5, seed=3)
    assert part.targets == [0] * 5 + [1] * 5 == [label for _, label in part.samples]
    for (path, label), image in zip(part.samples, part.images, strict=True):
        assert image is kept.images[kept.samples.index((path, label))], "image and label belong together"
    assert part.transform is kept.transform and len(kept) == 153


def test_a_larger_share_holds_the_smaller_one(kept):
    paths = [{path for path, _ in helpers.data.subsample(kept, n, seed=1).samples} for n in (2, 5, 75, 1000)]
    assert paths[0] < paths[1] < paths[2] < paths[3]
    assert [len(found) for found in paths] == [4, 10, 70 + 75, 153]
    assert paths[0] != {path for path, _ in helpers.data.subsample(kept, 2, seed=2).samples}


def test_a_table_in_memory(splits):
    table = CsvDataset(
        write_table(splits, "file,label\nbees/0.png,bees\n"), splits / "train", eval_transform(Preprocessing(16))
    )
    assert torch.equal(CachedDataset(table)[0][0], table[0][0])


# --- Batches


def labels_of(loader: DataLoader) -> list[int]:
    return [label for _, labels in loader for label in labels.tolist()]


def numbered(**splits: int) -> dict:
    """Datasets whose labels are the places of their items."""
    return {split: [(torch.zeros(1), i) for i in range(count)] for split, count in splits.items()}


def test_the_seed_fixes_the_order_and_each_epoch_has_its_own():
    def epochs(seed):
        loader = make_dataloaders(numbered(train=50), batch_size=8, seed=seed)["train"]
        return labels_of(loader), labels_of(loader)

    first, second = epochs(seed=3)
    torch.rand(1)  # what others draw does not matter
    assert epochs(seed=3) == (first, second)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert epochs(seed=4)[0] != first


def test_only_train_is_shuffled_and_nothing_is_left_out():
    loaders = make_dataloaders(numbered(train=50, val=20, test=33), batch_size=8)
    assert labels_of(loaders["train"]) != list(range(50))
    assert labels_of(loaders["val"]) == list(range(20))
    assert labels_of(loaders["test"]) == list(range(33))
    assert {split: len(loader) for split, loader in loaders.items()} == {"train": 7, "val": 3, "test": 5}


@pytest.mark.parametrize(
    ("images", "batch_size", "sizes"),
    [
        (33, 32, [33]),
        (65, 32, [33, 32]),
        (1057, 32, [34] * 31 + [3]),  # 33 would leave one image as well
        (3, 2, [3]),
        (34, 32, [32, 2]),
        (5, 1, [1] * 5),  # as it was asked for
        (1, 32, [1]),
    ],
)
def test_no_image_is_alone_in_the_last_batch_of_train(images, batch_size, sizes):
    loader = make_dataloaders(numbered(train=images), batch_size)["train"]
    assert [len(labels) for _, labels in loader] == sizes
    assert sorted(labels_of(loader)) == list(range(images))


def test_only_train_needs_company():
    assert [len(labels) for _, labels in make_dataloaders(numbered(val=33), 32)["val"]] == [32, 1]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=8, unique=True), st.data())
def test_val_is_numbered_by_the_names_of_train(names, data):
    present = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        for split, there in (("train", names), ("val", present)):
            for name in there:
                place = Path(folder, split, name)
                place.mkdir(parents=True)
                (place / f"{name}.png").touch()
        train = ImageDataset(Path(folder, "train"))
        val = ImageDataset(Path(folder, "val"), class_names=train.classes)
    assert train.classes == val.classes == sorted(names)
    for dataset, there in ((train, names), (val, present)):
        assert sorted(Path(path).stem for path, _ in dataset.samples) == sorted(there)
        assert all(train.classes[label] == Path(path).stem for path, label in dataset.samples)


def test_notebooks_get_no_workers():
    assert make_dataloaders(numbered(train=3))["train"].num_workers == 0


def batches_of(datasets: dict, num_workers: int) -> list:
    loaders = make_dataloaders(datasets, batch_size=4, num_workers=num_workers)
    return [batch for loader in loaders.values() for batch in loader]


@pytest.mark.parametrize("wrap", [lambda dataset: dataset, CachedDataset], ids=["files", "memory"])
def test_workers_make_the_same_batches(splits, wrap):
    datasets = {split: wrap(dataset) for split, dataset in image_datasets(splits, Preprocessing(16)).items()}
    for dataset in datasets.values():
        dataset.transform = eval_transform(Preprocessing(16))
    alone, helped = batches_of(datasets, 0), batches_of(datasets, 2)
    assert len(alone) == len(helped) == 2 + 2
    for (images, labels), (their_images, their_labels) in zip(alone, helped, strict=True):
        assert torch.equal(images, their_images)
        assert torch.equal(labels, their_labels)


def test_workers_draw_the_same_crops_when_the_seed_is_the_same(splits):
    first, second = (batches_of(image_datasets(splits, Preprocessing(16)), 2) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


@pytest.mark.nightly
def test_workers_that_begin_empty(splits):
    """As on Windows and macOS: what a dataset needs must be importable."""
    dataset = ImageDataset(splits / "val", eval_transform(Preprocessing(16)))
    loader = DataLoader(dataset, batch_size=3, num_workers=1, multiprocessing_context="spawn")
    assert labels_of(loader) == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("kind", ["folder", "table", "memory"])
def test_datasets_can_be_sent_to_workers(splits, kind):
    folder = ImageDataset(splits / "train", train_transform(Preprocessing(16)))
    table = write_table(splits, "file,label\nants/0.png,ants\n")
    dataset = {
        "folder": folder,
        "table": CsvDataset(table, splits / "train", train_transform(Preprocessing(16))),
        "memory": CachedDataset(folder),
    }[kind]
    sent = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(seeded(sent, 0), seeded(dataset, 0))


def test_a_damaged_file_is_named_by_a_worker_too(splits):
    (splits / "train" / "bees" / "0.png").write_bytes(b"")
    with pytest.raises(LessonError, match=r"0\.png cannot be read"):
        batches_of(image_datasets(splits, Preprocessing(16)), 1)


# --- Classes of unequal size


@pytest.mark.parametrize("counts", [(1, 200), (150, 30, 20)])
def test_all_classes_are_drawn_equally_often(counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    drawn = [labels[i] for seed in range(20) for i in weighted_sampler(labels, seed)]
    assert len(drawn) == 20 * len(labels)
    shares = np.bincount(drawn) / len(drawn)
    np.testing.assert_allclose(shares, 1 / len(counts), atol=0.03)


def test_within_a_class_all_pictures_are_drawn_equally_often():
    labels = [0] * 90 + [1] * 10
    drawn = [i for seed in range(100) for i in weighted_sampler(labels, seed)]
    ants = np.bincount(drawn)[:90]
    assert ants.min() > 0.5 * ants.mean()
    assert ants.max() < 1.5 * ants.mean()


def test_the_seed_fixes_what_is_drawn():
    labels = [0] * 30 + [1] * 5
    assert list(weighted_sampler(labels, 1)) == list(weighted_sampler(torch.tensor(labels), 1))
    assert list(weighted_sampler(labels, 1)) != list(weighted_sampler(labels, 2))


# --- The explorer


@pytest.fixture
def shown(splits, monkeypatch):
    """An explorer of nine images, their dataset, and the images that it has shown, with titles."""
    pictures = []

    def record(image, title=None, ax=None):
        pictures.append((title, image))
        ax.set_title(title)

    monkeypatch.setattr("helpers.widgets.imshow", record)
    dataset = ImageDataset(splits / "train", train_transform(Preprocessing(16)))
    return batch_explorer(dataset, Preprocessing(16), batch_size=4), dataset, pictures


def test_the_explorer_walks_through_the_folder(shown):
    explorer, _, pictures = shown
    assert explorer.text == "batch 1 of 3, as in the folder, seed 0: 4 ants, 0 bees"
    explorer.controls.batch.value = 2
    assert explorer.text == "batch 2 of 3, as in the folder, seed 0: 1 ants, 3 bees"
    assert [title for title, _ in pictures] == ["ants"] * 5 + ["bees"] * 3
    explorer.controls.batch.value = 3
    assert explorer.text == "batch 3 of 3, as in the folder, seed 0: 0 ants, 1 bees"
    assert len(pictures) == 9


def test_the_explorer_shows_what_a_loader_gives(shown):
    explorer, dataset, pictures = shown
    for seed in (0, 5):
        explorer.controls.seed.value = seed
        explorer.controls.order.value = "shuffled"
        explorer.controls.batch.value = 1
        pictures.clear()
        explorer.controls.batch.value = 2
        loader = DataLoader(dataset, 4, shuffle=True, generator=torch.Generator().manual_seed(seed))
        _, (_, labels), _ = loader
        assert [title for title, _ in pictures] == [dataset.classes[label] for label in labels]


def test_the_explorer_repeats_itself(shown):
    explorer, dataset, pictures = shown
    dataset.transform = lambda image: torch.rand(3)
    for batch in (2, 1, 2):
        torch.rand(1)  # what others draw does not matter
        explorer.controls.batch.value = batch
    first, again = pictures[4:8], pictures[12:]
    assert [values.tolist() for _, values in first] == [values.tolist() for _, values in again]


def test_the_explorer_leaves_the_random_numbers_alone(shown):
    explorer, _, _ = shown
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    explorer.controls.order.value = "balanced"
    explorer.controls.seed.value = 3
    assert torch.equal(torch.rand(3), expected)


# --- What lesson 02 builds by hand


@pytest.fixture(scope="module")
def lesson() -> dict:
    return lesson_code("02_data_loading.ipynb", "ENDINGS")


def same_items(one, other) -> bool:
    return len(one) == len(other) and all(
        torch.equal(seeded(one, i), seeded(other, i)) and one[i][1] == other[i][1] for i in range(len(one))
    )


@pytest.fixture
def few(tmp_path) -> Path:
    """Three images of each class, and a file that is none."""
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        for file in sorted((INSECTS / "val" / name).iterdir())[:3]:
            shutil.copy(file, tmp_path / name / file.name.replace("1.jpg", "1.JPG"))
        (tmp_path / name / "notes.txt").touch()
    return tmp_path


def test_the_folder_by_hand(lesson, few):
    by_hand, ours = (kind(few, train_transform(Preprocessing(32))) for kind in (lesson["FolderDataset"], ImageDataset))
    assert (by_hand.classes, by_hand.samples) == (ours.classes, ours.samples)
    assert same_items(by_hand, ours)


def test_the_memory_by_hand(lesson, few):
    dataset = ImageDataset(few, train_transform(Preprocessing(32)))
    assert same_items(lesson["CachedDataset"](dataset), CachedDataset(dataset))


def test_the_table_by_hand(lesson, few):
    rows = [f"{Path(path).relative_to(few).as_posix()},{label}" for path, label in ImageDataset(few).samples]
    table = write_table(few, "\n".join(["file,label", *reversed(rows)]))
    by_hand, ours = (
        kind(table, few, train_transform(Preprocessing(32))) for kind in (lesson["CsvDataset"], CsvDataset)
    )
    assert (by_hand.classes, by_hand.samples) == (ours.classes, ours.samples)
    assert same_items(by_hand, ours)


def test_the_batches_by_hand(lesson, few):
    dataset = ImageDataset(few, eval_transform(Preprocessing(32)))
    for by_hand, theirs in zip(lesson["batches"](dataset, 4), DataLoader(dataset, 4), strict=True):
        assert torch.equal(by_hand[0], theirs[0])
        assert torch.equal(by_hand[1], theirs[1])


@pytest.mark.parametrize(("device", "pinned"), [("cpu", True), ("meta", False)])
def test_with_cuda_only_tensors_of_the_cpu_are_pinned(device, pinned, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert make_dataloader(TensorDataset(torch.empty(2, device=device))).pin_memory == pinned
