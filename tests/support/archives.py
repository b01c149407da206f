"""Small zips of pictures."""

import zipfile
from pathlib import Path

PICTURES = {
    f"hymenoptera_data/{split}/{name}/a picture {i}.jpg": f"{split} {name} {i}".encode() * 50
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
