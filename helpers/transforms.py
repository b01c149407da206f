"""From a picture to what a network sees, and back (lesson 01)."""

import math

import torch
from torchvision.transforms import v2

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, per channel, of values in 0..1
STD = (0.229, 0.224, 0.225)


def train_transform(size: int, scale: float = 0.08) -> v2.Compose:
    """A random crop and flip of a PIL image or uint8 tensor: float (3, size, size), normalised.

    A crop shows at least the share `scale` of the picture's area, in 0..1.
    """
    return v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop(size, scale=(scale, 1)),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def eval_transform(size: int) -> v2.Compose:
    """The middle of a PIL image or uint8 tensor, without chance: float (3, size, size), normalised.

    The shorter side becomes `size` * 256 / 224, as in torchvision's own evaluation.
    """
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(round(size * 256 / 224)),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def augmentation(
    size: int, scale: float, ratio: float, jitter: float, rotation: float, blur: float, erasing: float
) -> v2.Compose:
    """What the augmentation explorer shows: a PIL image or uint8 tensor becomes uint8 (3, size, size).

    Args:
        size: the side of the result, in pixels.
        scale: the smallest share of the picture's area that a crop may show, in 0..1; 1 for all of it.
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


def data_transforms(size: int) -> dict[str, v2.Compose]:
    """The transform of each split: chance for `train`, none for `val` and `test`."""
    return {"train": train_transform(size), "val": eval_transform(size), "test": eval_transform(size)}


def denormalise(images: torch.Tensor) -> torch.Tensor:
    """Undo the normalisation: float (..., 3, h, w) to float in 0..1 of the same shape."""
    mean, std = (torch.tensor(v, device=images.device).view(3, 1, 1) for v in (MEAN, STD))
    return (images * std + mean).clamp(0, 1)
