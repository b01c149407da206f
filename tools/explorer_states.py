"""Renders the states of the explorers for the web edition, into build/explorers/.

    python -m tools.explorer_states          of all lessons
    python -m tools.explorer_states 00 03    of the lessons whose names begin so

It runs each lesson that has explorers, as far as the last of them, and draws each over a grid of its controls. What was
rendered from the same code is kept.
"""

import argparse
import io
import itertools
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import nbformat
from nbformat import v4
from PIL import Image

from helpers.widgets import Explorer
from tools.notebook_hygiene import Lesson
from tools.refresh_notebooks import execute, for_lessons
from tools.web_pages import EXPLORERS, explorer_name, has_states

MOST_STATES = 160  # of an explorer
MOST_BYTES = 8_000_000  # of all its pictures; a page fetches only those that its reader comes to
SHARPNESS = 1.5  # pixels of a picture for one of the page, as photographs in the lessons have


def grid(controls: dict[str, ipywidgets.Widget], most: int = MOST_STATES) -> tuple[list[dict[str, Any]], list[tuple]]:
    """The values that each control takes on a page, and the states to render, as indices into them.

    Every combination, if a few values of each control make at most `most` of them. Otherwise one control moves at a
    time, while the others stand where the lesson leaves them.
    """
    offered = [values_of(control) for control in controls.values()]
    for fewest in (100, 30, 20, 15, 12, 10, 8, 6, 5):
        thinned = [thin(values, start, fewest) for values, start in offered]
        if math.prod(len(values) for values, _ in thinned) <= most:
            states = list(itertools.product(*(range(len(values)) for values, _ in thinned)))
            break
    else:
        thinned = [thin(values, start, most // len(offered)) for values, start in offered]
        home = tuple(start for _, start in thinned)
        states = [home] + [
            (*home[:at], index, *home[at + 1 :])
            for at, (values, start) in enumerate(thinned)
            for index in range(len(values))
            if index != start
        ]
    described = [
        {"name": control.description, "kind": kind_of(control), "values": values, "start": start}
        for control, (values, start) in zip(controls.values(), thinned, strict=True)
    ]
    return described, states


def kind_of(control: ipywidgets.Widget) -> str:
    """How the page shows a control: `choice`, `tick` or `range`."""
    if isinstance(control, ipywidgets.Dropdown):
        return "choice"
    return "tick" if isinstance(control, ipywidgets.Checkbox) else "range"


def values_of(control: ipywidgets.Widget) -> tuple[list[Any], int]:
    """All values that a control may take, as (label, value), and the index of the one that it has."""
    if isinstance(control, ipywidgets.Dropdown):
        values = list(zip(control._options_labels, control._options_values, strict=True))
    elif isinstance(control, ipywidgets.Checkbox):
        values = [("no", False), ("yes", True)]
    else:
        steps = round((control.max - control.min) / control.step)
        exponents = [control.min + index * control.step for index in range(steps + 1)]
        if isinstance(control, ipywidgets.FloatLogSlider):
            values = [(f"{control.base**e:.3g}", control.base**e) for e in exponents]
        else:
            values = [(f"{e:.3g}", type(control.value)(round(e, 6))) for e in exponents]
    if isinstance(control, ipywidgets.Dropdown):
        return values, next(i for i, (_, value) in enumerate(values) if value == control.value)
    return values, min(range(len(values)), key=lambda i: abs(values[i][1] - control.value))


def thin(values: list[Any], start: int, most: int) -> tuple[list[Any], int]:
    """At most `most` of the values, evenly spread, the first, the last and the start among them."""
    if len(values) <= most:
        return values, start
    kept = {round(i * (len(values) - 1) / (most - 1)) for i in range(most)}
    nearest = min(kept - {0, len(values) - 1}, key=lambda i: abs(i - start)) if start not in kept else start
    kept = sorted(kept - {nearest} | {start})
    return [values[i] for i in kept], kept.index(start)


def render(explorer: Explorer, folder: str | Path) -> None:
    """Draw the states of an explorer; the kernel of the lesson calls it.

    Args:
        explorer: stays as it is.
        folder: gets a picture for each state, and `states.json`.

    Raises:
        ValueError: the pictures take more than `MOST_BYTES`.
    """
    part = Path(f"{folder}.part")  # whole, or not there
    controls = vars(explorer.controls)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    described, indices = grid(controls)
    states = {}
    for number, state in enumerate(indices):
        values = {
            name: control["values"][index][1]
            for (name, control), index in zip(zip(controls, described, strict=True), state, strict=True)
        }
        figure, sentence = explorer.draw(**values)
        file = f"{number}.webp"
        picture, width, height = picture_of(figure)
        (part / file).write_bytes(picture)
        states[",".join(map(str, state))] = [file, sentence, width, height]
    if (size := bytes_in(part)) > MOST_BYTES:
        raise ValueError(f"{part.stem}: {size:,} bytes of states, at most {MOST_BYTES:,}; let it draw less.")
    for control in described:
        control["values"] = [label for label, _ in control["values"]]
    text = json.dumps({"controls": described, "states": states})
    (part / "states.json").write_text(text, encoding="utf-8")
    part.rename(folder)


def picture_of(figure: plt.Figure) -> tuple[bytes, int, int]:
    """A figure, closed, as WebP, and how wide and high the page shows it."""
    png, webp = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight", dpi=SHARPNESS * figure.dpi)
    plt.close(figure)
    image = Image.open(png).convert("RGB")
    image.save(webp, "WEBP", quality=80, method=4)
    return webp.getvalue(), round(image.width / SHARPNESS), round(image.height / SHARPNESS)


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def render_lesson(path: Path, explorers: Path = EXPLORERS) -> str:
    """Run a lesson, if it has explorers that were not rendered yet; returns how many there are, and what they take.

    Raises:
        Refused: a cell failed, or an explorer takes too much.
    """
    notebook = Lesson.read(path).notebook
    cells, folders, end = [], [], 0
    for cell in notebook.cells:
        cells.append(cell)
        if has_states(cell):
            folder = explorers / explorer_name(path, notebook, cell)
            folders.append(folder)
            if not folder.is_dir():
                # Not `_`: it holds no result any more, once a lesson has called something else so.
                call = f"from tools.explorer_states import render\nrender(Out[max(Out)], {str(folder)!r})"
                cells.append(v4.new_code_cell(call))
                end = len(cells)
    if end:
        # In the lesson's folder, where its relative paths hold; git does not see it.
        copy = path.with_name(f"{path.stem}.part")
        nbformat.write(v4.new_notebook(cells=cells[:end], metadata=notebook.metadata), copy)
        try:
            execute(copy)
        finally:
            copy.unlink()
    size = sum(map(bytes_in, folders))
    return f"{path.name}: {len(folders)} explorers, {size / 1e6:.1f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description="Render the states of the explorers for the web edition.")
    parser.add_argument("lessons", nargs="*", help="the beginnings of their names; all, if none is given")
    return for_lessons(render_lesson, parser.parse_args().lessons)


if __name__ == "__main__":
    sys.exit(main())
