"""Small pictures and folders of them, made for a test."""

import itertools
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.tracks import IMAGES

INSECTS = IMAGES["insects"]
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
_seeds = itertools.count()


def quarters(size: tuple[int, int] = (16, 8)) -> Image.Image:
    """Red, green / blue, grey: another picture whichever way it is turned or mirrored."""
    small = np.array([[RED, GREEN], [BLUE, GREY]], dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.NEAREST)


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    """The colours in the four corners, row by row."""
    right, bottom = image.width - 1, image.height - 1
    return [image.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


def noise(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """Coarse patches of random colours: no two seeds look the same."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.NEAREST)


def fill(folder: Path, *names: str, colour=RED) -> Path:
    """Put pictures of one colour into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (20, 16), colour).save(folder / name)
    return folder


def fill_different(folder: Path, number: int, ending: str = ".png", size: tuple[int, int] = (40, 32)) -> Path:
    """Put so many pictures into a folder, which look different from each other and from all made before."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        noise(next(_seeds), size).save(folder / f"picture_{i}{ending}")
    return folder


def fill_with_insects(folder: Path, number: int) -> Path:
    """Put so many ants and so many bees of the embedded pictures into a folder, by class."""
    for name in ("ants", "bees"):
        (folder / name).mkdir(parents=True)
        for path in sorted((INSECTS / "train" / name).iterdir())[:number]:
            (folder / name / path.name).write_bytes(path.read_bytes())
    return folder


def bomb() -> bytes:
    """A PNG of a few bytes that claims 30000 x 30000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
