"""What strict nbval sees and does not see, with this project's sanitizer."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools import notebook_hygiene as hygiene
from tools.environment import SANITIZER
from tools.notebook_hygiene import Lesson

SAID_2 = v4.new_output("stream", text="2\n")
TOOK_1_S = v4.new_output("stream", text="took 1.0 s\n")
PICTURE = v4.new_output("display_data", {"image/png": "AAAA", "text/plain": "3"})
WIDGET = """\
import ipywidgets
live = {"model_id": ipywidgets.IntSlider().model_id}
display({"image/png": "AAAA", "text/plain": "3", "application/vnd.jupyter.widget-view+json": live}, raw=True)"""
CELLS = {
    "same": v4.new_code_cell("print('took 2.5 s')", execution_count=1, outputs=[TOOK_1_S]),
    "changed": v4.new_code_cell("print(1)", execution_count=2, outputs=[SAID_2]),
    "null_count": v4.new_code_cell("print(1)"),
    "widget_taken_out": v4.new_code_cell(WIDGET, execution_count=4, outputs=[PICTURE]),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, str]:
    """What strict nbval says to the cells, by name."""
    folder = tmp_path_factory.mktemp("nbval")
    nbformat.write(v4.new_notebook(cells=list(CELLS.values())), folder / "cells.ipynb")
    command = f"-m pytest -rA --nbval --nbval-current-env --nbval-sanitize-with={SANITIZER} {folder}"
    run = subprocess.run([sys.executable, *command.split()], cwd=folder, capture_output=True, text=True)
    said = re.findall(r"^(PASSED|FAILED) .*::Cell (\d)", run.stdout, re.MULTILINE)
    verdicts = {int(number): verdict for verdict, number in said}
    return {name: verdicts[number] for number, name in enumerate(CELLS)}


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
