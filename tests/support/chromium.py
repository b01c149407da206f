"""The browser that tests drive: `browser`, a fixture for all of them."""

import pytest

from tools.chromium import CHROMIUM, running_chromium

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: `apt-get install chromium` brings it")
# In place of a camera, moving colours, which a page gets without asking.
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def browser():
    with running_chromium(*CAMERA) as browser:
        yield browser
