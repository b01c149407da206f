"""What a reader can mend or has asked for ends in one line, not in a traceback."""

from pathlib import Path

# By these words of PyTorch's errors: on Linux and macOS, on Windows, on GPUs.
MEMORY_IS_FULL = ("can't allocate memory", "not enough memory", "out of memory")


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what git leaves of a large one where Git LFS is not installed."""
    with path.open("rb") as file:
        return file.read(23) == b"version https://git-lfs"


class OneLine:
    """Shown by IPython as one line; `%debug` still reaches the traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class LessonError(OneLine, RuntimeError):
    """A mistake in the data or the set-up, not in the code; the line names the thing and the remedy."""

    def __init__(self, message: str = ""):
        # A DataLoader's worker sends its whole traceback as the message; our line is its last one.
        if message.startswith(f"Caught {type(self).__name__} in "):
            message = message.rstrip().rpartition(f"{type(self).__name__}: ")[2]
        super().__init__(message)


class Stopped(OneLine, KeyboardInterrupt):
    """The stop button; the line says what is left."""
