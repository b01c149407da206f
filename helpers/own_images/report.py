"""Looks at every picture of a folder before a network does, and says what is wrong with which (lesson 09)."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm.auto import tqdm

from helpers.data import HIDDEN, is_picture, load_image, picture_folder
from helpers.errors import LessonError
from helpers.findings import Finding

SPLITS = ("train", "val", "test")
BITS = 6  # of 64: so far apart are the hashes of one picture, saved again, at most
LEVELS = 8  # of 255: so far apart are its colours, on the mean of 16 x 16 places
IMBALANCE = 10  # so many times as many pictures as the smallest class has
FEW = 20  # pictures of a class
LONG = 20  # times as long as wide: nothing but a stripe is left of the picture
SHOWN = 5  # lines of one kind in the report; all are in its JSON


@dataclass(frozen=True)
class Picture:
    """A picture that can be read.

    Attributes:
        name: its path in the folder that was checked, with `/`.
        split: `train`, `val`, `test`, or nothing where the folder has no such parts.
        label: the name of its class.
        width, height: in pixels, upright.
        group: pictures that look the same have the same number.
    """

    name: str
    split: str
    label: str
    width: int
    height: int
    group: int


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found. Printed, it is a report; `as_json` has everything.

    Attributes:
        folder: what was checked.
        pictures: those that can be read, in the order of their names.
        unreadable: by name, why a file cannot be read.
        hidden: names of files and folders that programs left; they count for nothing.
        others: names of files that are no pictures by their ending or lie outside the classes' folders.
        empty: names of the classes' folders in which no picture can be read.
    """

    folder: Path
    pictures: list[Picture]
    unreadable: dict[str, str]
    hidden: list[str]
    others: list[str]
    empty: list[str]

    @property
    def duplicates(self) -> list[list[Picture]]:
        """The pictures that look the same, in groups of two or more."""
        groups: dict[int, list[Picture]] = {}
        for picture in self.pictures:
            groups.setdefault(picture.group, []).append(picture)
        return [group for group in groups.values() if len(group) > 1]

    @property
    def leaks(self) -> list[list[Picture]]:
        """Of `duplicates`, the groups that lie in more than one split."""
        return [group for group in self.duplicates if len({picture.split for picture in group}) > 1]

    @property
    def contradictions(self) -> list[list[Picture]]:
        """Of `duplicates`, the groups that lie in more than one class: at least one is in the wrong one."""
        return [group for group in self.duplicates if len({picture.label for picture in group}) > 1]

    def counts(self, split: str | None = None) -> dict[str, int]:
        """The number of pictures of each class, of one split or of all."""
        return dict(sorted(Counter(p.label for p in self.pictures if split in (None, p.split)).items()))

    def rows(self) -> list[Finding]:
        """The report: a row for each thing that was looked at, with the remedy where something is wrong."""
        return [
            *self._pictures(),
            *_each("unreadable", [f"{name} {why}" for name, why in self.unreadable.items()], "replace or remove it"),
            *_each("empty", self.empty, "put pictures there or remove it"),
            *_each("leak", [_names(group) for group in self.leaks], "keep one: the score would reward remembering"),
            *_each("conflict", [_names(group) for group in self.contradictions], "keep the right one"),
            *self._same(),
            *_each("shape", [p.name for p in self.pictures if _is_stripe(p)], "crop it: a network sees its middle"),
            *self._ignored(),
        ]

    def _pictures(self) -> list[Finding]:
        if not self.pictures:
            return [Finding("pictures", "none", "put pictures into one folder per class")]
        counts = self.counts()
        most, least = max(counts, key=counts.get), min(counts, key=counts.get)
        found = f"{len(self.pictures)} in {_plural(len(counts), 'class', 'es')}: {_listed(counts)}"
        rows = [Finding("pictures", found, "two classes are needed" if len(counts) < 2 else "")]
        splits = {split: n for split in SPLITS if (n := sum(p.split == split for p in self.pictures))}
        if splits:
            missing = next((split for split in ("train", "val") if split not in splits), None)
            rows.append(Finding("splits", _listed(splits), f"there is no {missing}" if missing else ""))
        if counts[most] >= IMBALANCE * counts[least]:
            remedy = "collect more, or draw with weighted_sampler (lesson 02)"
            rows.append(Finding("balance", f"{most} {counts[most]}, {least} {counts[least]}", remedy))
        if counts[least] < FEW:
            remedy = f"collect {FEW} or more per class: a score on so few says little"
            rows.append(Finding("few", f"{least} has {_plural(counts[least], 'picture', 's')}", remedy))
        small, large = (choose(self.pictures, key=lambda p: p.width * p.height) for choose in (min, max))
        rows.append(Finding("sizes", f"{small.width} x {small.height} to {large.width} x {large.height} pixels"))
        return rows

    def _same(self) -> list[Finding]:
        """Same split, same class: a waste, no mistake."""
        harmless = [g for g in self.duplicates if g not in self.leaks and g not in self.contradictions]
        return [Finding("twice", f"{_names(harmless[0])}{_more(len(harmless) - 1)}")] if harmless else []

    def _ignored(self) -> list[Finding]:
        rows = {"hidden": self.hidden, "others": self.others}
        return [
            Finding(title, f"ignored: {', '.join(names[:SHOWN])}{_more(len(names) - SHOWN)}")
            for title, names in rows.items()
            if names
        ]

    def __str__(self) -> str:
        rows = self.rows()
        problems = sum(bool(row.remedy) for row in rows)
        verdict = f"Look at the lines with !! ({problems})." if problems else "All is well."
        return "\n".join([*map(str, rows), verdict])

    __repr__ = __str__

    def as_json(self) -> str:
        """Everything that was found, for programs."""
        found = {
            "folder": str(self.folder),
            "counts": self.counts(),
            "pictures": [asdict(picture) for picture in self.pictures],
            "unreadable": self.unreadable,
            "duplicates": [[picture.name for picture in group] for group in self.duplicates],
            "leaks": [[picture.name for picture in group] for group in self.leaks],
            "contradictions": [[picture.name for picture in group] for group in self.contradictions],
            "empty": self.empty,
            "hidden": self.hidden,
            "others": self.others,
        }
        return json.dumps(found, indent=1)


def check_folder(folder: str | Path) -> FolderReport:
    """Decode every picture of a folder, each once, and look for what spoils a training.

    Args:
        folder: one folder per class; or `train`, `val` and perhaps `test`, with one folder per class in each.

    Raises:
        LessonError: there is no such folder, it is a file, or it has no folders.
    """
    folder = picture_folder(folder)
    roots = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
    if "train" not in roots:
        roots = {"": folder}
    files, hidden, others, classes = [], set(), [], []
    for path in folder.iterdir():
        if path.name.startswith(HIDDEN):
            hidden.add(path.name)
        elif not path.is_dir() or ("" not in roots and path.name not in roots):
            others.append(path.name)
    for split, root in roots.items():
        for label in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(HIDDEN)):
            classes.append((split, label))
            for path in sorted(label.rglob("*")):
                if litter := next((part for part in _parents(path, label) if part.name.startswith(HIDDEN)), None):
                    hidden.add(_name(litter, folder))
                elif is_picture(path, label):
                    files.append((path, split, label.name))
                elif not path.is_dir():
                    others.append(_name(path, folder))
        if split:
            hidden |= {_name(p, folder) for p in root.iterdir() if p.name.startswith(HIDDEN)}
            loose = [p for p in root.iterdir() if not p.is_dir() and not p.name.startswith(HIDDEN)]
            others += [_name(path, folder) for path in loose]
    if not classes:
        raise LessonError(f"{folder} has no folders; put the pictures into one folder per class.")

    seen, sizes, prints, unreadable = [], [], [], {}
    for path, split, label in tqdm(files, unit="picture"):
        try:
            image = load_image(path)
        except LessonError as error:
            unreadable[_name(path, folder)] = _reason(path, error)
            continue
        seen.append((_name(path, folder), split, label))
        sizes.append(image.size)
        prints.append(_prints(image))
    groups = same_looks(*map(np.array, zip(*prints, strict=True))) if prints else []
    pictures = [Picture(*at, *size, int(group)) for at, size, group in zip(seen, sizes, groups, strict=True)]
    full = {(p.split, p.label) for p in pictures}
    empty = [_name(label, folder) for split, label in classes if (split, label.name) not in full]
    return FolderReport(folder, pictures, unreadable, sorted(hidden), sorted(others), empty)


def same_looks(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Group pictures that look the same: near in their perceptual hash, and in their colours.

    The hash alone would take plain pictures, or drawn digits, for each other.

    Args:
        hashes: (n,) of uint64.
        thumbnails: (n, values) of uint8.

    Returns:
        The number of each picture's group, (n,).
    """
    pairs = []
    for i in range(len(hashes) - 1):
        near = i + 1 + np.flatnonzero(np.bitwise_count(hashes[i + 1 :] ^ hashes[i]) <= BITS)
        apart = np.abs(thumbnails[near].astype(int) - thumbnails[i]).mean(1)
        pairs += [(i, j) for j in near[apart <= LEVELS]]
    i, j = np.array(pairs, dtype=int).reshape(-1, 2).T
    return connected_components(coo_array((np.ones(len(i)), (i, j)), shape=2 * hashes.shape), directed=False)[1]


def _prints(image: Image.Image) -> tuple[np.uint64, np.ndarray]:
    bits = imagehash.phash(image).hash.ravel()
    thumbnail = np.asarray(image.resize((16, 16), Image.Resampling.BOX)).ravel()
    return np.packbits(bits).view(np.uint64)[0], thumbnail


def _reason(path: Path, error: LessonError) -> str:
    if path.stat().st_size == 0:
        return "is empty"
    if isinstance(error.__cause__, UnidentifiedImageError):
        return "holds no picture"
    return f"is damaged ({error.__cause__})" if error.__cause__ else "does not say which number is white"


def _parents(path: Path, folder: Path) -> list[Path]:
    """The way from below `folder` to `path`."""
    return [*reversed([p for p in path.parents if folder in p.parents]), path]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _each(title: str, found: list[str], remedy: str) -> list[Finding]:
    rows = [Finding(title, text, remedy) for text in found[:SHOWN]]
    return [*rows, Finding(title, f"and {len(found) - SHOWN} more", "--json lists all")] if found[SHOWN:] else rows


def _names(group: list[Picture]) -> str:
    return " = ".join(picture.name for picture in group[:3]) + _more(len(group) - 3)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def _plural(number: int, noun: str, ending: str) -> str:
    return f"{number} {noun}{ending if number != 1 else ''}"


def _listed(counts: dict[str, int]) -> str:
    first = list(counts.items())[:SHOWN]
    return ", ".join(f"{name} {number}" for name, number in first) + _more(len(counts) - SHOWN)


def _is_stripe(picture: Picture) -> bool:
    return max(picture.width, picture.height) > LONG * min(picture.width, picture.height)
