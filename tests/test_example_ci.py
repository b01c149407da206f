"""docs/example-ci works where somebody copies it to: green as it is, red where it is spoilt."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools.environment import ROOT

pytestmark = pytest.mark.nightly


@pytest.fixture
def copy(tmp_path) -> Path:
    away = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return shutil.copytree(ROOT / "docs" / "example-ci", tmp_path / "project", ignore=away)


def run(copy: Path, *command: str) -> subprocess.CompletedProcess:
    """A command of the project's, with no plugin of pytest but its own."""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "nbval.plugin"}
    return subprocess.run([sys.executable, *command], cwd=copy, capture_output=True, text=True, env=environment)


def failed(copy: Path, *tests: str) -> set[str]:
    """What the project's own tests say is wrong: names of tests, and of notebooks."""
    done = run(copy, "-m", "pytest", "-rf", "-p", "no:cacheprovider", *tests)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return set(re.findall(r"^FAILED (?:\S+/)?(?:test_notebooks\.py::)?([\w.]+)", done.stdout, re.MULTILINE))


def edit(copy: Path, change) -> None:
    """Changes the code cells of the notebook by hand, as `refresh.py` would not."""
    path = copy / "notebooks" / "dice.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change([cell for cell in notebook.cells if cell.cell_type == "code"])
    nbformat.write(notebook, path)


def test_the_example_is_green(copy):
    assert failed(copy) == set()


def test_an_output_changed_by_hand_is_seen(copy):
    def change(cells):
        cells[1].outputs[0].text = "the commonest sum is 6, with 164 of 1000 throws\n"

    edit(copy, change)
    assert failed(copy) == {"dice.ipynb"}


def test_missing_counts_are_seen_and_the_refresh_brings_them_back(copy):
    path = copy / "notebooks" / "dice.ipynb"
    committed = path.read_text(encoding="utf-8")
    edit(copy, lambda cells: [cell.update(execution_count=None, outputs=[]) for cell in cells])
    assert failed(copy, "test_notebooks.py") == {"test_every_cell_was_run_in_order"}

    assert run(copy, "refresh.py").returncode == 0
    durations = r"\d+\.\d+ s"
    assert re.sub(durations, "", path.read_text(encoding="utf-8")) == re.sub(durations, "", committed)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid"])
def test_what_the_project_starts_stays_on_this_machine(copy, host):
    ask = f"import socket; socket.create_connection(({host!r}, 80))"
    done = run(copy, "-c", f"import conftest, subprocess, sys; subprocess.run([sys.executable, '-c', {ask!r}])")
    assert f"this one asked for {host!r}" in done.stderr
