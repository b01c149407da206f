"""Tables of people: which image has which class, as Excel and Kaggle write it (lesson 02)."""

import csv
import io
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PureWindowsPath

from helpers.errors import LessonError
from helpers.layouts import nfc, walk

DELIMITERS = (";", "\t", "|")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
NO_TABLES = {
    b"PK\x03\x04": "an Excel workbook or a zip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}


def read_table(
    table: str | Path, columns: Sequence[str], delimiter: str = ",", encoding: str = "utf-8"
) -> list[tuple[str, ...]]:
    """Some columns of a CSV file. Blanks around values are dropped, and rows without any value.

    Args:
        table: its first line names the columns.
        columns: the names of those that are wanted.
        delimiter, encoding: of the file. A byte order mark, as Excel writes one, wins over `encoding`.

    Returns:
        The values of each row, in the order of `columns`.

    Raises:
        LessonError: there is no such file, it is no table of this kind, or it has no such column or no rows.
    """
    table = Path(table).expanduser()
    text = _decoded(table, encoding)
    try:
        lines = [
            [value.strip() for value in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except (csv.Error, TypeError) as error:  # the second one is about the delimiter
        raise LessonError(f"{table} is no CSV file ({error}); save it as CSV.") from error
    header = lines[0] if lines else []
    for column in columns:
        if column not in header:
            raise LessonError(f"{table} has no column {column!r}; {_remedy(lines, columns, delimiter)}")
    wanted = [header.index(column) for column in columns]
    rows = [(number, row + [""] * (len(header) - len(row))) for number, row in enumerate(lines[1:], 2) if any(row)]
    if not rows:
        raise LessonError(f"{table} has no rows below its first line.")
    for number, row in rows:
        for column, place in zip(columns, wanted, strict=True):
            if not row[place]:
                raise LessonError(f"{table} lacks a {column} in line {number}: {delimiter.join(row)}")
    return [tuple(row[place] for place in wanted) for _, row in rows]


def read_labels(
    table: str | Path,
    folder: str | Path,
    columns: tuple[str, str] = ("file", "label"),
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> list[tuple[Path, str]]:
    """The images that a table names, each once, with their labels.

    A file is found without its ending, with the slashes of Windows, in another Unicode form and in another case, as
    long as only one is meant.

    Args:
        table, columns, delimiter, encoding: as `read_table` takes them: `columns` are those of files and labels.
        folder: where the paths of the files begin.

    Raises:
        LessonError: as `read_table`; or a file is not there, is meant by two rows with different labels, or two files
            are meant by one row.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise LessonError(f"{folder} is {'a file' if folder.exists() else 'not there'}; give the folder of the images.")
    found: dict[tuple[int | Path, ...], tuple[Path, str, str]] = {}
    repeated, missing, files = 0, [], _Files(folder)
    for name, label in read_table(table, columns, delimiter, encoding):
        path, label = files.find(name), nfc(label)
        if path is None:
            missing.append(name)
            continue
        same = _identity(path)
        repeated += same in found
        _, first_name, first_label = found.setdefault(same, (path, name, label))
        if first_label != label:
            raise LessonError(
                f"{table} gives {first_name!r} the labels {first_label!r} and {label!r}; keep the row that is right."
            )
    if missing:
        more = f" and {len(missing) - 1} more, which are" if missing[1:] else ", which is"
        elsewhere = files.find(PureWindowsPath(missing[0]).name) or next(iter(files.called(missing[0])), None)
        remedy = f"it may be {elsewhere}" if elsewhere else "correct the table or give another folder"
        raise LessonError(f"{table} names {missing[0]!r}{more} not in {folder}; {remedy}.")
    if repeated:
        warnings.warn(
            f"{table} has {repeated} rows for files that it has named before; they are left out.", stacklevel=3
        )
    return [(path, label) for path, _, label in found.values()]


def read_class_names(file: str | Path) -> list[str]:
    """A fixed order of classes: a text file with one name per line; blank lines do not count.

    Give it as `class_names` to the datasets, so that the indices of the classes never change.

    Raises:
        LessonError: there is no such file, it has no names, or one of them twice.
    """
    path = Path(file).expanduser()
    names = [nfc(line.strip()) for line in _decoded(path, "utf-8").splitlines() if line.strip()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise LessonError(f"{path} has the class {twice!r} twice; remove one of the lines.")
    if not names:
        raise LessonError(f"{path} is empty; write one class per line.")
    return names


class _Files:
    """Finds files by what a table calls them; the folder is read only once a name is not simply there."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find(self, name: str) -> Path | None:
        path = self.folder / name
        if _is_file(path):
            return path
        found = self._index.get(_key(PureWindowsPath(name).as_posix()), [])
        if len(found) > 1:
            names = " and ".join(path.name for path in found[:2])
            raise LessonError(f"{name!r} may be {names} in {self.folder}; write the whole name into the table.")
        return found[0] if found else None

    def called(self, name: str) -> list[Path]:
        """The files of this name, wherever they lie in the folder."""
        name = _key(PureWindowsPath(name).name)
        return [path for key, paths in self._index.items() if key.rpartition("/")[2] == name for path in paths]

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        index: dict[str, list[Path]] = {}
        for path, kind in walk(self.folder):
            if kind in ("image", "other"):
                key = _key(path.relative_to(self.folder).as_posix())
                index.setdefault(key, []).append(path)
                if kind == "image":  # ids without endings
                    index.setdefault(key.removesuffix(path.suffix.casefold()), []).append(path)
        return index


def _key(name: str) -> str:
    return nfc(name).casefold().removeprefix("./")


def _identity(path: Path) -> tuple[int | Path, ...]:
    """The same for a file under all its names; by its path where the file system does not number files."""
    status = path.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else (path,)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long for a file, or has a zero byte
        return False


def _decoded(path: Path, encoding: str) -> str:
    if path.is_dir():
        raise LessonError(f"{path} is a folder; give a file.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LessonError(f"{path} is not there; check its name.") from None
    except OSError as error:
        raise LessonError(f"{path} cannot be read ({error.strerror}); change its permissions.") from None
    for mark, kind in NO_TABLES.items():
        if content.startswith(mark):
            raise LessonError(f"{path} is {kind}; save it as CSV UTF-8.")
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), encoding)
    try:
        text = content.decode(encoding)
    except LookupError:
        raise LessonError(f"There is no encoding {encoding!r}; Excel writes utf-8 or cp1252.") from None
    except UnicodeDecodeError:
        raise LessonError(
            f"{path} is not written in {encoding}; in Excel, save it as CSV UTF-8, or say how it is written, as in "
            "encoding='cp1252'."
        ) from None
    if "\0" in text:
        raise LessonError(f"{path} is not written in {encoding}; say how it is, as in encoding='utf-16-le'.")
    return text


def _remedy(lines: list[list[str]], columns: Sequence[str], delimiter: str) -> str:
    """What to do about a table without the wanted columns."""
    header = lines[0] if lines else []
    first = delimiter.join(header)
    expected = f"its first line should be: {delimiter.join(columns)}"
    if other := next((mark for mark in DELIMITERS if mark in first and mark != delimiter), None):
        return f"its columns are separated by {other!r}; give delimiter={other!r}."
    values = {name: {row[i] for row in lines[1:] if row[i:]} for i, name in enumerate(header)}
    numbers = [name for name, found in values.items() if found and found <= {"0", "1", "0.0", "1.0"}]
    if len(numbers) > 1:
        return (
            f"{numbers[0]} and {len(numbers) - 1} more hold only 0 and 1: make one column of them, with the name of "
            "the class in each row (pandas: table[names].idxmax(axis=1))."
        )
    if len(header) > 1:
        return (
            f"{expected}; it has {', '.join(header[:6])}: rename them, or give columns=({header[0]!r}, {header[1]!r})."
        )
    return expected
