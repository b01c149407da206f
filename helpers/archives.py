"""Unpacking zips of strangers: no member leaves its folder, and no folder is there by half (lesson 09)."""

import io
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

from helpers import layouts
from helpers.errors import LessonError
from helpers.files import exclusive_lock, one_line_errors, partial_path
from helpers.images import ENDINGS

BOMB_BYTES, BOMB_RATIO = 10**8, 100  # images are compressed already: no honest zip grows a hundredfold
READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
OTHER_KINDS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "a tar.gz or gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"PK\x07\x08PK": "one part of a zip in several parts",
}
UNPACK_YOURSELF = "unpack it with the program of your system and give its folder, or make a plain zip of it"


class WrongBytes(LessonError):
    """A file is not what was expected; it has to come anew."""


def extract_pictures(archive: str | Path | bytes, folder: str | Path, encoding: str | None = None) -> Path:
    """Unpack a reader's own zip of images, with the same care. Its names are its own affair.

    Args:
        archive: the zip, or its bytes as they come from an upload in the notebook.
        folder: where the images go. A folder that is there already stays as it is.
        encoding: of the members' names in a zip that does not say it, as in `cp932` (Japan) or `gbk` (China); None
            takes UTF-8 if they are that, and the zip format's own cp437 otherwise.

    Returns:
        `folder`. If everything in the zip lies in one folder that holds others, its content; files beside that folder
        come with it.

    Raises:
        LessonError, WrongBytes: as `extract`.
    """
    return extract(archive, folder, encoding=encoding)


def extract(
    archive: str | Path | bytes,
    folder: str | Path,
    top: str | None = None,
    find_mismatch: Callable[[Path], str | None] | None = None,
    encoding: str | None = None,
) -> Path:
    """Unpack a zip; `folder` appears only once it is whole.

    Args:
        archive: the zip, or its bytes.
        folder: where its members go. A folder that is there already stays as it is.
        top: the one folder in which all members have to lie; None takes any.
        find_mismatch: looks through the unpacked folder and says what is wrong with it; None where all is right.
        encoding: as `extract_pictures` takes it.

    Returns:
        `folder`.

    Raises:
        LessonError: the archive is not there or of a kind that is not read, or the files cannot be written.
        WrongBytes: the archive is damaged or not the expected one, or one of its members is a link or leads out of
            the folder.
    """
    folder = Path(folder).expanduser()
    folder = folder if folder.name else folder.absolute()  # "." has no name
    if isinstance(archive, (bytearray, memoryview)):
        archive = bytes(archive)
    if not isinstance(archive, bytes):
        archive = Path(archive).expanduser()
    name = "The upload" if isinstance(archive, bytes) else archive
    part = partial_path(folder)
    if folder.exists() and not part.exists():  # nothing to write, so it may lie where nobody may write
        return folder
    if isinstance(archive, Path) and not archive.is_file():
        mistake = (
            "is a folder, which needs no unpacking; give it" if archive.is_dir() else "is not there; check its name"
        )
        raise LessonError(f"{archive} {mistake}.")
    with one_line_errors(f"Cannot extract {name}", "mend this and run it again"), exclusive_lock(folder):
        try:
            shutil.rmtree(part, ignore_errors=True)  # a run that was killed leaves one
            if folder.exists():  # another process brought it meanwhile
                return folder
            problem = _unpack(archive, part, top, name, encoding)
            inner = part / top if top else _unwrapped(part)
            if not problem and find_mismatch:
                problem = find_mismatch(inner)
            if problem:
                raise WrongBytes(f"{name} is not the expected archive: {problem}; get the archive anew.")
            inner.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _unwrapped(part: Path) -> Path:
    """The folder whose folders are the classes or splits: inside of those that many programs put around them.

    Files beside a wrapping folder, such as a README or a table of labels, move into it; no images, which would then
    seem to belong there.
    """
    folder = part
    while folder.is_dir() and len(inner := layouts.visible_folders(folder)) == 1 and layouts.visible_folders(inner[0]):
        beside = [path for path in folder.iterdir() if path != inner[0]]
        if any(path.name.lower().endswith(ENDINGS) for path in beside):
            break
        taken = {path.name for path in inner[0].iterdir()}
        for path in beside:
            if path.name not in taken:
                path.rename(inner[0] / path.name)
        folder = inner[0]
    return folder


def _unpack(archive: Path | bytes, part: Path, top: str | None, name: str | Path, encoding: str | None) -> str | None:
    """Extract into `part` the members of the folder `top` (None: all); returns what is wrong, if anything."""
    try:
        if kind := _other_kind(archive):
            raise LessonError(f"{name} is {kind}, and a zip is expected: {UNPACK_YOURSELF}.")
        with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as file:
            size = len(archive) if isinstance(archive, bytes) else archive.stat().st_size
            unpacked = sum(member.file_size for member in file.infolist())
            if unpacked > max(BOMB_BYTES, BOMB_RATIO * size):
                return f"{size:,} bytes would become {unpacked:,}"
            wanted = []
            _decode_names(file.infolist(), name, encoding)
            for member in file.infolist():
                path = PureWindowsPath(member.filename)  # knows both slashes, and drives count as a first part
                litter = any(map(layouts.is_litter, path.parts))
                inside = top is None or litter or path.parts[:1] == (top,)
                if ".." in path.parts or path.anchor or not inside:
                    return f"its member {member.filename!r} leads out of {f'{top}/' if top else 'the folder'}"
                if stat.S_ISLNK(member.external_attr >> 16):
                    return f"its member {member.filename!r} is a link"
                if not litter and path.parts:
                    _refuse_unreadable(member, name)
                    member.filename = path.as_posix() + "/" * member.filename.endswith(("/", "\\"))
                    wanted.append(member)
            if not wanted:
                return "it is empty"
            file.extractall(part, wanted)
    except (OSError, LessonError):
        raise
    except Exception as error:  # zipfile raises nearly every kind, depending on where an archive is damaged
        return f"it is damaged ({error})"
    return None


def _other_kind(archive: Path | bytes) -> str | None:
    """What an archive is that is no zip; None where nothing is known of it."""
    if isinstance(archive, Path):
        with archive.open("rb") as file:
            head = file.read(512)
    else:
        head = archive[:512]
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((kind for mark, kind in OTHER_KINDS.items() if head.startswith(mark)), None)


def _decode_names(members: list[zipfile.ZipInfo], name: str | Path, encoding: str | None) -> None:
    """Put right the names that do not say how they are written, and that zipfile has therefore read as cp437."""
    unsaid = [member for member in members if not member.flag_bits & 0x800 and not member.filename.isascii()]
    if not unsaid:
        return
    raw = [member.orig_filename.encode("cp437") for member in unsaid]
    try:
        names = [text.decode(encoding or "utf-8") for text in raw]
    except LookupError:
        raise LessonError(f"There is no encoding {encoding!r}; others are cp1252, cp866, cp932 and gbk.") from None
    except UnicodeDecodeError:
        if encoding:
            raise LessonError(f"The names in {name} are not written in {encoding}; give another encoding.") from None
        text = f"The names in {name} do not say how they are written, as {unsaid[0].filename!r}; if they look wrong, "
        warnings.warn(f"{text}remove the folder and give an encoding, as in encoding='cp932'.", stacklevel=5)
        return
    for member, text in zip(unsaid, names, strict=True):
        member.filename = text


def _refuse_unreadable(member: zipfile.ZipInfo, name: str | Path) -> None:
    """One line for sound members that Python cannot unpack."""
    if member.flag_bits & 1:
        raise LessonError(f"{name} is encrypted with a password: {UNPACK_YOURSELF}.")
    if member.compress_type not in READ:
        method = METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise LessonError(f"{name} is compressed with {method}, which Python cannot unpack: {UNPACK_YOURSELF}.")
