"""Small zips of images."""

import hashlib
import zipfile
from pathlib import Path

PICTURES = {
    f"hymenoptera_data/{split}/{name}/an image {i}.jpg": f"{split} {name} {i}".encode() * 50
    for split in ("train", "val")
    for name in ("ants", "bees")
    for i in range(2)
}


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            member = zipfile.ZipInfo()
            member.filename = name  # past the constructor, which would tidy it up
            file.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


def content(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by their names as in `PICTURES`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in files}


def write_manifest(path: Path) -> Path:
    """The sums of `PICTURES`, as `sha256sum` writes them."""
    path.write_text("".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in PICTURES.items()))
    return path
