"""An extension of the kernel: errors that belong to a lesson end in one line (all lessons).

`settings/etc/ipython/` loads it into every kernel of this environment, so that it speaks before any cell has run.
"""

from types import TracebackType
from typing import Any

from helpers.errors import MEMORY_IS_FULL


def load_ipython_extension(shell: Any) -> None:
    """Let `shell` show a name that is not there yet, too little memory and a mistake shown on purpose as one line."""
    shell.set_custom_exc((Exception,), _show)


def _show(
    shell: Any, kind: type[Exception], error: Exception, traceback: TracebackType | None, tb_offset: int | None = None
) -> None:
    line = f"{kind.__name__}: {error}"
    if kind is NameError and _raised_in_a_cell(traceback):
        line += (
            ". If a cell above defines it, run the cells above first (in the menu: Run, Run All Above Selected Cell); "
            "if not, look for a typing mistake."
        )
    elif isinstance(error, MemoryError) or any(words in line for words in MEMORY_IS_FULL):
        line = (
            f"{kind.__name__}: this needs more memory than there is for you. Shut down other notebooks (in the menu: "
            "Kernel, Shut Down All Kernels), then run this one again; on a hub, ask your teacher for more."
        )
    elif not _on_purpose(shell):
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
        return
    error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]  # IPython asks for it
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)


def _raised_in_a_cell(traceback: TracebackType | None) -> bool:
    """Whether the code that failed is a cell's own, and not a library's."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_globals.get("__name__") == "__main__"


def _on_purpose(shell: Any) -> bool:
    """Whether the cell has the tag of a mistake shown on purpose; JupyterLab sends a cell's metadata along."""
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return "raises-exception" in request.get("metadata", {}).get("tags", [])
