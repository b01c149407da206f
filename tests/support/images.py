"""Small pictures, and folders of them."""

from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def quarters(size: tuple[int, int] = (16, 8)) -> Image.Image:
    """Red, green / blue, grey: another picture whichever way it is turned or mirrored."""
    small = np.array([[RED, GREEN], [BLUE, GREY]], dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.NEAREST)


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    """The colours in the four corners, row by row."""
    right, bottom = image.width - 1, image.height - 1
    return [image.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


def fill(folder: Path, *names: str, colour=RED) -> Path:
    """Put pictures of one colour into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (20, 16), colour).save(folder / name)
    return folder
