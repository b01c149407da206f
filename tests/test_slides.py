"""The slides: what begins one, that they ask nobody for anything, and that a browser shows all of them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from support.chromium import needs_chromium

from tools import slides
from tools.environment import NOTEBOOKS
from tools.notebook_hygiene import Lesson
from tools.refresh_notebooks import Refused

LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
# What a page fetches by itself: scripts, pictures, styles, fonts, modules.
FETCHES = re.compile(
    r"(?:\bsrc=|<link\b[^>]*\bhref=|@import\b|\burl\(|\bimport\b|\bfrom\b)"
    r"""\s*["'(url]*\s*["']?((?:https?:)?//[^"')\s]+)"""
)


@pytest.fixture
def built(tmp_path, monkeypatch) -> Path:
    """The folder of slides, with something small in place of reveal.js."""
    for name in ("reveal.js", "reveal.css"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(slides, "REVEAL", tmp_path)
    monkeypatch.setattr(slides, "SLIDES", tmp_path / "slides")
    return tmp_path / "slides"


def test_what_begins_a_slide():
    cells = [
        v4.new_markdown_cell("# Title\n\nwords\n\n## Part\n\n```python\n# a comment\n```"),
        v4.new_code_cell("1"),
        v4.new_markdown_cell("Next: [01](01_transforms.ipynb)"),
        v4.new_code_cell("# Alt text: ants above,\n# bees below\n2"),
        v4.new_code_cell("3"),
    ]
    arranged = slides.arranged(Lesson(Path("00_x.ipynb"), v4.new_notebook(cells=cells))).cells
    assert [(cell.source.split("\n")[0], cell.metadata.slideshow.slide_type) for cell in arranged] == [
        ("# Title", "slide"),
        ("## Part", "slide"),
        ("1", "-"),
        ("Next: [01](01_transforms.html)", "subslide"),
        ("2", "-"),
        ("3", "subslide"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.name[:2] in ("00", "10") else pytest.mark.nightly)  # 10 has a picture
        for path in LESSONS
    ],
    ids=lambda path: path.stem,
)
def test_the_slides_fetch_nothing(built, path):
    page = slides.build(path).read_text(encoding="utf-8")
    assert page.count("<section") > 10
    assert not FETCHES.findall(page)
    assert not re.findall(r'<img[^>]*\bsrc="(?!data:)', page), "pictures are in the page"


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        "<link rel='stylesheet' href='//example.org/a.css'>",
        "@import url(https://example.org/a.css)",
        "import mermaid from 'https://example.org/a.mjs'",
        "src: url('http://example.org/a.woff')",
    ],
)
def test_a_fetch_is_seen(text):
    assert FETCHES.findall(text)


def test_without_reveal_it_says_what_brings_it(built, monkeypatch):
    monkeypatch.setattr(slides, "REVEAL", built / "nowhere")
    with pytest.raises(Refused, match="`make slides` brings it"):
        slides.build(LESSONS[0])


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
@pytest.mark.skipif(not slides.REVEAL.is_dir(), reason="reveal.js is not here: `make slides` brings it")
def test_a_browser_shows_all_of_a_slide(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "SLIDES", tmp_path)
    long = v4.new_code_cell("\n".join(f"line_{n} = {n}" for n in range(60)))
    cells = [v4.new_markdown_cell("# Title"), long, v4.new_markdown_cell("## Part"), v4.new_code_cell("last")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "00_small.ipynb")
    built = slides.build(tmp_path / "00_small.ipynb")
    page = browser.new_context(offline=True, viewport={"width": 1280, "height": 720}).new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(built.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.get_by_role("heading", name="Title").is_visible()
    for _ in range(20):
        if not page.evaluate("document.body.classList.contains('more')"):
            break
        page.keyboard.press("Space")
        page.wait_for_timeout(100)
    assert page.evaluate("Reveal.getCurrentSlide().scrollTop") > 0, "nothing says that a long slide goes on"
    end = page.get_by_text("line_59", exact=True).bounding_box()
    assert 0 <= end["y"] and end["y"] + end["height"] <= 720, "the end of a long slide is cut off"
    page.keyboard.press("Space")
    page.wait_for_function("Reveal.getIndices().h === 1")
    assert page.get_by_text("last", exact=True).is_visible()
    assert [url for url in asked if not url.startswith("data:")] == [built.as_uri()]
