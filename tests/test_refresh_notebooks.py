"""The refresh tool: its second run changes nothing, and what fails or must not be committed is left alone."""

import io
import sys
from base64 import b64decode, b64encode

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat import v4
from PIL import Image

from tools import environment, refresh_notebooks
from tools.notebook_hygiene import METADATA, OUTPUT_RULES, WIDGET, Lesson

WIDGET_CELL = """\
import ipywidgets
slider = ipywidgets.IntSlider(3)
display({**slider._repr_mimebundle_(), "image/png": "%s", "text/plain": "3 points"}, raw=True)"""


def png(**metadata: str) -> str:
    figure = plt.figure(figsize=(1, 1))
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata=metadata)
    plt.close(figure)
    return b64encode(buffer.getvalue()).decode()


def encode(picture: np.ndarray) -> str:
    """A base64 PNG of the integers (h, w, 4)."""
    buffer = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()


@pytest.fixture
def write(tmp_path):
    """Writes a notebook of code cells, as an editor would: random ids, no counts."""

    def write(*sources: str):
        path = tmp_path / "00_sample.ipynb"
        cells = [v4.new_markdown_cell("# Sample"), *map(v4.new_code_cell, sources)]
        nbformat.write(v4.new_notebook(cells=cells), path)
        return path

    return write


def test_second_run_changes_nothing(write):
    path = write(
        "import time\nprint(f'took {time.perf_counter():.3f} s')",
        "from tqdm.auto import tqdm\nfor i in tqdm(range(3)):\n    print(f'epoch {i}/3  {time.time()}')",
        WIDGET_CELL % png(Comment="a date"),
    )
    assert refresh_notebooks.refresh(path)
    first = path.read_bytes()
    assert not refresh_notebooks.refresh(path)
    assert path.read_bytes() == first

    lesson = Lesson.read(path)
    assert [breach for rule in OUTPUT_RULES for breach in rule(lesson)] == []
    assert lesson.notebook.metadata == METADATA
    data = lesson.notebook.cells[-1].outputs[0].data
    assert WIDGET not in data
    assert data["text/plain"] == "3 points"
    assert b"a date" not in b64decode(data["image/png"])


def test_authored_ids_stay_and_positions_are_renumbered(write):
    path = write("1 + 1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].id = "the-sum"
    notebook.cells.append(v4.new_markdown_cell("the end", id="cell-09"))
    nbformat.write(notebook, path)
    refresh_notebooks.refresh(path)
    assert [cell.id for cell in nbformat.read(path, as_version=4).cells] == ["cell-01", "the-sum", "cell-03"]


def test_a_mistake_shown_on_purpose_is_stored_without_its_traceback(write):
    path = write("{}['key']")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    refresh_notebooks.refresh(path)
    assert nbformat.read(path, as_version=4).cells[1].outputs[0].traceback == ["KeyError: 'key'"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nprint('careful', file=sys.stderr)", "stderr"),
        ("object()", "memory address"),
        ("import ipywidgets\nipywidgets.IntSlider()", "widget without a picture"),
        ("import socket\nsocket.create_connection(('192.0.2.1', 80))", "NetworkBlocked"),
        ("import os\nos._exit(1)", "died"),
    ],
)
def test_refused_and_left_as_it_was(write, source, reason):
    path = write(source)
    before = path.read_bytes()
    with pytest.raises(refresh_notebooks.Refused) as refusal:
        refresh_notebooks.refresh(path)
    assert "00_sample.ipynb, cell-02: " in str(refusal.value)
    assert reason in str(refusal.value)
    assert path.read_bytes() == before


def test_edits_made_while_it_runs_are_not_lost(write, monkeypatch):
    path = write("1 + 1")
    execute = refresh_notebooks.execute

    def edit_meanwhile(path):
        notebook = execute(path)
        path.write_text(path.read_text().replace("# Sample", "# Edited"))
        return notebook

    monkeypatch.setattr(refresh_notebooks, "execute", edit_meanwhile)
    with pytest.raises(refresh_notebooks.Refused, match="edited while it ran"):
        refresh_notebooks.refresh(path)
    assert "# Edited" in path.read_text()


def pixels(encoded: str) -> np.ndarray:
    """Red, green, blue and alpha of a base64 PNG: integers (h, w, 4)."""
    return np.asarray(Image.open(io.BytesIO(b64decode(encoded))).convert("RGBA")).astype(int)


def test_png_of_few_colours_keeps_its_pixels_and_loses_its_text():
    encoded = png(Title="a title", Software="a version")
    small = refresh_notebooks.small_png(encoded)
    assert (pixels(small) == pixels(encoded)).all()
    assert b"a title" not in b64decode(small)
    assert refresh_notebooks.small_png(small) == small


def test_png_of_many_colours_shrinks_and_keeps_white_white():
    """A plot beside a photograph: the paper stays white, the photograph's colours come close."""
    noise = np.random.default_rng(0).integers(-20, 20, (100, 100, 3))
    ramp = np.linspace(60, 200, 100)
    picture = np.full((100, 200, 4), 255)
    picture[:, :100, :3] = noise + np.stack(np.broadcast_arrays(ramp, ramp[:, None], 128), axis=-1)
    encoded = encode(picture)
    small = refresh_notebooks.small_png(encoded)
    assert len(small) < 0.6 * len(encoded)
    assert (pixels(small)[:, 100:] == 255).all()
    assert abs(pixels(small) - picture).mean() < 6
    assert refresh_notebooks.small_png(small) == small


def test_png_with_transparency_keeps_its_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 4))
    assert (pixels(refresh_notebooks.small_png(encode(picture))) == picture).all()


def test_a_photograph_is_kept_as_jpeg_with_its_size_and_its_text():
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(60, 200, (20, 20, 3)).astype(np.uint8))
    photograph = np.full((300, 300, 4), 255)
    photograph[..., :3] = smooth.resize((300, 300), Image.Resampling.BICUBIC)
    cell = v4.new_code_cell("# Alt text: colours that run into one another\nshow()")
    cell.outputs = [v4.new_output("display_data", data={"image/png": encode(photograph)})]
    cell.outputs[0].metadata = nbformat.from_dict({"image/png": {"width": 150}})
    refresh_notebooks.normalise(v4.new_notebook(cells=[cell]))
    (output,) = cell.outputs
    assert output.data.keys() == output.metadata.keys() == {"image/jpeg"}
    assert output.metadata["image/jpeg"] == {"width": 150, "alt": "colours that run into one another"}
    fewer = Image.fromarray(photograph.astype(np.uint8)).resize((225, 225), Image.Resampling.LANCZOS)
    assert abs(pixels(output.data["image/jpeg"]) - np.asarray(fewer, dtype=int)).mean() < 3


def test_figures_in_the_style_of_the_lessons_have_two_pixels_for_each_of_the_page(write):
    path = write("from helpers.plots import plt, use_style\nuse_style()\nx = plt.plot([1, 2])")
    refresh_notebooks.refresh(path)
    (figure,) = (output for output in nbformat.read(path, as_version=4).cells[1].outputs if "image/png" in output.data)
    assert pixels(figure.data["image/png"]).shape[1] // 2 == figure.metadata["image/png"]["width"]


def test_a_plot_and_what_is_transparent_stay_png():
    for encoded in (png(), encode(np.zeros((40, 40, 4)))):
        output = v4.new_output("display_data", data={"image/png": encoded})
        refresh_notebooks.store_small(output)
        assert output.data.keys() == {"image/png"}


def test_names_choose_notebooks_and_an_unknown_one_is_said(write, monkeypatch, capsys):
    path = write("1 + 1")
    monkeypatch.setattr(environment, "NOTEBOOKS", path.parent)
    monkeypatch.setattr(sys, "argv", ["refresh_notebooks", "00"])
    assert refresh_notebooks.main() == 0
    assert capsys.readouterr().out == "00_sample.ipynb: stored\n"
    monkeypatch.setattr(sys, "argv", ["refresh_notebooks", "07"])
    with pytest.raises(SystemExit, match="no notebook's name begins with 07"):
        refresh_notebooks.main()
