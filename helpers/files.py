"""Atomic, process-safe file writes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

from filelock import FileLock

from helpers.errors import LessonError


def atomic_write(path: str | Path, content: bytes) -> None:
    """Write a file atomically: after a kill at any moment, the old or the new one is there, never a part of one.

    Processes that write the same file wait for each other. What a killed one leaves behind (`NAME.part`, and an empty
    `NAME.lock`) is removed by the next.

    Raises:
        LessonError: the disk is full, or the place is not writable. What was at `path` before is still there.
    """
    path = Path(path)
    part = partial_path(path)
    with one_line_errors(f"Cannot write {path}", "choose another place"), exclusive_lock(path):
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Where a file or folder is written until it is complete; touch it only under `exclusive_lock(path)`."""
    return path.with_name(path.name + ".part")


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Exclude other processes from `path`, with a lock that the system releases even after a `kill -9`.

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


@contextmanager
def one_line_errors(problem: str, remedy: str) -> Iterator[None]:
    """Turn the errors of disk and network (those of requests are OSErrors too) into one `LessonError`."""
    outer = sys.exception()
    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            remedy = "free some disk space and run it again"
        cause: BaseException = error  # the first of the chain is plain; requests wraps it in long lines
        while cause.__context__ not in (None, outer):
            cause = cause.__context__
        reason = (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
        raise LessonError(f"{problem}: {reason}; {remedy}.") from None
