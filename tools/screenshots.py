"""Takes the README's pictures of the web edition, docs/site-*.jpg, of the site as it is built.

python -m tools.screenshots      `make screenshots` calls it; a chromium takes them
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tools import environment
from tools.browser import CHROMIUM, running, served
from tools.environment import ROOT
from tools.web_edition import BUILT

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = ROOT / "docs"
VIEW = {"width": 800, "height": 600}
SHARPNESS = 1.25
LONGEST_MS = 200_000  # the lab computes


def lesson(page: "Page", address: str) -> None:
    """The opening of the first lesson, and its diagram."""
    page.goto(f"{address}notebooks/00_start_here.html", wait_until="networkidle")


def explorer(page: "Page", address: str) -> None:
    """An explorer as its lesson leaves it, with the keyboard on its first control."""
    page.goto(f"{address}notebooks/05_visualization.html", wait_until="networkidle")
    page.get_by_label("truth").focus()
    page.wait_for_load_state("networkidle")
    to_the_top(page, "figure.explorer")


def lab(page: "Page", address: str) -> None:
    """The lab, after its first example."""
    page.goto(f"{address}lab.html", wait_until="networkidle")
    page.get_by_role("button", name="Ants and bees").click()
    page.locator("#train:enabled").click(timeout=LONGEST_MS)
    page.locator("#result .figure").wait_for()
    to_the_top(page, ".pictures >> nth=1")


def to_the_top(page: "Page", selector: str) -> None:
    """Scroll so that an element is what one sees first."""
    page.locator(selector).evaluate("element => scrollTo(0, element.getBoundingClientRect().top + scrollY - 80)")
    page.wait_for_timeout(500)


VIEWS: tuple[Callable[["Page", str], None], ...] = (lesson, explorer, lab)


def take(folder: Path = PICTURES) -> None:
    with served(BUILT) as address, running() as browser:
        for view in VIEWS:
            page = browser.new_page(viewport=VIEW, device_scale_factor=SHARPNESS)
            view(page, address)
            page.screenshot(path=folder / f"site-{view.__name__}.jpg", type="jpeg", quality=75)
            page.close()


def main() -> None:
    environment.enter()
    if CHROMIUM is None:
        sys.exit("The pictures are taken by chromium, which is not here. The site needs none: `make site`.")
    take()


if __name__ == "__main__":
    main()
