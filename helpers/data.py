"""From folders of pictures to batches (lesson 02)."""

import copy
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, WeightedRandomSampler
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS, has_file_allowed_extension
from torchvision.datasets.vision import StandardTransform, VisionDataset
from torchvision.transforms.functional import pil_to_tensor

from helpers.errors import LessonError
from helpers.transforms import data_transforms
from helpers.weights import Preprocessing

HIDDEN = (".", "__")  # how names begin that programs leave: .ipynb_checkpoints, ._ant.jpg, __MACOSX


def load_image(path) -> Image.Image:
    """The picture as it is meant to be seen: upright by its EXIF tag, RGB, transparency over white.

    Args:
        path: where it lies, or a file that is open.

    Raises:
        LessonError: the file is no picture, or damaged, or nobody knows which of its numbers is white.
    """
    name = path if isinstance(path, (str, Path)) else "The picture"  # what is uploaded has none that counts
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
    except Exception as error:  # each of Pillow's decoders fails in its own way
        why = "it holds no picture" if isinstance(error, UnidentifiedImageError) else error
        raise LessonError(f"{name} cannot be read ({why}); replace it or take it out.") from error
    if image.mode.startswith(("I", "F")):
        numbers = np.asarray(image)
        if image.mode == "F" or numbers.min() < 0 or numbers.max() > 65535:
            raise LessonError(f"{name} does not say which number is white; save it with 8 or 16 bits.")
        # 16 bits: a plain conversion would clip nearly every value to white.
        image = Image.fromarray((numbers // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def picture_folder(folder: str | Path) -> Path:
    """A folder that is there, with `~` written out.

    Raises:
        LessonError: it is not there, or it is a file.
    """
    path = Path(folder).expanduser()
    if path.is_file():
        raise LessonError(f"{path} is a file; give a folder with one folder of pictures per class (a zip: unpacked).")
    if not path.is_dir():
        raise LessonError(f"{path} is not there; it holds one folder of pictures per class.")
    return path


class ImageDataset(ImageFolder):
    """torchvision's `ImageFolder` without hidden files and folders, with `load_image` as its loader.

    Args:
        folder: one folder per class, with the pictures in it or in folders below it.
        transform: what each picture goes through.
        class_names: the classes in the order of their indices; None takes them from the folder.
            Give those of `train` for the other splits, so that classes are matched by name.

    Raises:
        LessonError: there is no such folder, or it is a file; it has no picture, a class without pictures, or one
            that is not among `class_names`. Where these are given, a class may have no pictures.
    """

    def __init__(self, folder: str | Path, transform=None, class_names: list[str] | None = None):
        self.class_names = class_names
        super().__init__(str(picture_folder(folder)), transform, loader=load_image, allow_empty=class_names is not None)

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        folder = Path(directory)
        found = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(HIDDEN))
        if not found:
            raise LessonError(f"{folder} has no folders; put the pictures into one folder per class.")
        names = self.class_names or found
        unknown = sorted(set(found) - set(names))
        if unknown:
            raise LessonError(f"{folder} has the class {unknown[0]!r}, which the training images lack.")
        return names, {name: index for index, name in enumerate(names)}

    @staticmethod
    def make_dataset(
        directory: str,
        class_to_idx: dict[str, int],
        extensions=None,
        is_valid_file=None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """The pictures below each class's folder; no links to folders, which may run in circles."""
        samples, empty = [], []
        for name, index in class_to_idx.items():
            folder = Path(directory, name)
            pictures = [path for path in sorted(folder.rglob("*")) if is_picture(path, folder)]
            samples += [(str(path), index) for path in pictures]
            if not pictures:
                empty.append(folder)
        if empty and not (allow_empty and samples):
            raise LessonError(f"{empty[0]} has no pictures ({', '.join(IMG_EXTENSIONS)}); put some there.")
        return samples


def is_picture(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` is called like a picture, and nothing on the way to it is hidden."""
    hidden = any(part.startswith(HIDDEN) for part in path.relative_to(folder).parts)
    return not hidden and has_file_allowed_extension(path.name, IMG_EXTENSIONS) and path.is_file()


class SampleDataset(Dataset):
    """Pictures by their paths, wherever they lie.

    Args:
        samples: path and class index of each picture.
        class_names: the classes in the order of their indices.
        transform: what each picture goes through.
    """

    def __init__(self, samples: list[tuple[str, int]], class_names: list[str], transform=None):
        self.samples, self.classes, self.transform = samples, class_names, transform
        self.targets = [label for _, label in samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int):
        path, label = self.samples[index]
        image = load_image(path)
        return self.transform(image) if self.transform else image, label


class CsvDataset(SampleDataset):
    """Pictures whose classes stand in a table.

    Args:
        table: a CSV file whose first line names the columns `file` and `label`, perhaps others.
        folder: where the paths in the column `file` begin.
        transform: what each picture goes through.
        class_names: the classes in the order of their indices; None takes the labels of the table, sorted.

    Raises:
        LessonError: the table has no such columns or no rows, or a row has a label that is not among
            `class_names` or a file that is not there.
    """

    def __init__(self, table: str | Path, folder: str | Path, transform=None, class_names: list[str] | None = None):
        rows = read_rows(table)
        classes = class_names or sorted({label for _, label in rows})
        for name, label in rows:
            if label not in classes:
                raise LessonError(f"{table} gives {name!r} the class {label!r}, not one of {classes}.")
            if not Path(folder, name).is_file():
                raise LessonError(f"{table} names {name!r}, which is not in {folder}.")
        samples = [(str(Path(folder, name)), classes.index(label)) for name, label in rows]
        super().__init__(samples, classes, transform)


def read_rows(table: str | Path) -> list[tuple[str, str]]:
    """File and label of each row of a CSV file."""
    with Path(table).open(newline="", encoding="utf-8-sig") as file:  # Excel writes a mark before the text
        reader = csv.DictReader(file)
        for column in ("file", "label"):
            if column not in (reader.fieldnames or ()):
                raise LessonError(f"{table} has no column {column!r}; its first line should be: file,label")
        rows = [(row["file"], row["label"]) for row in reader]
    if not rows:
        raise LessonError(f"{table} has no rows below its first line.")
    for file, label in rows:
        if not (file and label):
            raise LessonError(f"{table} has a row that lacks a file or a label: {file!r}, {label!r}.")
    return rows


class CachedDataset(Dataset):
    """Pictures that are decoded once and kept in memory: whole, as uint8, 3 bytes for each pixel.

    The transform still runs each time, so training sees another crop of the whole picture each time.

    Args:
        dataset: an `ImageDataset` or `SampleDataset`; its transform is taken over.
    """

    def __init__(self, dataset: ImageDataset | SampleDataset):
        self.classes, self.samples, self.targets = dataset.classes, dataset.samples, dataset.targets
        self.transform = dataset.transform
        self.images = [pil_to_tensor(load_image(path)) for path, _ in dataset.samples]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        image = self.images[index]
        return self.transform(image) if self.transform else image, self.targets[index]


def subsample(dataset: CachedDataset, per_class: int, seed: int = 0) -> CachedDataset:
    """A random `per_class` pictures of each class, or all of a class that has fewer (lesson 06).

    Args:
        dataset: stays as it is; the result shares its pictures and its transform.
        per_class: how many.
        seed: fixes which; a larger `per_class` adds to those of a smaller one.
    """
    generator = np.random.default_rng(seed)
    labels = np.array(dataset.targets)
    orders = [generator.permutation(np.flatnonzero(labels == index)) for index in range(len(dataset.classes))]
    chosen = np.concatenate([order[:per_class] for order in orders])
    part = copy.copy(dataset)
    part.samples, part.targets, part.images = (
        [rows[i] for i in chosen] for rows in (dataset.samples, dataset.targets, dataset.images)
    )
    return part


def with_transform(dataset: Dataset, transform: Callable) -> Dataset:
    """The same images through another transform; `dataset` stays as it is.

    Args:
        dataset: one whose `transform` is applied to each image: those of this module, torchvision's, or a `Subset` or
            `ConcatDataset` of such.
        transform: as from `helpers.transforms`.

    Raises:
        LessonError: the dataset has no transform that could be replaced, or one of image and label together.
    """
    if isinstance(dataset, Subset):
        return Subset(with_transform(dataset.dataset, transform), dataset.indices)
    if isinstance(dataset, ConcatDataset):
        return ConcatDataset([with_transform(part, transform) for part in dataset.datasets])
    joint = getattr(dataset, "transforms", None)  # torchvision's datasets have both, and some use only this one
    if not hasattr(dataset, "transform") or (joint and not isinstance(joint, StandardTransform)):
        raise LessonError(
            f"The transform of a {type(dataset).__name__} cannot be replaced: it needs an attribute `transform` for "
            "the image alone, as `helpers.data.ImageDataset` has."
        )
    changed = copy.copy(dataset)
    changed.transform = transform
    if joint or isinstance(dataset, VisionDataset):
        changed.transforms = StandardTransform(transform, dataset.target_transform)
    return changed


def image_datasets(folder: str | Path, preprocessing: Preprocessing) -> dict[str, ImageDataset]:
    """The splits that `folder` has, of `train`, `val` and `test`, each with its transform.

    Args:
        folder: holds `train/` and `val/`, perhaps `test/`, each with one folder per class.
        preprocessing: of the weights that shall see the images.

    Raises:
        LessonError: `train` or `val` is not as `ImageDataset` wants it, or there is one class only.
    """
    folder, transforms = Path(folder), data_transforms(preprocessing)
    train = ImageDataset(folder / "train", transforms["train"])
    if len(train.classes) < 2:
        raise LessonError(f"{folder / 'train'} has one class only, {train.classes[0]!r}; two are needed.")
    splits = ["val", "test"] if (folder / "test").is_dir() else ["val"]
    rest = {split: ImageDataset(folder / split, transforms[split], train.classes) for split in splits}
    return {"train": train, **rest}


def make_dataloader(
    dataset: Dataset, batch_size: int = 32, shuffle: bool = False, num_workers: int = 0, seed: int = 0
) -> DataLoader:
    """Batches of a dataset; with `shuffle`, in an order that `seed` fixes.

    `num_workers` is 0 because a notebook's own classes cannot be sent to a worker on Windows and macOS. The workers
    start anew with each pass: so they draw the same random numbers after a resume. Where a single image would be left
    for the last of the shuffled batches, each holds one more: BatchNorm cannot learn from one value.
    """
    return DataLoader(
        dataset,
        batch_size=_without_rest_of_one(len(dataset), batch_size) if shuffle else batch_size,
        shuffle=shuffle,
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(seed),
    )


def make_dataloaders(
    datasets: dict[str, Dataset], batch_size: int = 32, num_workers: int = 0, seed: int = 0
) -> dict[str, DataLoader]:
    """A loader for each split, as `make_dataloader` makes it; only `train` is shuffled."""
    return {
        split: make_dataloader(dataset, batch_size, split == "train", num_workers, seed)
        for split, dataset in datasets.items()
    }


def _without_rest_of_one(images: int, batch_size: int) -> int:
    while batch_size < images and images % batch_size == 1:
        batch_size += 1
    return batch_size


def weighted_sampler(labels: Sequence[int], seed: int = 0) -> WeightedRandomSampler:
    """Draws as many pictures as there are, with replacement, so that all classes come equally often.

    Args:
        labels: the class index of each picture.
        seed: fixes what is drawn.
    """
    labels = torch.as_tensor(labels)
    weights = 1 / labels.bincount().double()[labels]  # the rarer its class, the more often a picture is drawn
    return WeightedRandomSampler(weights, len(labels), generator=torch.Generator().manual_seed(seed))
