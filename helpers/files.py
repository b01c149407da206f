"""Files that are whole or not there."""

import os
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

from helpers.errors import LessonError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new one, never half of one.

    Raises:
        LessonError: the disk is full, or nobody may write there. What was at `path` before is still there.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        full = error.errno in (ENOSPC, EDQUOT)
        remedy = "free some disk space and run it again" if full else "choose another place"
        raise LessonError(f"Cannot write {path}: {error.strerror}; {remedy}.") from error
