"""What strict nbval sees and does not see, with this project's sanitizer."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4

from tools import notebook_hygiene as hygiene
from tools.environment import SANITIZER
from tools.notebook_hygiene import Lesson


def cell(source: str, output: NotebookNode) -> NotebookNode:
    return v4.new_code_cell(source, execution_count=1, outputs=[output])


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, str]:
    """What strict nbval says to the notebooks below, by name."""
    folder = tmp_path_factory.mktemp("nbval")
    stream = v4.new_output("stream", text="took 1.0 s\n")
    changed = v4.new_output("stream", text="2\n")
    widget = "import ipywidgets as w\ndisplay({'image/png': 'AAAA', 'text/plain': '3', **%s}, raw=True)"
    live = "{'application/vnd.jupyter.widget-view+json': {'model_id': w.IntSlider().model_id}}"
    notebooks = {
        "same": cell("print('took 2.5 s')", stream),
        "changed": cell("print(1)", changed),
        "null_count": v4.new_code_cell("print(1)"),
        "widget_taken_out": cell(
            widget % live, v4.new_output("display_data", {"image/png": "AAAA", "text/plain": "3"})
        ),
    }
    for name, content in notebooks.items():
        nbformat.write(v4.new_notebook(cells=[content]), folder / f"{name}.ipynb")
    command = f"-m pytest -rA --nbval --nbval-current-env --nbval-sanitize-with={SANITIZER} {folder}"
    run = subprocess.run([sys.executable, *command.split()], cwd=folder, capture_output=True, text=True)
    said = re.findall(r"^(PASSED|FAILED) .*?(\w+)\.ipynb", run.stdout, re.MULTILINE)
    return {name: verdict for verdict, name in said}


def test_nbval_fails_on_a_changed_text(verdicts):
    assert verdicts["changed"] == "FAILED"


def test_nbval_passes_what_the_sanitizer_masks(verdicts):
    assert verdicts["same"] == "PASSED"


def test_nbval_compares_nothing_without_counts_and_hygiene_sees_it(verdicts):
    assert verdicts["null_count"] == "PASSED"
    unrun = v4.new_notebook(cells=[v4.new_code_cell("print(1)")])
    assert list(hygiene.counts_in_order(Lesson(Path("00_x.ipynb"), unrun)))


def test_nbval_does_not_miss_the_widget_that_the_refresh_takes_out(verdicts):
    assert verdicts["widget_taken_out"] == "PASSED"
