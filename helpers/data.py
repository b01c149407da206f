"""From folders of pictures to batches (lesson 02)."""

from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from helpers.errors import LessonError
from helpers.transforms import data_transforms


def load_image(path: str | Path) -> Image.Image:
    """The picture as it is meant to be seen: upright by its EXIF tag, RGB, transparency over white."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16"):  # a plain conversion would clip nearly every value to white
        image = image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


class ImageDataset(ImageFolder):
    """torchvision's `ImageFolder`, over the visible folders only, with `load_image` as its loader.

    Args:
        folder: one folder per class, with the pictures in it.
        transform: what each picture goes through.
        class_names: the classes in the order of their indices; None takes them from the folder.
            Give those of `train` for the other splits, so that classes are matched by name.
    """

    def __init__(self, folder: str | Path, transform=None, class_names: list[str] | None = None):
        self.class_names = class_names
        super().__init__(str(folder), transform, loader=load_image, allow_empty=class_names is not None)

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        hidden = (".", "__")  # .ipynb_checkpoints, __MACOSX
        found = sorted(p.name for p in Path(directory).iterdir() if p.is_dir() and not p.name.startswith(hidden))
        if not found:
            raise LessonError(f"{directory} has no folders; put the pictures into one folder per class.")
        names = self.class_names or found
        unknown = sorted(set(found) - set(names))
        if unknown:
            raise LessonError(f"{directory} has the class {unknown[0]!r}, which the training images do not have.")
        return names, {name: index for index, name in enumerate(names)}


def image_datasets(folder: str | Path, size: int) -> dict[str, ImageDataset]:
    """The splits that `folder` has, of `train`, `val` and `test`, each with its transform.

    Args:
        folder: holds `train/` and `val/`, perhaps `test/`, each with one folder per class.
        size: the side of the square that the network sees, in pixels.
    """
    transforms = data_transforms(size)
    train = ImageDataset(Path(folder) / "train", transforms["train"])
    rest = {
        split: ImageDataset(Path(folder) / split, transforms[split], train.classes)
        for split in ("val", "test")
        if (Path(folder) / split).is_dir()
    }
    return {"train": train, **rest}


def make_dataloaders(
    datasets: dict[str, torch.utils.data.Dataset], batch_size: int = 32, num_workers: int = 0, seed: int = 0
) -> dict[str, DataLoader]:
    """One loader per split; only `train` is shuffled, in an order that `seed` fixes.

    `num_workers` is 0 because a notebook's own classes cannot be sent to a worker on Windows and macOS.
    """
    return {
        split: DataLoader(
            dataset,
            batch_size=batch_size,
            shuffle=split == "train",
            num_workers=num_workers,
            generator=torch.Generator().manual_seed(seed),
        )
        for split, dataset in datasets.items()
    }
