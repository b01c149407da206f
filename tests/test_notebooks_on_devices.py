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
LARGER = 'SIZE = 160 if device.type == \\"cpu\\" else 224'  # lesson 09, of its images on a real device


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
def test_lesson_prints_on_the_device_what_it_prints_on_the_cpu(path, monkeypatch, tmp_path):
    monkeypatch.setenv("TL_DEVICE", "pretend")
    stored, source = nbformat.read(path, as_version=4), path.read_text(encoding="utf-8")
    if path.name.startswith("09"):
        assert LARGER in source
        path = tmp_path / path.name
        path.write_text(source.replace(LARGER, "SIZE = 160"), encoding="utf-8")
    assert printed(execute(path)) == printed(stored)
