"""Bring the photographs and torchvision's weights: fetch, verify, extract, each of them whole or not at all.

`make photos` runs `python -m helpers.downloads`. Without a network, `--archive` takes a zip from the disk.
"""

import argparse
import hashlib
import io
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path, PurePath, PureWindowsPath

import requests
from tqdm.auto import tqdm

from helpers.errors import LessonError
from helpers.files import alone, part_of

ROOT = Path(__file__).resolve().parent.parent
DOWNLOADS = ROOT / "data" / "downloads"
MANIFEST = ROOT / "data" / "hymenoptera.sha256"
HYMENOPTERA_URL = "https://download.pytorch.org/tutorial/hymenoptera_data.zip"
TIMEOUT = 30  # seconds without a single byte
CHUNK = 1 << 16  # bytes
BOMB_BYTES, BOMB_RATIO = 10**8, 100  # pictures are compressed already: no honest zip grows a hundredfold
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # what Finder and Explorer leave, beside dot-files


class DownloadError(LessonError):
    """A file could not be brought; the message says in one line which, why, and what to do."""


class WrongBytes(DownloadError):
    """The file that came is not the one that was expected."""


def fetch(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download a file; a download that was cut starts again.

    Args:
        url: where it comes from.
        path: where it goes. The name appears only once the file is whole and verified.
        sha256: its SHA-256 in hexadecimal, or the beginning of it; None leaves the check to the caller.

    Returns:
        `path`. A file that is there already and has the right sum is not fetched again.

    Raises:
        DownloadError: the file did not come, or not in full.
        WrongBytes: it came with another sum.
    """
    with _one_line(f"Cannot download {url}", f"run it again, or put it by hand at {path}"):
        if _is_good(path, sha256):
            print(f"{path} is there already.")
            return path
        with alone(path):
            if _is_good(path, sha256):  # another process brought it meanwhile
                return path
            part = part_of(path)  # of a run that was killed, it is written over
            try:
                _download(url, part)
                digest = _sha256(part)
                if sha256 and not digest.startswith(sha256):
                    raise WrongBytes(
                        f"{path.name} from {url} has the SHA-256 {digest[: len(sha256)]}, expected {sha256}; it "
                        "is removed. Run it again, and see that no login page of the network answers instead."
                    )
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    return path


def extract_zip(archive: Path, folder: Path, manifest: Path | None = None) -> Path:
    """Extract an archive that holds one folder; the folder appears only once it is whole and verified.

    Args:
        archive: a zip whose members all lie in a folder with the name of `folder`.
        folder: where they go. A folder that is there already stays as it is.
        manifest: names and sums that the files must have, as `find_mismatch` takes them.

    Returns:
        `folder`.

    Raises:
        DownloadError: the archive cannot be read, or the files cannot be written.
        WrongBytes: the archive is damaged, its files are not those of the manifest, or one of its members
            is a link or leads out of the folder.
    """
    return _extract(archive, folder, folder.name, manifest)


def extract_pictures(archive: Path | bytes, folder: Path) -> Path:
    """Unpack a reader's own zip of pictures, with the same care. Its names are its own affair.

    Args:
        archive: the zip, or its bytes as they come from an upload in the notebook.
        folder: where the pictures go. A folder that is there already stays as it is.

    Returns:
        `folder`. If everything in the zip lies in one folder that holds others, its content.

    Raises:
        DownloadError, WrongBytes: as `extract_zip`.
    """
    return _extract(archive, folder)


def _extract(archive: Path | bytes, folder: Path, top: str | None = None, manifest: Path | None = None) -> Path:
    name = "The upload" if isinstance(archive, bytes) else archive
    part = part_of(folder)
    if folder.exists() and not part.exists():  # nothing to write, so it may lie where nobody may write
        return folder
    with _one_line(f"Cannot extract {name}", "mend this and run it again"), alone(folder):
        try:
            shutil.rmtree(part, ignore_errors=True)  # a run that was killed leaves one
            if folder.exists():  # another process brought it meanwhile
                return folder
            problem = _unpack(archive, part, top)
            inner = part / (top or _wrapper(part))
            if not problem and manifest:
                problem = find_mismatch(inner, manifest)
            if problem:
                raise WrongBytes(f"{name} is not the expected archive: {problem}; get the archive anew.")
            inner.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def find_mismatch(folder: Path, manifest: Path) -> str | None:
    """Compare the files of a folder with a list of names and sums.

    Args:
        folder: what to look through; dot-files and other litter of desktops do not count.
        manifest: lines as `sha256sum` writes them, the names beginning with that of `folder`.

    Returns:
        What is wrong with the first file that is damaged, missing or too many; None where all is right.
    """
    lines = manifest.read_text(encoding="utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    files = {path.relative_to(folder): path for path in folder.rglob("*") if not path.is_dir()}
    found = {f"{folder.name}/{at.as_posix()}": path for at, path in files.items() if not _is_litter(at)}
    for name in sorted(expected | found):
        if name not in found:
            return f"{name} is missing"
        if name not in expected:
            return f"{name} does not belong there"
        if (digest := _sha256(found[name])) != expected[name]:
            return f"{name} has the SHA-256 {digest}, expected {expected[name]}"
    return None


def fetch_photos(
    folder: Path = DOWNLOADS,
    url: str = HYMENOPTERA_URL,
    archive: Path | None = None,
    manifest: Path = MANIFEST,
) -> Path:
    """Bring the ant and bee photographs, each verified; does nothing where they are there already.

    Args:
        folder: receives `hymenoptera_data/{train,val}/{ants,bees}`, and the archive beside it.
        url: the archive.
        archive: the archive on this disk, to be used in place of `url`.
        manifest: names and sums of all files, as `find_mismatch` takes them.

    Returns:
        The folder with `train` and `val`.

    Raises:
        DownloadError: as `fetch` and `extract_zip` do, or a photograph that is there is not as it should be.
    """
    photos = folder / "hymenoptera_data"
    if photos.exists():
        if problem := find_mismatch(photos, manifest):
            raise WrongBytes(f"{photos} has changed: {problem}; remove it and run this again.")
        print(f"{photos} is there already, every file verified.")
        return photos
    zipped = archive or folder / "hymenoptera_data.zip"
    placed = zipped.exists()  # by hand: then it is not ours to remove
    try:
        extract_zip(archive or fetch(url, zipped), photos, manifest)
    except WrongBytes:
        if not placed:
            zipped.unlink(missing_ok=True)
        raise
    print(f"{photos} is ready, every file verified.")
    return photos


def fetch_weights() -> Path:
    """Bring torchvision's ResNet18, `IMAGENET1K_V1`, to where torchvision itself looks for it.

    Returns:
        The file in torch's cache, verified by the beginning of its SHA-256, which is part of its name.

    Raises:
        DownloadError: as `fetch` does.
    """
    import torch  # here, because it takes seconds to import and only the weights need it
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.IMAGENET1K_V1.url
    name = url.rpartition("/")[2]
    digest = name.removesuffix(".pth").rpartition("-")[2]
    path = fetch(url, Path(torch.hub.get_dir()) / "checkpoints" / name, digest)
    print(f"{path} is ready, verified.")
    return path


def _download(url: str, part: Path) -> None:
    """Write what `url` answers into `part`, with a progress bar; requests raises where an answer is cut."""
    with requests.get(url, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length")
        with (
            part.open("wb") as file,
            tqdm(desc=part.stem, total=int(length) if length else None, unit="B", unit_scale=True) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


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
                litter = _is_litter(path)
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


def _is_litter(path: PurePath) -> bool:
    return any(part.startswith(".") or part in LITTER for part in path.parts)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_good(path: Path, sha256: str | None) -> bool:
    return path.is_file() and (sha256 is None or _sha256(path).startswith(sha256))


@contextmanager
def _one_line(problem: str, remedy: str) -> Iterator[None]:
    """Turn the errors of disk and network (those of requests are OSErrors too) into one DownloadError."""
    outer = sys.exception()
    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            remedy = "free some disk space and run it again"
        cause: BaseException = error  # the first of the chain is plain; requests wraps it in long lines
        while cause.__context__ not in (None, outer):
            cause = cause.__context__
        raise DownloadError(f"{problem}: {str(cause) or type(cause).__name__}; {remedy}.") from None


def main() -> None:
    """What `make photos` runs: exit code 1 and one line where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m helpers.downloads", description=__doc__)
    parser.add_argument("--archive", type=Path, help="take the photographs from this zip; no network")
    archive = parser.parse_args().archive
    try:
        fetch_photos(archive=archive)
        if not archive:
            fetch_weights()
    except DownloadError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; run it again.")


if __name__ == "__main__":
    main()
