"""Processes that a test starts, kills and waits for."""

import subprocess
import sys

from helpers import ROOT


def start(code: str, *arguments: object) -> subprocess.Popen:
    """A process of its own that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
