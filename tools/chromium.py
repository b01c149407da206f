"""The browser that prints the book, and that tests drive."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def running_chromium(*options: str) -> Iterator["Browser"]:
    """The browser, without a window; it reaches no machine but this one."""
    from playwright.sync_api import sync_playwright  # only now: most tests need none

    nobody_else = ["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *nobody_else, *options]
        )
        yield browser
        browser.close()
