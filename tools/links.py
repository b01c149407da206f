"""Writes where the repository lies into pyproject.toml and into the links of the documents.

    python tools/links.py OWNER/REPO      `make links TO=OWNER/REPO` calls it

pyproject.toml is the one place that says it; tests hold the links to that. It needs nothing but Python.
"""

import re
import sys
import tomllib
from base64 import b64encode
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def repository(root: Path = ROOT) -> str:
    """OWNER/REPO, as pyproject.toml has it."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    return str(urls["Repository"]).removeprefix("https://github.com/")


def website(address: str) -> str:
    """Where GitHub publishes the web edition of OWNER/REPO."""
    owner, name = address.split("/")
    return f"{owner.lower()}.github.io/{name}"


def spellings(address: str) -> list[str]:
    """How links spell OWNER/REPO: its site, plainly, and inside another address."""
    return [website(address), address, address.replace("/", "%2F")]


def away_from_here(source: str, folder: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """A lesson's Markdown for an edition that lies elsewhere: pictures come along, and other files are on the web.

    Args:
        source: of a cell, with paths from `folder`.
        folder: of the lesson.

    Returns:
        The Markdown, and the attachments of its cell, as a notebook keeps them.
    """
    attachments = {}

    def moved(link: re.Match[str]) -> str:
        path = (folder / link[1]).resolve()
        if path.suffix != ".png":
            return f"](https://github.com/{repository()}/blob/main/{path.relative_to(ROOT).as_posix()}{link[2] or ''})"
        attachments[path.name] = {"image/png": b64encode(path.read_bytes()).decode()}
        return f"](attachment:{path.name})"

    return re.sub(r"\]\((\.\./[^)#]+)(#[^)]+)?\)", moved, source), attachments


def documents(root: Path = ROOT) -> list[Path]:
    """What has links to the repository."""
    return [
        *sorted(root.glob("*.md")),
        *sorted(root.glob("docs/**/*.md")),
        root / "CITATION.cff",
        root / "pyproject.toml",
    ]


def main() -> int:
    address = sys.argv[1] if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", address):
        print("Say where the repository lies: make links TO=OWNER/REPO", file=sys.stderr)
        return 1
    changes = list(zip(spellings(repository()), spellings(address), strict=True))
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
