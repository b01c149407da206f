"""Builds the web edition, build/site/, from the committed lessons; nothing in them is run.

    python -m tools.web_edition      `make site` calls it

What npm brings (the runtime of the browser lab) and what `make explorers` renders is taken along where it is there;
what is left out is said.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from PIL import Image
from sphinx.cmd.build import build_main

from tools import environment
from tools.environment import ROOT

BUILT = ROOT / "build" / "site"
PAGES, FILES = ROOT / "build" / "site-pages", ROOT / "build" / "site-files"


def build(built: Path = BUILT) -> list[str]:
    """Write the site; returns what is left out, a line each."""
    from tools import lab_files, web_pages

    web_pages.put_together(PAGES, FILES)
    left_out = lab_files.put_together(FILES / "lab")
    if left_out:
        (PAGES / "lab.md").write_text("# The browser lab\n\nThis edition was built without it.\n", encoding="utf-8")
    if still := web_pages.still_explorers():
        left_out.append(f"the controls of {len(still)} explorers: `make explorers` renders their states")
    part = built.with_name(f"{built.name}.part")  # a build that is stopped leaves the site of the one before
    shutil.rmtree(part, ignore_errors=True)
    render(PAGES, FILES, part)
    shutil.rmtree(built, ignore_errors=True)
    part.rename(built)
    return left_out


def render(pages: Path, files: Path, built: Path, *options: str) -> None:
    """Run Sphinx on what `web_pages.put_together` wrote, with more of its options, and mend what the theme leaves.

    Raises:
        SystemExit: Sphinx has found something wrong, and has said what.
    """
    settings = ["-c", str(ROOT / "site"), "-D", f"html_extra_path={files}", "-d", f"{pages}-doctrees", *options]
    if build_main(["-q", "-W", "--keep-going", *settings, str(pages), str(built)]):
        sys.exit("The site has warnings, above.")
    for page in built.rglob("*.html"):
        page.write_text(without_barriers(with_sizes(page)), encoding="utf-8")


def with_sizes(page: Path) -> str:
    """A page whose pictures say how large they are: nothing jumps when they come."""

    def sized(match: re.Match) -> str:
        picture = (page.parent / match[1]).resolve()
        if " height=" in match[0] or not picture.is_file():
            return match[0]
        width, height = size_of(picture)
        if shown := re.search(r' width="(\d+)"', match[0]):  # finer than a screen, or smaller
            size = f'height="{height * int(shown[1]) // width}"'
        else:
            size = f'width="{width}" height="{height}"'
        return f'{match[0].removesuffix(">").rstrip(" /")} {size} loading="lazy">'

    return re.sub(r'<img\b[^>]*?\bsrc="([^":]+)"[^>]*>', sized, page.read_text(encoding="utf-8"))


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a picture; those of a drawing are what it says of itself."""
    if picture.suffix == ".svg":
        width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', picture.read_text(encoding="utf-8")).groups()
        return int(width), int(height)
    with Image.open(picture) as image:
        return image.size


# What the theme leaves unsaid to those who hear a page: which aside is which, what the search page is, and that a cell
# without words heads nothing.
UNSAID = {
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    '<p class="caption" role="heading">': '<p class="caption">',
    '<th class="head"><p></p></th>': "<td></td>",
    '<div id="search-results"></div>': '<h1>Search</h1><div id="search-results"></div>',
}


def without_barriers(page: str) -> str:
    for theirs, ours in UNSAID.items():
        page = page.replace(theirs, ours)
    return page


def main() -> int:
    environment.enter()
    left_out = build()
    for line in left_out:
        print(f"Left out: {line}.", file=sys.stderr)
    print(f"{BUILT.relative_to(ROOT)}/index.html")
    return int("CI" in os.environ and bool(left_out))  # what CI publishes is whole


if __name__ == "__main__":
    sys.exit(main())
