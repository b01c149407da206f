"""The pages beside the lessons: their headings, their pictures, their links and how hard they are to read."""

import re
from pathlib import Path

import pytest

from tools import notebook_hygiene as hygiene
from tools.environment import ROOT

pytestmark = pytest.mark.quick

FOLDERS = (".", "benchmarks", "data", "data/weights", "docs")
DOCUMENTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request) -> Path:
    return request.param


def text_of(document: Path) -> str:
    return hygiene.without_code(document.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """What GitHub calls a heading in an address."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def test_headings_are_in_order(document):
    assert list(hygiene.heading_breaches(document.name, [text_of(document)])) == []


def test_pictures_have_alternative_text(document):
    assert not hygiene.IMAGE_WITHOUT_ALT.search(document.read_text(encoding="utf-8"))


def test_it_is_easy_to_read(document):
    assert hygiene.lix(text_of(document)) <= hygiene.MAX_LIX


def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if "://" in target:
            continue
        path, _, place = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
            assert place in map(anchor, headings), target
