"""Bring the photographs and torchvision's weights: fetch, verify, extract, each of them whole or not at all.

`make photos` runs `python -m helpers.downloads`. Without a network, `--archive` takes a zip from the disk.
"""

import argparse
import hashlib
import sys
from functools import partial
from pathlib import Path

import requests
from tqdm.auto import tqdm

from helpers import ROOT
from helpers.archives import WrongBytes, extract
from helpers.errors import LessonError
from helpers.files import exclusive_lock, one_line_errors, partial_path
from helpers.layouts import is_hidden

DOWNLOADS = ROOT / "data" / "downloads"
MANIFEST = ROOT / "data" / "hymenoptera.sha256"
HYMENOPTERA_URL = "https://download.pytorch.org/tutorial/hymenoptera_data.zip"
TIMEOUT = 30  # seconds without a single byte
CHUNK = 1 << 16  # bytes


def fetch(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download a file; a download that was cut starts again.

    Args:
        url: where it comes from.
        path: where it goes. The name appears only once the file is whole and verified.
        sha256: its SHA-256 in hexadecimal, or the beginning of it; None leaves the check to the caller.

    Returns:
        `path`. A file that is there already and has the right sum is not fetched again.

    Raises:
        LessonError: the file did not come, or not in full.
        WrongBytes: it came with another sum.
    """
    with one_line_errors(f"Cannot download {url}", f"run it again, or put it by hand at {path}"):
        if _is_good(path, sha256):
            print(f"{path} is there already.")
            return path
        with exclusive_lock(path):
            if _is_good(path, sha256):  # another process brought it meanwhile
                return path
            part = partial_path(path)  # of a run that was killed, it is written over
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
    found = {f"{folder.name}/{at.as_posix()}": path for at, path in files.items() if not any(map(is_hidden, at.parts))}
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
        LessonError: as `fetch` and `extract` do, or a photograph that is there is not as it should be.
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
        extract(archive or fetch(url, zipped), photos, photos.name, partial(find_mismatch, manifest=manifest))
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
        LessonError: as `fetch` does.
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_good(path: Path, sha256: str | None) -> bool:
    return path.is_file() and (sha256 is None or _sha256(path).startswith(sha256))


def main() -> None:
    """What `make photos` runs: exit code 1 and one line where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m helpers.downloads", description=__doc__)
    parser.add_argument("--archive", type=Path, help="take the photographs from this zip; no network")
    archive = parser.parse_args().archive
    try:
        fetch_photos(archive=archive)
        if not archive:
            fetch_weights()
    except LessonError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; run it again.")


if __name__ == "__main__":
    main()
