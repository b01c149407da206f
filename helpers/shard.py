"""A folder of images in a few large files, which any number of processes read from front to back (lesson 11).

python -m helpers.shard FOLDER SHARDS

A shard is a tar file as WebDataset reads it: for each image its file, as it is, and its class index (`.cls`). An
`index.json` beside them says how many images each shard holds. With it, processes share *images*, not whole shards, so
that each image is read once however many processes there are. (WebDataset deals out shards: where their number is no
multiple of the number of processes, some get more. LitData has a format of its own, and would bring a client for cloud
storage.)
"""

import argparse
import copy
import io
import json
import random
import shutil
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from torch.utils.data import get_worker_info
from tqdm.auto import tqdm

from helpers.data import SampleDataset, StreamedDataset, Transform
from helpers.distributed import rank, share, world_size
from helpers.errors import LessonError
from helpers.files import exclusive_lock, one_line_errors, partial_path
from helpers.images import UnreadableImage, load_image
from helpers.options import natural
from helpers.own_images import check_folder, folder_datasets, groups_by_name
from helpers.transforms import data_transforms
from helpers.weights import EMBEDDED, Preprocessing

INDEX = "index.json"
MEGABYTES = 100  # of a shard: large enough for quick reading, small enough to copy again
BLOCK = tarfile.BLOCKSIZE  # of 512 bytes, in which tar files are written
BUFFER = 1000  # images among which the next one is drawn


class Shard(NamedTuple):
    """A tar file: its name, the number of its images, and its size in bytes."""

    file: str
    images: int
    bytes: int


# --- Writing


def write_shards(
    datasets: dict[str, SampleDataset], folder: str | Path, megabytes: float = MEGABYTES, seed: int = 0
) -> dict[str, list[Shard]]:
    """Write images into shards, in random order: so each shard is a sample of all classes.

    Args:
        datasets: of each split. The files are copied as they are; transforms play no part.
        folder: of the shards. It appears when all are written.
        megabytes: a shard that has reached this size is closed.
        seed: fixes the order.

    Returns:
        The shards of each split.

    Raises:
        LessonError: the folder is there already, or cannot be written.
    """
    folder = Path(folder).expanduser()
    if folder.exists():
        raise LessonError(f"{folder} is there already; choose another place, or remove it.")
    part = partial_path(folder)
    with one_line_errors(f"Cannot write {folder}", "choose another place"), exclusive_lock(folder):
        shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
        part.mkdir()
        splits = {split: _write_split(dataset, part, split, megabytes, seed) for split, dataset in datasets.items()}
        index = {
            "classes": datasets["train"].classes,
            "counts": {split: sorted(Counter(dataset.targets).items()) for split, dataset in datasets.items()},
            "splits": {split: [shard._asdict() for shard in shards] for split, shards in splits.items()},
        }
        (part / INDEX).write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8")
        part.rename(folder)
    return splits


def _write_split(dataset: SampleDataset, folder: Path, split: str, megabytes: float, seed: int) -> list[Shard]:
    order = np.random.default_rng(seed).permutation(len(dataset))
    shards: list[Shard] = []
    rest = iter(tqdm(order, desc=split, unit="image", disable=None))
    position = next(rest, None)
    while position is not None:
        path = folder / f"{split}-{len(shards):06d}.tar"
        images = 0
        with path.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            while position is not None and (not images or file.tell() < megabytes * 1e6):
                source, label = dataset.samples[position]
                key = f"{position:09d}"
                _add(tar, key + Path(source).suffix.lower(), Path(source).read_bytes())
                _add(tar, f"{key}.cls", str(label).encode())
                images += 1
                position = next(rest, None)
        shards.append(Shard(path.name, images, path.stat().st_size))
    return shards


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


# --- Reading


class ShardDataset(StreamedDataset):
    """The images of one split, read from front to back; `make_dataloader` deals them to processes and workers.

    Args:
        folder: what `write_shards` wrote.
        split: `train`, `val` or `test`.
        transform: what each image goes through.

    Raises:
        LessonError: the folder has no such split, or a shard is missing or cut short.
    """

    def __init__(self, folder: str | Path, split: str, transform: Transform | None = None):
        self.folder, self.transform = Path(folder).expanduser(), transform
        index = _read_index(self.folder)
        if split not in index["splits"]:
            raise LessonError(f"{self.folder} has no {split!r}, only {', '.join(index['splits'])}.")
        self.classes: list[str] = index["classes"]
        self.counts = {self.classes[label]: number for label, number in index["counts"][split]}
        self.shards = [Shard(**shard) for shard in index["splits"][split]]
        for shard in self.shards:
            _check(self.folder / shard.file, shard)
        self.images = sum(shard.images for shard in self.shards)
        self.part = range(self.images)  # positions, which begin anew behind the last image
        self.batch_size, self.seed, self.epoch = 1, -1, 0

    def dealt(self, batch_size: int, shuffle: bool, seed: int) -> "ShardDataset":
        """What this process reads, in batches of `batch_size`.

        Shuffled, each process gets as many images as the others, for they wait for each other; where the number is
        not divisible, some are read twice. In order, each image is read by exactly one process.
        """
        dealt = copy.copy(self)
        dealt.batch_size, dealt.seed = batch_size, seed if shuffle else -1
        if shuffle:
            number = -(-self.images // world_size())
            dealt.part = range(number * rank(), number * (rank() + 1))
        else:
            dealt.part = share(self.images)
        return dealt

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of a shuffled pass: it follows from the seed and the number of the epoch alone."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.part)

    def __iter__(self) -> Iterator[tuple[object, int]]:
        part, worker = self._part_of_worker()
        raw = self._read(part)
        if self.seed >= 0:
            raw = _shuffled(raw, random.Random(f"{self.seed}, {self.epoch}, {rank()}, {worker}"))
        for name, content, label in raw:
            try:
                image = load_image(content)
            except UnreadableImage as error:
                raise LessonError(f"{name} {error.reason}; write the shards anew.") from error
            yield self.transform(image) if self.transform else image, label

    def _part_of_worker(self) -> tuple[range, int]:
        """A worker of the loader gets whole batches, so that there are no more of them than without workers."""
        info = get_worker_info()
        if info is None:
            return self.part, 0
        batches = -(-len(self.part) // self.batch_size)
        first, last = (batches * number // info.num_workers * self.batch_size for number in (info.id, info.id + 1))
        return self.part[first:last], info.id

    def _read(self, part: range) -> Iterator[tuple[str, bytes, int]]:
        """Name, content and label of the images at these positions of the epoch's order of shards."""
        shards = list(self.shards)
        if self.seed >= 0:
            random.Random(f"{self.seed}, {self.epoch}").shuffle(shards)
        for begin in range(0, part.stop, self.images or 1):  # twice where the part goes on behind the last image
            for shard in shards:
                inside = range(max(part.start - begin, 0), min(part.stop - begin, shard.images))
                if inside:
                    yield from _read_shard(self.folder / shard.file, inside)
                begin += shard.images


def _shuffled(items: Iterator[tuple[str, bytes, int]], generator: random.Random) -> Iterator[tuple[str, bytes, int]]:
    """Draw the next one among the next `BUFFER`."""
    waiting: list[tuple[str, bytes, int]] = []
    for item in items:
        if len(waiting) < BUFFER:
            waiting.append(item)
        else:
            place = generator.randrange(BUFFER)
            yield waiting[place]
            waiting[place] = item
    generator.shuffle(waiting)
    yield from waiting


def _read_shard(path: Path, inside: range) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and label of the images at these positions of a shard; the others are leapt over."""
    with one_line_errors(f"Cannot read {path}", "copy it again"), path.open("rb") as file:
        try:
            for position in range(inside.stop):
                name, content = _next_member(file, position in inside)
                _, label = _next_member(file, position in inside)
                if position in inside:
                    yield f"{path}, {name},", content, int(label)
        except (tarfile.TarError, ValueError) as error:
            raise LessonError(f"{path} is damaged; copy it again, or write the shards anew.") from error


def _next_member(file: BinaryIO, wanted: bool) -> tuple[str, bytes]:
    """`tarfile.TarFile` would remember each member that it has passed."""
    header = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "strict")
    content = file.read(header.size) if wanted else b""
    file.seek(-file.tell() % BLOCK if wanted else -(-header.size // BLOCK) * BLOCK, io.SEEK_CUR)
    return header.name, content


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LessonError(f"{folder} has no readable {INDEX}; `python -m helpers.shard` writes shards.") from error


def _check(path: Path, shard: Shard) -> None:
    if not path.is_file():
        raise LessonError(f"{path} is missing; copy it again, or write the shards anew.")
    if path.stat().st_size != shard.bytes:
        raise LessonError(
            f"{path} has {path.stat().st_size} bytes, not {shard.bytes}: it was cut short or changed; copy it again."
        )


def is_sharded(folder: str | Path) -> bool:
    """Whether a folder holds shards; an index alone may belong to something else."""
    folder = Path(folder).expanduser()
    return (folder / INDEX).is_file() and any(folder.glob("*.tar"))


def shard_datasets(folder: str | Path, preprocessing: Preprocessing) -> dict[str, ShardDataset]:
    """The splits of a folder of shards, each with its transform.

    Raises:
        LessonError: as from `ShardDataset`.
    """
    transforms = data_transforms(preprocessing)
    splits = _read_index(Path(folder).expanduser())["splits"]
    return {split: ShardDataset(folder, split, transforms[split]) for split in splits}


def main() -> int:
    """Checks the folder, splits it if it is not split, and prints how many shards it became."""
    parser = argparse.ArgumentParser(prog="python -m helpers.shard", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="FOLDER", help="one folder of images per class, perhaps in train/ and val/")
    parser.add_argument("shards", metavar="SHARDS", help="the new folder")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, metavar="N", help=f"of a shard ({MEGABYTES})")
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the split and the order (0)")
    parser.add_argument("--pattern", metavar="REGEX", help="of names that belong together, as in '(patient[0-9]+)'")
    parser.add_argument("--skip-unreadable", action="store_true", help="leave out files that cannot be read")
    arguments = parser.parse_args()
    try:
        report = check_folder(arguments.folder)
        print(report)
        groups = groups_by_name(report, arguments.pattern) if arguments.pattern else None
        datasets = folder_datasets(report, EMBEDDED, arguments.seed, arguments.skip_unreadable, groups)
        splits = write_shards(datasets, arguments.shards, arguments.megabytes, arguments.seed)
    except LessonError as error:
        sys.exit(str(error))
    for split, shards in splits.items():
        megabytes = sum(shard.bytes for shard in shards) / 1e6
        print(f"{split}: {sum(shard.images for shard in shards)} images in {len(shards)} shards, {megabytes:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
