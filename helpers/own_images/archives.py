"""Unpacking zips of strangers: no member leaves its folder, and no folder is there by half (lesson 09)."""

import io
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath, PureWindowsPath

from helpers.errors import LessonError
from helpers.files import exclusive_lock, one_line_errors, partial_path

BOMB_BYTES, BOMB_RATIO = 10**8, 100  # images are compressed already: no honest zip grows a hundredfold
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what Finder and Explorer leave, beside dot-files


class WrongBytes(LessonError):
    """A file is not what was expected; it has to come anew."""


def extract_pictures(archive: Path | bytes, folder: Path) -> Path:
    """Unpack a reader's own zip of pictures, with the same care. Its names are its own affair.

    Args:
        archive: the zip, or its bytes as they come from an upload in the notebook.
        folder: where the pictures go. A folder that is there already stays as it is.

    Returns:
        `folder`. If everything in the zip lies in one folder that holds others, its content.

    Raises:
        LessonError, WrongBytes: as `extract`.
    """
    return extract(archive, folder)


def extract(
    archive: Path | bytes,
    folder: Path,
    top: str | None = None,
    find_mismatch: Callable[[Path], str | None] | None = None,
) -> Path:
    """Unpack a zip; `folder` appears only once it is whole.

    Args:
        archive: the zip, or its bytes.
        folder: where its members go. A folder that is there already stays as it is.
        top: the one folder in which all members have to lie; None takes any.
        find_mismatch: looks through the unpacked folder and says what is wrong with it; None where all is right.

    Returns:
        `folder`.

    Raises:
        LessonError: the archive cannot be read, or the files cannot be written.
        WrongBytes: the archive is damaged or not the expected one, or one of its members is a link or leads out of
            the folder.
    """
    name = "The upload" if isinstance(archive, bytes) else archive
    part = partial_path(folder)
    if folder.exists() and not part.exists():  # nothing to write, so it may lie where nobody may write
        return folder
    with one_line_errors(f"Cannot extract {name}", "mend this and run it again"), exclusive_lock(folder):
        try:
            shutil.rmtree(part, ignore_errors=True)  # a run that was killed leaves one
            if folder.exists():  # another process brought it meanwhile
                return folder
            problem = _unpack(archive, part, top)
            inner = part / (top or _wrapper(part))
            if not problem and find_mismatch:
                problem = find_mismatch(inner)
            if problem:
                raise WrongBytes(f"{name} is not the expected archive: {problem}; get the archive anew.")
            inner.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _wrapper(part: Path) -> str:
    """The name of the one folder in which all others lie, as many programs zip them; or nothing."""
    inside = list(part.iterdir()) if part.is_dir() else []
    wrapped = len(inside) == 1 and inside[0].is_dir() and all(path.is_dir() for path in inside[0].iterdir())
    return inside[0].name if wrapped else ""


def _unpack(archive: Path | bytes, part: Path, top: str | None) -> str | None:
    """Extract into `part` the members of the folder `top` (None: all); returns what is wrong, if anything."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as file:
            size = len(archive) if isinstance(archive, bytes) else archive.stat().st_size
            unpacked = sum(member.file_size for member in file.infolist())
            if unpacked > max(BOMB_BYTES, BOMB_RATIO * size):
                return f"{size:,} bytes would become {unpacked:,}"
            wanted = []
            for member in file.infolist():
                path = PureWindowsPath(member.filename)  # knows both slashes, and drives count as a first part
                litter = is_litter(path)
                inside = top is None or litter or path.parts[:1] == (top,)
                if ".." in path.parts or path.anchor or not inside:
                    return f"its member {member.filename!r} leads out of {f'{top}/' if top else 'the folder'}"
                if stat.S_ISLNK(member.external_attr >> 16):
                    return f"its member {member.filename!r} is a link"
                if not litter:
                    wanted.append(member)
            file.extractall(part, wanted)
    except OSError:
        raise
    except Exception as error:  # zipfile raises nearly every kind, depending on where an archive is damaged
        return f"it is damaged ({error})"
    return None


def is_litter(path: PurePath) -> bool:
    return any(part.startswith(".") or part in LITTER for part in path.parts)
