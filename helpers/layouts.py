"""How people lay out a folder of images: classes and splits under many names, and what programs leave there."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from helpers.errors import LessonError
from helpers.findings import Finding
from helpers.images import ENDINGS

SPLITS = ("train", "val", "test")
SYNONYMS = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "validating", "dev", "devel", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), "eval"),  # val or test, whichever is not there
}
FILLERS = ("images", "image", "imgs", "img", "pictures", "pics", "photos", "dataset", "datasets", "data", "sets", "set",
           "splits", "split", "folder", "files", "file", "dir", "ds", "classes")  # fmt: skip
UNLABELLED = {"unknown", "unlabelled", "unlabeled", "all", "none", "0"}  # the one folder of a test without classes

HIDDEN = (".", "__")  # how names begin that programs leave: .ipynb_checkpoints, ._ant.jpg, __MACOSX
LITTER = {  # what programs leave, in lower case: what in it looks like an image is a copy, a thumbnail or thrown away
    *("__macosx", "._", ".appledouble", ".ds_store", ".fseventsd", ".spotlight-v100", ".temporaryitems"),
    *(".trash", ".trashes", ".trash-1000", ".recycle", ".globaltrash", ".dtrash", "lost+found"),
    *("$recycle.bin", "recycler", "recycled", "system volume information", "thumbs.db", "desktop.ini"),
    *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@synoresource", "#syncrecycle"),
    *(".@__thumb", "@recycle", "@recently-snapshot", ".@upload_cache", ".streams"),
    *(".thumbnails", ".thumbnail", ".thumbs", ".thumb", ".xvpics", ".comments", ".cache"),
    *(".picasaoriginals", ".picasa.ini", "picasa.ini", ".stversions", ".stfolder", ".sync", ".dropbox.cache"),
    *("lightroom previews", "lightroom catalog previews.lrdata"),
    *(".ipynb_checkpoints", "__pycache__", ".git", ".svn", ".dvc", ".idea", ".vscode", ".virtual_documents"),
}  # fmt: skip
LIBRARIES = (".lrdata", ".lrlibrary", ".photoslibrary", ".aplibrary", ".migratedphotolibrary", ".cocatalog")


@dataclass(frozen=True)
class Layout:
    """Where the classes of a folder are.

    Attributes:
        folder: what was looked at.
        splits: of `train`, `val` and `test` those that have classes, with their folder; `{"": folder}` where the
            folder holds the classes itself.
        unlabelled: of `val` and `test` those without a folder per class, with their folder.
        beside: folders beside the splits, which are not used.
        findings: what is not as this project and others expect it.
    """

    folder: Path
    splits: dict[str, Path]
    unlabelled: dict[str, Path] = field(default_factory=dict)
    beside: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def has_splits(self) -> bool:
        return "" not in self.splits


def existing_folder(folder: str | Path) -> Path:
    """A folder that is there, with `~` written out.

    Raises:
        LessonError: it is not there, or it is a file.
    """
    path = Path(folder).expanduser()
    if _is(path.is_file):
        raise LessonError(f"{path} is a file; give a folder with one folder of images per class (a zip: unpacked).")
    if not _is(path.is_dir):
        raise LessonError(f"{path} is not there; it holds one folder of images per class.")
    return path


def read_layout(folder: str | Path) -> Layout:
    """Decide whether a folder holds classes or splits, and which folder is which.

    Splits are known by their names, in upper and lower case, and by what people add to them: `Training`, `valid`,
    `test_set`, `train2017`, `seg_train` beside `seg_test`. A folder with such a name is a class nevertheless if its
    neighbours have other names and it holds images and no folders, as `train` beside `bus` and `car`.

    Raises:
        LessonError: there is no such folder, it is a file or has no folders, two folders mean the same split, or the
            splits lie inside the classes.
    """
    folder = existing_folder(folder)
    children = visible_folders(folder)
    if not children:
        raise LessonError(f"{folder} has no folders; put the images into one folder per class{_hint(folder)}.")
    splits = _named_splits([path.name for path in children])
    named = {path: splits[path.name] for path in children if path.name in splits}
    nested = [path for path in named if visible_folders(path)]
    if not named or (len(named) < len(children) and not nested):
        return _classes(folder, children, named)
    return _splits(folder, named, [path for path in children if path not in named])


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, links to folders included, without those that programs leave."""
    with _readable(folder) as entries:
        found = [folder / entry.name for entry in entries if not is_hidden(entry.name) and _is(entry.is_dir)]
    return sorted(found)


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The classes of a folder: by name, where their images are, sorted by name.

    Names that only Unicode tells apart (a Mac writes e-acute as two characters) are one class with two folders.
    """
    found: dict[str, list[Path]] = {}
    for path in visible_folders(folder):
        found.setdefault(nfc(path.name), []).append(path)
    return dict(sorted(found.items()))


def walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """What lies in a folder and below it, in the order of the paths.

    Yields:
        The path of each file, and `image` or `other`, by its name; and of what is not looked into: `hidden` for what
        programs leave, and `link` for links to folders, which may run in circles, and for those that lead nowhere.
    """
    with _readable(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path = folder / entry.name
        if is_hidden(entry.name):
            yield path, "hidden"
        elif _is(entry.is_dir):
            if entry.is_symlink():
                yield path, "link"
            else:
                yield from walk(path)
        elif not _is(entry.is_file):
            yield path, "link"
        else:
            yield path, "image" if entry.name.lower().endswith(ENDINGS) else "other"


def image_files(folder: Path) -> list[Path]:
    """The images of a folder and of all below it, by their names."""
    return [path for path, kind in walk(folder) if kind == "image"]


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that programs leave, or looks like it."""
    return name.startswith(HIDDEN) or is_litter(name)


def is_litter(name: str) -> bool:
    """Whether a file or folder is known to be left by a program: caches, thumbnails, trash."""
    lower = name.lower()
    return lower in LITTER or lower.startswith(("._", ".trash-", ".nfs", ".fuse_hidden")) or lower.endswith(LIBRARIES)


def nfc(name: str) -> str:
    """A name in one of the two forms that Unicode has for letters with accents; a Mac writes the other."""
    return unicodedata.normalize("NFC", name)


def lookalike(name: str) -> str:
    """The same for names that people take for one: whatever their case, blanks, hyphens, and Unicode form."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def lookalikes(names: list[str]) -> list[list[str]]:
    """Of names, the groups of two or more that people take for one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(lookalike(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def similar(name: str, names: list[str]) -> str | None:
    """The one of `names` that was perhaps meant by `name`."""
    same = [other for other in names if lookalike(other) == lookalike(name)]
    return next(iter(same or get_close_matches(name, names, 1)), None)


def _classes(folder: Path, children: list[Path], named: dict[Path, str]) -> Layout:
    inside = {path: [p.name for p in visible_folders(path)] for path in children}
    first, names = children[0], [path.name for path in children]
    parts = [_named_splits(inside[path]) for path in children]
    if all(len(part) > 1 and "train" in part.values() for part in parts):
        split = next(iter(parts[0]))
        if len(children) == 1 or visible_folders(first / split):
            raise LessonError(f"{folder} holds splits in {_listed(names)}; give one of them, as {first}.")
        raise LessonError(
            f"{folder} has the splits inside the classes ({first.name}/{split}); put the classes inside the splits "
            f"({split}/{first.name}), or the images of both into one folder per class, and use split_folder."
        )
    findings = _not_classes(folder)
    if len(children) == 1 and len(inside[first]) > 1:
        found = f"{first.name} alone, which holds {_listed(inside[first])}"
        findings.append(Finding("folders", found, f"give {first} if these are the classes"))
    elif len(children) > 1 and inside[first] and all(inside[path] == inside[first] for path in children):
        found = f"{_listed(names)} all hold {_listed(inside[first])}"
        remedy = "are these the classes? then name the outer folders train, val and test"
        findings.append(Finding("folders", found, remedy))
    for path, split in named.items():
        remedy = (
            ""
            if split == "train"
            else f"if it is a split, put one folder per class into it, or move it out of {folder.name}"
        )
        findings.append(Finding("folders", f"{path.name} is taken for a class", remedy))
    return Layout(folder, {"": folder}, findings=findings)


def _splits(folder: Path, named: dict[Path, str], beside: list[Path]) -> Layout:
    splits: dict[str, Path] = {}
    unlabelled: dict[str, Path] = {}
    findings = []
    for split in SPLITS:
        paths = [path for path, name in named.items() if name == split]
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise LessonError(f"{folder} has {names}, which mean the same split; join them or move one away.")
        if paths:
            inner = _unwrapped(paths[0], split)
            where = splits if split == "train" or _has_classes(inner, splits.get("train")) else unlabelled
            where[split] = inner
    if "train" in splits and not visible_folders(splits["train"]):
        raise LessonError(f"{splits['train']} has no folders; put the images into one folder per class.")
    renamed = [(path.name, split) for split in SPLITS for path, name in named.items() if path.name != split == name]
    if renamed:
        found = ", ".join(f"{name} is read as {split}" for name, split in renamed)
        it = "it" if len(renamed) == 1 else "them"
        findings.append(Finding("folders", found, f"rename {it}: other programs may take {it} for classes"))
    if not splits:
        names = _listed([path.name for path in named])
        raise LessonError(f"{folder} has only {names}, without folders; put the images into one folder per class.")
    findings += [finding for path in splits.values() for finding in _not_classes(path)]
    return Layout(folder, splits, unlabelled, beside, findings)


def _not_classes(folder: Path) -> list[Finding]:
    """Whether what should be classes is the layout of another task."""
    names = {path.name.lower() for path in visible_folders(folder)}
    if len(names) > 1 and "images" in names <= {"images", "labels", "masks", "annotations"}:
        found = f"{folder.name} holds {_listed(sorted(names))}, as for object detection or segmentation"
        return [Finding("folders", found, "sort the images into one folder per class")]
    return []


def _named_splits(names: list[str]) -> dict[str, str]:
    """Which of the names of folders mean a split, and which one."""
    words = {name: _words(name) for name in names}
    meant = {}
    for name, parts in words.items():
        known = [SYNONYMS[part] for part in parts if part in SYNONYMS]
        rest = tuple(part for part in parts if part not in SYNONYMS)
        if len(known) == 1:
            meant[name] = (known[0], rest)
    # What is more than the split's name is a name of the dataset only if another split has it, too.
    rests = [rest for _, rest in meant.values()]
    found = {name: split for name, (split, rest) in meant.items() if not rest or rests.count(rest) > 1}
    for name, split in found.items():
        if split == "eval":
            found[name] = "test" if "val" in found.values() else "val"
    return found


def _words(name: str) -> list[str]:
    """The words of a folder's name in lower case, without numbers and without those that say nothing."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFKC", name))
    words = []
    for word in re.split(r"[\W_\d]+", spaced.lower()):
        for filler in FILLERS:
            stem = word.removesuffix(filler)
            if stem in SYNONYMS:  # trainset, testdata
                word = stem
        if word and word not in FILLERS:
            words.append(word)
    return words


def _unwrapped(folder: Path, split: str) -> Path:
    """Where the classes of a split are: some archives put a folder of the same name around them."""
    while len(inner := visible_folders(folder)) == 1 and visible_folders(inner[0]):
        named = _named_splits([inner[0].name, folder.name])
        if inner[0].name != folder.name and split not in named.values() and _words(inner[0].name):
            break
        folder = inner[0]
    return folder


def _has_classes(folder: Path, train: Path | None) -> bool:
    names = list(class_folders(folder))
    if len(names) != 1 or (train and names[0] in class_folders(train)):
        return bool(names)
    return names[0].lower() not in UNLABELLED and bool(_words(names[0])) and not _named_splits(names)


def _hint(folder: Path) -> str:
    """What lies in a folder without folders that could be what is looked for."""
    names = sorted(path.name for path in folder.iterdir())
    if zips := [name for name in names if name.lower().endswith((".zip", ".tar", ".gz", ".7z", ".rar"))]:
        return f"; unpack {zips[0]} first"
    hidden = [name for name in names if is_hidden(name) and not is_litter(name) and image_files(folder / name)]
    return f"; {_listed(hidden)} look hidden: let the names begin with letters" if hidden else ""


def _readable(folder: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(folder)
    except PermissionError:
        raise LessonError(f"{folder} may not be read by you; change its permissions.") from None
    except OSError as error:  # as of a folder with thousands of files on Google Drive
        raise LessonError(
            f"{folder} cannot be read ({error.strerror}); try again, or copy its images to this machine's own disk."
        ) from None


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except (OSError, ValueError):  # a link to itself, or no name of a file
        return False


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
