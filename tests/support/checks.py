"""What many tests look at."""

from pathlib import Path

import pytest


def line(error: pytest.ExceptionInfo) -> str:
    """The message of an error, which has to be one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
