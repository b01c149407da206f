"""One kind of error for everything that a reader can mend: a line that names the thing and the remedy."""


class LessonError(RuntimeError):
    """A mistake in the data or the set-up, not in the code.

    IPython shows its one line instead of a traceback; `%debug` still reaches the traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
