"""Looks at every image of a folder before a network does, and says what is wrong with which (lesson 09)."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from helpers.errors import LessonError
from helpers.findings import Finding
from helpers.images import ENDINGS, FORMATS, UnreadableImage, decode_image, sniff_file
from helpers.layouts import (
    SPLITS,
    Layout,
    class_folders,
    image_files,
    is_hidden,
    is_litter,
    lookalikes,
    read_layout,
    similar,
    walk,
)
from helpers.own_images.near_duplicates import find_bursts, fingerprint, same_looks

IMBALANCE = 10  # so many times as many images as the smallest class has
FEW = 20  # images of a class
LONG = 20  # times as long as wide: nothing but a stripe is left of the image
DARK = 32  # of 255: the brightest value of an image that is nearly black
DECODED = 128  # pixels that both sides keep, at least, of a photograph whose looks alone count
COUNTED = 1000  # images behind a link, at most
SHOWN = 5  # lines of one kind in the report; all are in its JSON


@dataclass(frozen=True)
class Picture:
    """An image that can be read.

    Attributes:
        name: its path in the folder that was checked, with `/`.
        split: `train`, `val`, `test`, or nothing where the folder has no such parts.
        label: the name of its class.
        width, height: in pixels, upright.
        group: images that look the same have the same number.
        burst: images that were taken in one go have the same number.
        bits: that the values of a file of 16 bits make use of; 0 for files of 8 bits.
        brightest: the largest of its values, of 0 to 255.
        taken: when it was photographed, by its EXIF data.
    """

    name: str
    split: str
    label: str
    width: int
    height: int
    group: int
    burst: int
    bits: int
    brightest: int
    taken: datetime | None


class Problem(NamedTuple):
    """Why a file cannot be read, and what to do about it."""

    reason: str
    remedy: str


@dataclass
class Dropped:
    """Files that could be images and are not read, all for one reason.

    Attributes:
        reason: as in `JPEG without an ending`.
        remedy: what to do about it.
        names: of the files, or of the folders in which they lie.
        number: of the images.
    """

    reason: str
    remedy: str
    names: list[str] = field(default_factory=list)
    number: int = 0


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found. Printed, it is a report; `as_json` has everything.

    Attributes:
        layout: where the classes and the splits are.
        pictures: those that can be read, in the order of their names.
        unreadable: by name, why a file cannot be read.
        hidden: names of files and folders that programs left; they count for nothing.
        foreign: of `hidden`, those that hold images: thumbnails, what was thrown away; with their number.
        others: names of files that are no images by their ending, or lie outside the classes' folders.
        dropped: what could be an image and does not count.
        empty: names of the classes' folders in which no image can be read.
    """

    layout: Layout
    pictures: list[Picture]
    unreadable: dict[str, Problem]
    hidden: list[str]
    foreign: dict[str, int]
    others: list[str]
    dropped: list[Dropped]
    empty: list[str]

    @property
    def folder(self) -> Path:
        """What was checked."""
        return self.layout.folder

    @cached_property
    def duplicates(self) -> list[list[Picture]]:
        """The images that look the same, in groups of two or more."""
        return _grouped(self.pictures, "group")

    @cached_property
    def leaks(self) -> list[list[Picture]]:
        """Of `duplicates`, the groups that lie in more than one split."""
        return [group for group in self.duplicates if len({picture.split for picture in group}) > 1]

    @cached_property
    def contradictions(self) -> list[list[Picture]]:
        """Of `duplicates`, the groups that lie in more than one class: at least one is in the wrong one."""
        return [group for group in self.duplicates if len({picture.label for picture in group}) > 1]

    @cached_property
    def bursts(self) -> list[list[Picture]]:
        """The images that were taken in one go, in groups of two or more."""
        return _grouped(self.pictures, "burst")

    def counts(self, split: str | None = None) -> dict[str, int]:
        """The number of images of each class, of one split or of all."""
        return dict(sorted(Counter(p.label for p in self.pictures if split in (None, p.split)).items()))

    def rows(self) -> list[Finding]:
        """The report: a row for each thing that was looked at, with the remedy where something is wrong."""
        unreadable = [
            Finding("unreadable", f"{name} {why.reason}", why.remedy) for name, why in self.unreadable.items()
        ]
        return [
            *self._pictures(),
            *self.layout.findings,
            *self._unused(),
            *self._classes(),
            *_first(unreadable),
            *_each("empty", self.empty, "put images there or remove it"),
            *_first([_dropped(kind) for kind in self.dropped]),
            *_each("leak", [_names(group) for group in self.leaks], "keep one: the score would reward remembering"),
            *_each("conflict", [_names(group) for group in self.contradictions], "keep the right one"),
            *self._same(),
            *self._bursts(),
            *self._values(),
            *_each("shape", [p.name for p in self.pictures if _is_stripe(p)], "crop it: a network sees its middle"),
            *self._ignored(),
        ]

    def _pictures(self) -> list[Finding]:
        if not self.pictures:
            return [Finding("images", "none", "put images into one folder per class")]
        counts = self.counts()
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        found = f"{len(self.pictures)} in {_plural(len(counts), 'class', 'es')}: {_listed(counts)}"
        rows = [Finding("images", found, "two classes are needed" if len(counts) < 2 else "")]
        splits = {split: n for split in SPLITS if (n := sum(p.split == split for p in self.pictures))}
        if splits:
            missing = next((split for split in ("train", "val") if split not in splits), None)
            rows.append(Finding("splits", _listed(splits), f"there is no {missing}" if missing else ""))
        if counts[most] >= IMBALANCE * counts[least]:
            remedy = "collect more, or draw with weighted_sampler (lesson 02)"
            rows.append(Finding("balance", f"{most} {counts[most]}, {least} {counts[least]}", remedy))
        if counts[least] < FEW:
            remedy = f"collect {FEW} or more per class: a score on so few says little"
            rows.append(Finding("few", f"{least} has {_plural(counts[least], 'image', 's')}", remedy))
        small, large = (choose(self.pictures, key=lambda p: p.width * p.height) for choose in (min, max))
        rows.append(Finding("sizes", f"{small.width} x {small.height} to {large.width} x {large.height} pixels"))
        return rows

    def _unused(self) -> list[Finding]:
        """Folders that are neither classes nor splits with classes."""
        rows = []
        for split, path in self.layout.unlabelled.items():
            number = len(image_files(path))
            found = f"{_name(path, self.folder)} has {_plural(number, 'image', 's')} without classes"
            if split == "test" and number:
                rows.append(Finding("test", f"{found}: it is left out; helpers.predict tells their classes"))
            else:
                rows.append(Finding(split, found, "put one folder per class into it, or remove it"))
        for path in self.layout.beside:
            number = len(image_files(path))
            found = f"{path.name} ({_plural(number, 'image', 's')}) lies beside the splits and is not used"
            rows.append(Finding("beside", found, "remove it, or move its images into a split" if number else ""))
        return rows

    def _classes(self) -> list[Finding]:
        """Classes that differ between the splits, and names that people take for one."""
        rows = []
        splits = {split: class_folders(path) for split, path in self.layout.splits.items()}
        train = splits.get("train", {})
        for split, classes in splits.items():
            for name in classes.keys() - train.keys() if train else ():
                meant = similar(name, [known for known in train if known not in classes])
                remedy = f"is it {meant!r}? then rename it" if meant else f"add it to train, or remove it from {split}"
                rows.append(Finding("classes", f"{split} has {name!r}, which train lacks", remedy))
            lacking = [
                name for name in train if name not in classes and not similar(name, list(classes.keys() - train.keys()))
            ]
            if lacking:
                found = f"{split} lacks {', '.join(lacking[:SHOWN])}{_more(len(lacking) - SHOWN)}"
                rows.append(Finding("classes", found, "move some of the images there from train"))
        for names in lookalikes(sorted({name for classes in splits.values() for name in classes})):
            together = any(len(classes.keys() & set(names)) > 1 for classes in splits.values())
            if together:
                rows.append(
                    Finding(
                        "classes", f"{' and '.join(map(repr, names))} look alike", "if they are one class, join them"
                    )
                )
        for split, classes in splits.items():
            where = f"{split} has " if split else ""
            for name, paths in classes.items():
                if len(paths) > 1:
                    found = f"{where}{name!r} twice: the names look identical, in two forms of Unicode"
                    rows.append(Finding("classes", found, "move the images into one of the folders"))
                elif name != name.strip():
                    rows.append(Finding("classes", f"{where}{name!r}, with a blank at its end", "rename it"))
        return _first(rows)

    def _same(self) -> list[Finding]:
        """Same split, same class: a waste, no mistake."""
        worse = {id(group) for group in [*self.leaks, *self.contradictions]}
        harmless = [group for group in self.duplicates if id(group) not in worse]
        return [Finding("twice", f"{_names(harmless[0])}{_more(len(harmless) - 1)}")] if harmless else []

    def _bursts(self) -> list[Finding]:
        """Series of one scene: their images count as one, and must not lie on two sides."""
        if not self.bursts:
            return []
        longest = max(self.bursts, key=len)
        found = f"{longest[0].name} to {longest[-1].name}{_more(len(self.bursts) - 1)}: taken in one go, by their looks"
        return [Finding("burst", found, "count each series as one image; split_folder keeps it together")]

    def _values(self) -> list[Finding]:
        """Files of 16 bits, and what is nearly black."""
        rows = []
        bits = Counter(p.bits for p in self.pictures if p.bits)
        if len(bits) > 1:
            found = f"images of 16 bits make use of {_listed({f'{n} bits:': bits[n] for n in sorted(bits)})}"
            remedy = "each is made as bright as its own bits allow; save all with 8 bits, by one scale"
            rows.append(Finding("bits", found, remedy))
        elif bits:
            (used, number), *_ = bits.items()
            rows.append(Finding("bits", f"{_plural(number, 'image', 's')} of 16 bits: {2**used - 1} is read as white"))
        dark = [f"{p.name}, its brightest value is {p.brightest} of 255" for p in self.pictures if p.brightest < DARK]
        return rows + _each("dark", dark, "is it meant to be black? else save it brighter")

    def _ignored(self) -> list[Finding]:
        dropped = {name for kind in self.dropped for name in kind.names}
        hidden = [
            f"{name} ({_plural(self.foreign[name], 'image', 's')})" if name in self.foreign else name
            for name in sorted(self.hidden, key=lambda name: name not in self.foreign)
            if name not in dropped
        ]
        rows = {"hidden": hidden, "others": [name for name in self.others if name not in dropped]}
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
            "splits": {split: str(path) for split, path in self.layout.splits.items() if split},
            "counts": self.counts(),
            "findings": [asdict(row) for row in self.rows()],
            "pictures": [asdict(picture) for picture in self.pictures],
            "unreadable": {name: why.reason for name, why in self.unreadable.items()},
            "duplicates": [[picture.name for picture in group] for group in self.duplicates],
            "leaks": [[picture.name for picture in group] for group in self.leaks],
            "contradictions": [[picture.name for picture in group] for group in self.contradictions],
            "bursts": [[picture.name for picture in group] for group in self.bursts],
            "empty": self.empty,
            "hidden": self.hidden,
            "foreign": self.foreign,
            "others": self.others,
            "dropped": [asdict(kind) for kind in self.dropped],
        }
        return json.dumps(found, indent=1, default=str)


def check_folder(folder: str | Path) -> FolderReport:
    """Decode every image of a folder, each once, and look for what spoils a training.

    Args:
        folder: one folder per class; or `train`, `val` and perhaps `test`, with one folder per class in each.

    Raises:
        LessonError: there is no such folder, it is a file, or it has no folders.
    """
    layout = read_layout(folder)
    files = _Files(layout)
    seen, unreadable = [], {}
    for path, split, label in tqdm(files.images, unit="image", disable=None):
        try:
            decoded = decode_image(path, DECODED)
        except UnreadableImage as error:
            unreadable[files.name(path)] = Problem(error.reason, error.remedy)
            continue
        brightest = int(np.asarray(decoded.image).max())
        facts = decoded.width, decoded.height, decoded.bits, brightest, decoded.taken
        seen.append(((files.name(path), split, label), facts, *fingerprint(decoded.image)))
    pictures = []
    if seen:
        at, facts, hashes, thumbnails = zip(*seen, strict=True)
        hashes, thumbnails = np.array(hashes), np.array(thumbnails)
        groups = same_looks(hashes, thumbnails).tolist()
        bursts = find_bursts([name for name, *_ in at], [fact[-1] for fact in facts], hashes, thumbnails).tolist()
        pictures = [
            Picture(name, split, label, width, height, group, burst, bits, brightest, taken)
            for (name, split, label), (width, height, bits, brightest, taken), group, burst in zip(
                at, facts, groups, bursts, strict=True
            )
        ]
    full = {(p.split, p.label) for p in pictures}
    empty = [name for split, label, name in files.classes if (split, label) not in full]
    hidden, others = sorted(files.hidden), sorted(files.others)
    return FolderReport(layout, pictures, unreadable, hidden, files.foreign, others, files.dropped, empty)


class _Files:
    """What lies in a folder: the images of its classes, and all the rest by its kind."""

    def __init__(self, layout: Layout):
        self.folder = layout.folder
        self.images: list[tuple[Path, str, str]] = []
        self.classes: list[tuple[str, str, str]] = []
        self.hidden: list[str] = []
        self.foreign: dict[str, int] = {}
        self.others: list[str] = []
        self._dropped: dict[tuple[str, str], Dropped] = {}
        roots = set(layout.splits.values())
        for root in {self.folder, *(parent for path in roots for parent in _up_to(path, self.folder))} - roots:
            self._look_beside(root)
        for split, root in layout.splits.items():
            self._look_beside(root)
            for label, paths in class_folders(root).items():
                for path in paths:
                    self.classes.append((split, label, self.name(path)))
                    self._look_into(path, split, label)

    @property
    def dropped(self) -> list[Dropped]:
        return list(self._dropped.values())

    def name(self, path: Path) -> str:
        return _name(path, self.folder)

    def _look_beside(self, root: Path) -> None:
        """What lies in a folder beside the folders of its classes or splits."""
        for path in sorted(root.iterdir()):
            if is_hidden(path.name):
                self._hide(path)
            elif not path.is_dir():
                self._look_at(path)
                if path.name.lower().endswith(ENDINGS) and path.is_file():
                    self._drop("outside the classes' folders", "move it into the folder of its class", path)

    def _look_into(self, folder: Path, split: str, label: str) -> None:
        for path, kind in walk(folder):
            if kind == "image":
                self.images.append((path, split, label))
            elif kind == "hidden":
                self._hide(path)
            elif kind == "link":
                self.others.append(self.name(path))
                self._look_behind(path)
            else:
                self._look_at(path)

    def _hide(self, path: Path) -> None:
        try:
            number = len(image_files(path)) if path.is_dir() else int(sniff_file(path) in FORMATS)
        except LessonError:  # the system's own may not be read: .Trashes, lost+found
            number = 0
        self.hidden.append(self.name(path))
        if number:
            self.foreign[self.name(path)] = number
        if number and not is_litter(path.name):
            self._drop("with a name that looks hidden", "let it begin with a letter", path, number)

    def _look_behind(self, link: Path) -> None:
        """A link to a folder, or one that leads nowhere."""
        if not link.exists():
            self._drop("by links that lead nowhere", "put the file there, or remove the link", link)
        elif not link.resolve().is_relative_to(self.folder.resolve()):  # else they count anyway
            files = (path for path, kind in walk(link) if kind == "image")
            if number := sum(1 for _ in islice(files, COUNTED)):
                self._drop("behind a link to a folder", "move the images there in place of the link", link, number)

    def _look_at(self, path: Path) -> None:
        """A file that is no image by its ending; perhaps it is one by its content."""
        self.others.append(self.name(path))
        if path.name.lower().endswith(ENDINGS) or not (found := sniff_file(path)):
            return
        if found == "GIF" and _is_animated(path):
            return
        ending = f"ending in {path.suffix}" if path.suffix else "without an ending"
        if found in FORMATS:
            self._drop(f"{found} {ending}", f"let the names end in {_ending(found)}", path)
        else:
            self._drop(f"{found} {ending}", "export them as PNG or JPEG, or remove them", path)

    def _drop(self, reason: str, remedy: str, path: Path, number: int = 1) -> None:
        kind = self._dropped.setdefault((reason, remedy), Dropped(reason, remedy))
        kind.names.append(self.name(path))
        kind.number += number


def _up_to(path: Path, folder: Path) -> list[Path]:
    """The folders above `path`, up to `folder`."""
    return [parent for parent in path.parents if parent.is_relative_to(folder)]


def _is_animated(path: Path) -> bool:
    try:
        with Image.open(path) as file:
            return getattr(file, "is_animated", False)
    except Exception:  # damaged: a still one is asked for
        return False


def _ending(kind: str) -> str:
    return {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")


def _dropped(kind: Dropped) -> Finding:
    number = kind.number if kind.number < COUNTED else f"{kind.number} or more"
    names = f"{', '.join(kind.names[:3])}{_more(len(kind.names) - 3)}"
    return Finding("dropped", f"{number} {kind.reason}: {names}", kind.remedy)


def _grouped(pictures: list[Picture], by: str) -> list[list[Picture]]:
    groups: dict[int, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(getattr(picture, by), []).append(picture)
    return [group for group in groups.values() if len(group) > 1]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _first(rows: list[Finding]) -> list[Finding]:
    """As many rows of one kind as are read."""
    if len(rows) <= SHOWN:
        return rows
    return [*rows[:SHOWN], Finding(rows[0].name, f"and {len(rows) - SHOWN} more", "--json lists all")]


def _each(title: str, found: list[str], remedy: str) -> list[Finding]:
    return _first([Finding(title, text, remedy) for text in found])


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
