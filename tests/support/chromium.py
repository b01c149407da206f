"""The browser that tests drive: `browser`, a fixture for all of them."""

import pytest

from tools.browser import CHROMIUM, running

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: `apt-get install chromium` brings it")


@pytest.fixture(scope="module")
def browser():
    with running() as browser:
        yield browser
