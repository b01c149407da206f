"""Lessons run on the pretend accelerator and print what they print on the CPU: nothing is left behind anywhere."""

import re

import nbformat
import pytest
from nbformat import NotebookNode

from tools.environment import NOTEBOOKS
from tools.refresh_notebooks import compared, execute

pytest.importorskip("support.pretend_device", exc_type=ImportError)
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
DAILY = "03_model_surgery.ipynb"  # the shortest one in which networks compute


def printed(notebook: NotebookNode) -> dict[str, list[str]]:
    """The text that each code cell shows, without what differs from run to run and without the names of device and
    tensor."""
    texts = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbval-ignore-output" not in cell.metadata.get("tags", []):
            outputs = [compared(output) for output in cell.outputs]
            found = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
            texts[cell.id] = [re.sub(r"pretend(:0)?", "cpu", text).replace("'Pretend'", "'Tensor'") for text in found]
    return texts


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path.name == DAILY else pytest.mark.nightly, id=path.name) for path in LESSONS],
)
def test_lesson_prints_on_the_device_what_it_prints_on_the_cpu(path, monkeypatch):
    monkeypatch.setenv("TL_DEVICE", "pretend")
    assert printed(execute(path)) == printed(nbformat.read(path, as_version=4))
