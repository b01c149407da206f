"""A JupyterLab that a test starts."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

START_S = 120


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_it_answers(server: subprocess.Popen, address: str, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api")
            return
        except urllib.error.URLError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
