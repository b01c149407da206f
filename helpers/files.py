"""Files that are whole or not there, whoever else writes them and whatever kills the writer."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

from filelock import FileLock

from helpers.errors import LessonError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new one, never half of one.

    Processes that write the same file wait for each other. What a killed one leaves beside it (`NAME.part`, and an
    empty `NAME.lock`), the next one clears away.

    Raises:
        LessonError: the disk is full, or nobody may write there. What was at `path` before is still there.
    """
    path = Path(path)
    part = part_of(path)
    try:
        with alone(path):
            try:
                part.write_bytes(content)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (ENOSPC, EDQUOT)
        remedy = "free some disk space and run it again" if full else "choose another place"
        raise LessonError(f"Cannot write {path}: {error.strerror}; {remedy}.") from error


def part_of(path: Path) -> Path:
    """Where a file or folder grows until it is whole. Only who is `alone` with `path` may touch it."""
    return path.with_name(path.name + ".part")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes off `path`, with a lock that the system releases even after a `kill -9`.

    The number of a process in the names would not do: on a shared folder it says nothing to another machine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    with FileLock(lock):
        try:
            yield
        finally:
            # Removed while it is held, so that whoever waits for it notices and makes a new one. Windows
            # does not remove open files; there FileLock does it on release.
            with suppress(OSError):
                lock.unlink()
