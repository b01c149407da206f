"""From an image to what a network sees, and back (lesson 01)."""

import math

import torch
from torchvision.transforms import v2

from helpers.weights import Preprocessing


def train_transform(preprocessing: Preprocessing, scale: float = 0.08, mirror: bool = True) -> v2.Compose:
    """A random crop and flip of a PIL image or uint8 tensor: float (3, size, size), normalised.

    Args:
        preprocessing: of the weights.
        scale: the smallest share of the image's area that a crop shows, in 0..1.
        mirror: whether every second crop is flipped; not for letters, road signs or X-rays.
    """
    return v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(
                preprocessing.size, scale=(scale, 1), interpolation=v2.InterpolationMode(preprocessing.interpolation)
            ),
            v2.RandomHorizontalFlip(0.5 if mirror else 0),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )


def eval_transform(preprocessing: Preprocessing) -> v2.Compose:
    """Resize, then centre-crop a PIL image or uint8 tensor; deterministic: float (3, size, size), normalised."""
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(preprocessing.resize, v2.InterpolationMode(preprocessing.interpolation)),
            v2.CenterCrop(preprocessing.size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )


def augmentation(
    size: int, scale: float, ratio: float, jitter: float, rotation: float, blur: float, erasing: float
) -> v2.Compose:
    """What the augmentation explorer shows: a PIL image or uint8 tensor becomes uint8 (3, size, size).

    Args:
        size: the side of the result, in pixels.
        scale: the smallest share of the image's area that a crop may show, in 0..1; 1 for all of it.
        ratio: the longest crop, as its longer side over its shorter one; 1 for squares.
        jitter: how far brightness, contrast and saturation may move, in 0..1; the hue, half as far.
        rotation: the largest turn to either side, in degrees.
        blur: the standard deviation of the blur, in pixels.
        erasing: how probable it is that a rectangle is blacked out, in 0..1.
    """
    return v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(size, scale=(scale, 1), ratio=(1 / ratio, ratio)),
            v2.ColorJitter(jitter, jitter, jitter, jitter / 2),
            v2.RandomRotation(rotation, v2.InterpolationMode.BILINEAR),
            v2.GaussianBlur(2 * math.ceil(3 * blur) + 1, blur) if blur else v2.Identity(),
            v2.RandomErasing(erasing),
        ]
    )


def data_transforms(preprocessing: Preprocessing) -> dict[str, v2.Compose]:
    """The transform of each split: random for `train`, deterministic for `val` and `test`."""
    return {
        "train": train_transform(preprocessing),
        "val": eval_transform(preprocessing),
        "test": eval_transform(preprocessing),
    }


def denormalise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Undo the normalisation: float (..., 3, h, w) to float in 0..1 of the same shape."""
    mean, std = (torch.tensor(v, device=images.device).view(3, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return (images * std + mean).clamp(0, 1)
