"""A browser without a window, and a server of the built site for it: for tests, and for pictures of the site."""

import functools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    # It reaches no machine but this one.
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # In place of a camera, moving colours, which a page gets without asking.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
SUB_PATH = "/some/lessons/"  # as on a site for several projects


@contextmanager
def running() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright  # only now: most tests need none

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class _Handler(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        if not path.startswith(SUB_PATH):
            return str(Path(self.directory) / "outside-of-the-site")
        return super().translate_path("/" + path.removeprefix(SUB_PATH))

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # what is there without a network, the site itself has kept
        super().end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the site while it is served, in a sub-path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{SUB_PATH}"
        server.shutdown()
