"""The real photographs, where their archive is at hand: beside the project, or where HYMENOPTERA_ZIP says."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from helpers.downloads import fetch_photos
from tools.environment import CELL_TIMEOUT_S, NOTEBOOKS, ROOT

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    beside = ROOT.parent / "shared" / "data" / "hymenoptera_data.zip"
    archive = Path(os.environ.get("HYMENOPTERA_ZIP", beside))
    if not archive.exists():
        pytest.skip("the photographs are not on this machine: set HYMENOPTERA_ZIP to the path of their archive")
    return fetch_photos(tmp_path_factory.mktemp("photographs"), archive=archive)


def test_the_archive_is_as_listed(photographs):
    folders = [photographs / split / label for split in ("train", "val") for label in ("ants", "bees")]
    counts = [sum(path.suffix != ".gif" for path in folder.iterdir()) for folder in folders]
    assert counts == [123, 121, 70, 83]
    assert sum(path.is_file() for path in photographs.rglob("*")) == 398


def test_the_first_lesson_holds_on_photographs(photographs, monkeypatch):
    """Its asserts are its claims: pretrained features beat random ones, on real pictures too."""
    monkeypatch.setenv("TL_IMAGES", str(photographs))
    monkeypatch.setenv("TL_WEIGHTS", "embedded")
    notebook = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources=resources).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "pretraining is worth" in printed
