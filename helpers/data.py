"""From folders of images to batches (lesson 02)."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    WeightedRandomSampler,
    default_collate,
)
from torchvision.datasets import ImageFolder
from torchvision.datasets.vision import StandardTransform, VisionDataset
from torchvision.transforms.functional import pil_to_tensor

from helpers.distributed import TrainingShare, batch_per_process, share, world_size
from helpers.errors import LessonError
from helpers.images import ENDINGS, decode_image, load_image
from helpers.layouts import (
    Layout,
    class_folders,
    existing_folder,
    image_files,
    lookalikes,
    nfc,
    read_layout,
    similar,
)
from helpers.tables import read_labels
from helpers.transforms import data_transforms
from helpers.weights import Preprocessing

Transform = Callable[[Any], Any]  # of one image


class ImageDataset(ImageFolder):  # type: ignore[misc]  # torchvision carries no types
    """torchvision's `ImageFolder` without hidden files and folders, with `load_image` as its loader.

    Args:
        folder: one folder per class, with the images in it or in folders below it.
        transform: what each image goes through.
        class_names: the classes in the order of their indices; None takes them from the folder, sorted.
            Give those of `train` for the other splits, so that classes are matched by name.

    Raises:
        LessonError: there is no such folder, it is a file, or it holds splits; it has no image, a class without
            images, or one that is not among `class_names`. Where these are given, a class may have no images.
    """

    def __init__(self, folder: str | Path, transform: Transform | None = None, class_names: list[str] | None = None):
        self.class_names = class_names
        super().__init__(
            str(existing_folder(folder)), transform, loader=load_image, allow_empty=class_names is not None
        )

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        folder = Path(directory)
        found = list(class_folders(folder))
        if self.class_names is None and (layout := read_layout(folder)).has_splits:
            parts = " and ".join(str(path.relative_to(folder)) for path in layout.splits.values())
            raise LessonError(f"{folder} holds splits ({parts}), not classes; helpers.data.image_datasets takes it.")
        if not found:
            raise LessonError(f"{folder} has no folders; put the images into one folder per class.")
        names = self.class_names or found
        unknown = [name for name in found if name not in map(nfc, names)]
        if unknown:
            meant = similar(unknown[0], names)
            hint = f"; if it is {meant!r}, rename it" if meant else ""
            raise LessonError(f"{folder} has the class {unknown[0]!r}, which the training images lack{hint}.")
        return names, {name: index for index, name in enumerate(names)}

    @staticmethod
    def make_dataset(
        directory: str,
        class_to_idx: dict[str, int],
        extensions: Any = None,
        is_valid_file: Any = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """The images below each class's folder; no links to folders, which may run in circles."""
        folders = class_folders(Path(directory))
        samples, empty = [], []
        for name, index in class_to_idx.items():
            pictures = [path for folder in folders.get(nfc(name), []) for path in image_files(folder)]
            samples += [(str(path), index) for path in pictures]
            if not pictures:
                empty.append(Path(directory, name))
        if empty and not (allow_empty and samples):
            raise LessonError(f"{empty[0]} has no images ({', '.join(ENDINGS)}); check_folder says what it has.")
        return samples


class SampleDataset(Dataset[tuple[Any, int]]):
    """Images by their paths, wherever they lie.

    Args:
        samples: path and class index of each image.
        class_names: the classes in the order of their indices.
        transform: what each image goes through.
    """

    def __init__(self, samples: list[tuple[str, int]], class_names: list[str], transform: Transform | None = None):
        self.samples, self.classes, self.transform = samples, class_names, transform
        self.targets = [label for _, label in samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        image = load_image(path)
        return self.transform(image) if self.transform else image, label


class CsvDataset(SampleDataset):
    """Images whose classes stand in a table.

    Args:
        table: a CSV file whose first line names the columns `file` and `label`, perhaps others.
        folder: where the paths in the column `file` begin.
        transform: what each image goes through.
        class_names: the classes in the order of their indices; None takes the labels of the table, sorted.
        columns: the names of the columns of files and labels, where they are called otherwise.
        delimiter, encoding: of the table; as in `;` and `cp1252`, which Excel writes in parts of Europe.

    Raises:
        LessonError: the table cannot be read, has no such columns or no rows, names a file twice with different
            labels, two labels that look alike or one that is not among `class_names`, or a file that is not there.
    """

    def __init__(
        self,
        table: str | Path,
        folder: str | Path,
        transform: Transform | None = None,
        class_names: list[str] | None = None,
        columns: tuple[str, str] = ("file", "label"),
        delimiter: str = ",",
        encoding: str = "utf-8",
    ):
        rows = read_labels(table, folder, columns, delimiter, encoding)
        classes = class_names or sorted({label for _, label in rows})
        for path, label in rows:
            if label not in classes:
                name = path.relative_to(folder) if path.is_relative_to(folder) else path
                raise LessonError(f"{table} gives {name.as_posix()!r} the class {label!r}, not one of {classes}.")
        if not class_names and (same := lookalikes(classes)):
            one, two, *_ = same[0]
            raise LessonError(
                f"{table} has the labels {one!r} and {two!r}, which look alike; write one of them, or give both in "
                "class_names."
            )
        super().__init__([(str(path), classes.index(label)) for path, label in rows], classes, transform)


class CachedDataset(Dataset[tuple[Any, int]]):
    """Images that are decoded once and kept in memory: whole, as uint8, 3 bytes for each pixel.

    The transform still runs each time, so training sees another crop of the whole image each time.

    Args:
        dataset: an `ImageDataset` or `SampleDataset`, or a `Subset` of one; its transform is taken over.
        min_side: a JPEG is kept at 1/2, 1/4 or 1/8 of its size if both sides keep this many pixels: quicker, and a
            photograph of 12 megapixels takes up 36 MB otherwise. Four times the size that the network sees is enough
            for its random crops. 0 keeps everything.
    """

    def __init__(self, dataset: ImageDataset | SampleDataset | Subset[Any], min_side: int = 0):
        whole = _with_samples(dataset)
        self.classes, self.samples, self.targets = whole.classes, whole.samples, whole.targets
        self.transform = whole.transform
        self.images = [pil_to_tensor(decode_image(path, min_side).image) for path, _ in whole.samples]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = self.images[index]
        return self.transform(image) if self.transform else image, self.targets[index]


class StreamedDataset(IterableDataset[tuple[Any, int]]):
    """Images that can only be read one after the other, such as those of `helpers.shard`."""

    def dealt(self, batch_size: int, shuffle: bool, seed: int) -> "StreamedDataset":
        """What this process reads of it, in batches of `batch_size`."""
        raise NotImplementedError


LabelledDataset = ImageDataset | SampleDataset | CachedDataset  # with `classes` and `targets`


def classes_of(dataset: Any) -> list[Any] | None:
    """The classes of a dataset, in the order of their indices; None where it does not know them.

    Raises:
        LessonError: the parts of a `ConcatDataset` differ in them.
    """
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets[1:]:
            check_same_classes({"the first part": dataset.datasets[0], "another": part})
        return classes_of(dataset.datasets[0])
    if isinstance(dataset, Subset):
        return classes_of(dataset.dataset)
    classes = getattr(dataset, "classes", None)
    return None if classes is None else list(classes)


def check_same_classes(datasets: Mapping[str, Any]) -> None:
    """That an index means the same class in two datasets, as far as these know their classes.

    Raises:
        LessonError: it does not.
    """
    (one, first), (two, second) = ((name, classes_of(dataset)) for name, dataset in datasets.items())
    if first is not None and second is not None and first != second:
        raise LessonError(
            f"{one} has the classes {_few(first)}, and {two} {_few(second)}: one number would mean two classes; give "
            "both the same class_names."
        )


def _few(names: list[Any]) -> str:
    return ", ".join(map(str, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _with_samples(dataset: Any) -> Any:
    """A `Subset`, as random_split makes it, with what the dataset behind it has."""
    if isinstance(dataset, Subset):
        whole = _with_samples(dataset.dataset)
        return SampleDataset([whole.samples[i] for i in dataset.indices], whole.classes, whole.transform)
    if not (hasattr(dataset, "samples") and hasattr(dataset, "classes")):
        raise LessonError(
            f"A {type(dataset).__name__} has no `samples` and `classes`, as ImageDataset and SampleDataset have them."
        )
    return dataset


def class_counts(dataset: LabelledDataset | Subset[Any]) -> dict[str, int]:
    """How many images each class has, by its name."""
    dataset = _with_samples(dataset) if isinstance(dataset, Subset) else dataset
    counted = Counter(dataset.targets)
    return {name: counted[index] for index, name in enumerate(dataset.classes)}


def subsample(dataset: CachedDataset, per_class: int, seed: int = 0) -> CachedDataset:
    """A random `per_class` images of each class, or all of a class that has fewer (lesson 06).

    Args:
        dataset: stays as it is; the result shares its images and its transform.
        per_class: how many.
        seed: fixes which; a larger `per_class` adds to those of a smaller one.
    """
    if not isinstance(dataset, CachedDataset):
        raise LessonError("subsample takes images that are in memory: CachedDataset(dataset).")
    generator = np.random.default_rng(seed)
    labels = np.array(dataset.targets)
    orders = [generator.permutation(np.flatnonzero(labels == index)) for index in range(len(dataset.classes))]
    chosen = np.concatenate([order[:per_class] for order in orders])
    part = copy.copy(dataset)
    part.samples, part.targets, part.images = (
        [rows[i] for i in chosen] for rows in (dataset.samples, dataset.targets, dataset.images)
    )
    return part


def with_transform(dataset: Dataset[Any], transform: Transform) -> Dataset[Any]:
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
    changed: Any = copy.copy(dataset)
    changed.transform = transform
    if joint or isinstance(dataset, VisionDataset):
        changed.transforms = StandardTransform(transform, changed.target_transform)
    return changed


def image_datasets(folder: str | Path, preprocessing: Preprocessing) -> dict[str, ImageDataset]:
    """The splits that `folder` has, of `train`, `val` and `test`, each with its transform.

    Args:
        folder: holds `train/` and `val/`, perhaps `test/`, each with one folder per class; other names that mean
            these are known, as `helpers.layouts.read_layout` has them. A `test/` without classes is left out.
        preprocessing: of the weights that shall see the images.

    Raises:
        LessonError: `train` or `val` is not as `ImageDataset` wants it, or there is one class only.
    """
    layout, transforms = read_layout(folder), data_transforms(preprocessing)
    for split in ("train", "val"):
        if split not in layout.splits:
            raise LessonError(_no_split(layout, split))
    train = ImageDataset(layout.splits["train"], transforms["train"])
    if len(train.classes) < 2:
        raise LessonError(f"{layout.splits['train']} has one class only, {train.classes[0]!r}; two are needed.")
    rest = {
        split: ImageDataset(path, transforms[split], train.classes)
        for split, path in layout.splits.items()
        if split != "train"
    }
    return {"train": train, **rest}


def _no_split(layout: Layout, split: str) -> str:
    if split in layout.unlabelled:
        return f"{layout.unlabelled[split]} has no folders; put the images into one folder per class."
    if not layout.has_splits:
        remedy = "own_images.split_folder makes train, val and test of one folder per class"
    elif split == "val":
        train = layout.splits["train"].name
        remedy = f"move a part of {train} there, or let own_images.split_folder make it of {train}"
    else:
        remedy = "it holds one folder of images per class"
    return f"{layout.folder / split} is not there; {remedy}."


def make_dataloader(
    dataset: Dataset[Any], batch_size: int = 32, shuffle: bool = False, num_workers: int = 0, seed: int = 0
) -> DataLoader[Any]:
    """Batches of a dataset; with `shuffle`, in an order that `seed` fixes.

    `num_workers` is 0 because a notebook's own classes cannot be sent to a worker on Windows and macOS. The workers
    start anew with each pass: so they draw the same random numbers after a resume. Where a single image would be left
    for the last of the shuffled batches, each holds one more: BatchNorm cannot learn from one value.

    Of several processes (`helpers.distributed`), each gets its part: of the shuffled images, so that the batches of all
    together hold `batch_size`; of the others, so that each image is in one part. Shards deal by themselves.

    Raises:
        LessonError: the shuffled batches cannot be divided among the processes.
    """
    generator = torch.Generator().manual_seed(seed)
    ready = getattr(dataset, "tensors", ())  # of a TensorDataset: CUDA pins nothing that lies on the GPU already
    options: dict[str, Any] = {
        "num_workers": num_workers,
        "pin_memory": torch.cuda.is_available() and all(tensor.device.type == "cpu" for tensor in ready),
        "generator": generator,
        "collate_fn": _batch,
    }
    images: Any = dataset  # all here have a length
    if shuffle:
        batch_size = _without_rest_of_one(-(-len(images) // world_size()), batch_per_process(batch_size))
    if isinstance(dataset, StreamedDataset):
        return DataLoader(dataset.dealt(batch_size, shuffle, seed), batch_size, **options)
    sampler: Any = RandomSampler(images, generator=generator) if shuffle else None
    if world_size() > 1:
        sampler = TrainingShare(sampler) if shuffle else share(len(images))
    return DataLoader(dataset, batch_size, sampler=sampler, **options)


def make_dataloaders(
    datasets: Mapping[str, Dataset[Any]], batch_size: int = 32, num_workers: int = 0, seed: int = 0
) -> dict[str, DataLoader[Any]]:
    """A loader for each split, as `make_dataloader` makes it; only `train` is shuffled."""
    return {
        split: make_dataloader(dataset, batch_size, split == "train", num_workers, seed)
        for split, dataset in datasets.items()
    }


def _batch(samples: list[Any]) -> Any:
    """PyTorch's own way to make a batch, and one line for images that make none."""
    try:
        return default_collate(samples)
    except (RuntimeError, TypeError) as error:
        images = [sample[0] for sample in samples if isinstance(sample, (list, tuple))]
        sizes = {tuple(image.shape): None for image in images if isinstance(image, torch.Tensor)}
        if len(sizes) > 1:
            one, two, *_ = sizes
            raise LessonError(
                f"The images of a batch have different shapes, as {one} and {two}; let the transform end in one size, "
                "as eval_transform does: v2.Resize, then v2.CenterCrop."
            ) from error
        if any(isinstance(image, Image.Image) for image in images):
            raise LessonError(
                "The dataset gives PIL images, which make no batch; give it a transform: eval_transform(preprocessing)."
            ) from error
        raise


def _without_rest_of_one(images: int, batch_size: int) -> int:
    while batch_size < images and images % batch_size == 1:
        batch_size += 1
    return batch_size


def weighted_sampler(labels: Sequence[int] | torch.Tensor, seed: int = 0) -> WeightedRandomSampler:
    """Draws as many images as there are, with replacement, so that all classes come equally often.

    Args:
        labels: the class index of each image.
        seed: fixes what is drawn.
    """
    labels = torch.as_tensor(labels)
    weights = 1 / labels.bincount().double()[labels]  # the rarer its class, the more often an image is drawn
    return WeightedRandomSampler(weights.tolist(), len(labels), generator=torch.Generator().manual_seed(seed))
