"""Images that belong together: of one camera, day, animal or patient (lesson 09).

A network that has seen one of them in training knows the others too well: they have to lie in one split.
"""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helpers.errors import LessonError
from helpers.layouts import nfc
from helpers.own_images.report import FolderReport
from helpers.tables import read_table


def groups_by_name(report: FolderReport, pattern: str) -> list[str | None]:
    """The group of each image, from its path in the folder.

    Args:
        report: of the folder.
        pattern: a regular expression, as in `r"(patient\\d+)"`; its first parenthesis is the group. None for images
            in whose paths it is not found.

    Raises:
        LessonError: it is no regular expression, has no parenthesis, or is found in no path.
    """
    try:
        search = re.compile(pattern).search
        if not re.compile(pattern).groups:
            raise LessonError(f"The pattern {pattern!r} has no parentheses around what names the group; add them.")
    except re.error as error:
        raise LessonError(f"The pattern {pattern!r} is no regular expression ({error}); correct it.") from error
    found = [search(picture.name) for picture in report.pictures]
    if not any(found):
        raise LessonError(f"The pattern {pattern!r} is in no name, as in {report.pictures[0].name!r}; correct it.")
    return [match[1] if match else None for match in found]


def groups_by_folder(report: FolderReport) -> list[str | None]:
    """The name of the folder between the class and the image: `cam1` in `cats/cam1/001.jpg`; None without one.

    Folders of one name are one group in all classes.

    Raises:
        LessonError: there are no folders in the classes.
    """
    depth = {split: len(path.relative_to(report.folder).parts) + 1 for split, path in report.layout.splits.items()}
    inside = [PurePosixPath(p.name).parts[depth[p.split] : -1] for p in report.pictures]
    if not any(inside):
        raise LessonError(f"{report.folder} has no folders in the folders of the classes; make groups otherwise.")
    return ["/".join(parts) or None for parts in inside]


def groups_by_column(
    report: FolderReport, table: str | Path, column: str, file_column: str = "file", **options: str
) -> list[str | None]:
    """The group of each image, from a column of a table; None for images that it does not name.

    Args:
        report: of the folder.
        table: a CSV file.
        column: that of the groups.
        file_column: that of the files: by their paths in the folder, or by their names, with or without ending.
        options: `delimiter` and `encoding`, as `helpers.tables.read_table` takes them.

    Raises:
        LessonError: the table cannot be read, names none of the images, or a name twice with different groups.
    """
    known: dict[str, str] = {}
    for name, group in read_table(table, (file_column, column), **options):
        key = nfc(name.replace("\\", "/"))
        if known.setdefault(key, group) != group:
            raise LessonError(f"{table} gives {name!r} the groups {known[key]!r} and {group!r}; keep the right row.")
    found = []
    for picture in report.pictures:
        name = nfc(picture.name)
        path = PurePosixPath(name)
        names = (name, name.removesuffix(path.suffix), path.name, path.stem)
        found.append(next((known[name] for name in names if name in known), None))
    if report.pictures and not any(found):
        raise LessonError(f"{table} names none of the images in {report.folder}, as {next(iter(known))!r}; correct it.")
    return found


def groups_by_day(report: FolderReport) -> list[str | None]:
    """The day on which each image was taken, by its EXIF data; None where it does not say it.

    Raises:
        LessonError: no image says when it was taken.
    """
    found = [picture.taken.date().isoformat() if picture.taken else None for picture in report.pictures]
    if not any(found):
        raise LessonError(f"No image in {report.folder} says when it was taken; make groups otherwise.")
    return found


def join_groups(*groups: Sequence[Hashable] | None) -> list[int]:
    """Groups of several kinds as one: images belong together if any kind says so, perhaps by way of others.

    Args:
        groups: for each kind, the group of each image; None in it stands for a group by itself, and None for a kind
            is left out.

    Returns:
        The number of each image's group.
    """
    kinds = [kind for kind in groups if kind is not None]
    size = len(kinds[0])
    pairs = []
    for kind in kinds:
        first: dict[Hashable, int] = {}
        pairs += [(i, first.setdefault(group, i)) for i, group in enumerate(kind) if group is not None]
    i, j = np.array(pairs, dtype=int).reshape(-1, 2).T
    return connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(size, size)), directed=False)[1].tolist()
