"""The lessons as slides: a page each, with all that it needs in it, for a browser without a network."""

import re
from pathlib import Path

from jinja2 import FileSystemLoader
from nbconvert import SlidesExporter
from nbformat import NotebookNode, v4

from tools import environment
from tools.links import away_from_here
from tools.notebook_hygiene import ALT_TEXT, Lesson
from tools.refresh_notebooks import Refused

SLIDES = environment.ROOT / "build" / "slides"
REVEAL = environment.ROOT / "build" / "reveal" / "sphinx_revealjs" / "_static" / "revealjs" / "dist"
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def arranged(lesson: Lesson) -> NotebookNode:
    """The notebook, with what nbconvert reads from the metadata of its cells.

    A heading begins a slide. What comes after a code cell goes on the next slide below, so that each has one
    thing to run. Comments for listeners are left out: the pictures have them as their alternative text.
    """
    cells = []
    for cell in lesson.notebook.cells:
        if cell.cell_type == "markdown":
            source = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", cell.source)
            for part in filter(None, re.split(r"^(?=## )", source, flags=re.MULTILINE)):
                moved, attachments = away_from_here(part, environment.NOTEBOOKS)
                cells.append(v4.new_markdown_cell(moved, attachments=attachments))
        else:
            cell.source = ALT_TEXT.sub("", cell.source).lstrip()
            cells.append(cell)
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell.cell_type == "markdown" and re.match("##? ", cell.source):
            kind = "slide"
        else:
            kind = "subslide" if before and before.cell_type == "code" else "-"
        cell.metadata["slideshow"] = {"slide_type": kind}
    return v4.new_notebook(cells=cells, metadata=lesson.notebook.metadata)


def build(path: Path) -> Path:
    """Write the slides of a lesson; returns the page.

    Raises:
        Refused: reveal.js, which turns the pages, is not there.
    """
    if not REVEAL.is_dir():
        raise Refused("reveal.js is not here; `make slides` brings it.")
    exporter = SlidesExporter(extra_loaders=[FileSystemLoader(TEMPLATE.parent)], template_file=TEMPLATE.name)
    for name in ("reveal.js", "reveal.css"):
        exporter.environment.globals[name.replace(".", "_")] = (REVEAL / name).read_text(encoding="utf-8")
    page, _ = exporter.from_notebook_node(arranged(Lesson.read(path)), {"metadata": {"name": path.stem}})
    SLIDES.mkdir(parents=True, exist_ok=True)
    built = SLIDES / f"{path.stem}.html"
    built.write_text(page, encoding="utf-8")
    return built
