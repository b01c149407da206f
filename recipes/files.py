"""Image sets as folders of JPEG files: written by many processes, shown as a strip."""

import io
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

STRIP_SIDE = 160  # pixels


def encode(picture: Image.Image, quality: int) -> bytes:
    """The picture as the JPEG file that is committed."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def write(make: Callable[..., Image.Image], quality: int, path: Path, arguments: tuple) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(make(*arguments), quality))


def write_all(
    make: Callable[..., Image.Image], quality: int, jobs: dict[Path, tuple], workers: int | None = None
) -> None:
    """Write `make(*arguments)` to every path of `jobs` ({path: arguments}).

    Args:
        make: a function of a module, so that other processes can import it.
        quality: of the JPEG files.
        jobs: where each picture goes and what it is made from.
        workers: how many processes; None takes one per CPU.
    """
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = [pool.submit(write, make, quality, path, arguments) for path, arguments in jobs.items()]
        for job in tqdm(waiting, desc=make.__module__, mininterval=5):
            job.result()


def write_strip(path: Path, rows: list[list[Path]]) -> None:
    """Write one picture of square cuts from the middle of these pictures, row by row."""
    sheet = Image.new("RGB", (STRIP_SIDE * max(map(len, rows)), STRIP_SIDE * len(rows)))
    for row, files in enumerate(rows):
        for column, file in enumerate(files):
            with Image.open(file) as picture:
                side = min(picture.size)
                left, top = (picture.width - side) // 2, (picture.height - side) // 2
                cut = picture.crop((left, top, left + side, top + side)).resize((STRIP_SIDE, STRIP_SIDE))
            sheet.paste(cut, (column * STRIP_SIDE, row * STRIP_SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)


def evenly(files: list[Path], count: int) -> list[Path]:
    """`count` of the files, evenly spread."""
    return [files[i * len(files) // count] for i in range(count)]
