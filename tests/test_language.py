"""Lessons of the second edition speak in the field's words, so that a search for them leads on."""

import re
from collections.abc import Iterator

import pytest

from helpers import ROOT
from tools.environment import NOTEBOOKS
from tools.glossary import sentences_of
from tools.notebook_hygiene import Lesson, without_code

pytestmark = pytest.mark.quick

# What is only said in this project, and the word that everybody else uses.
PRIVATE = {
    r"by heart": "memorised; overfits",
    r"scores of the (last|final) layer": "logits",
    r"put(s|ting)? by|kept for the backward pass": "activations saved for the backward pass",
    r"awake|asleep|(?<![.])sleep(s|ing)?": "trainable; frozen",
    r"without chance|chance out|to chance": "deterministic",
    r"always says? the same": "a constant baseline",
    r"opponents?": "baseline",
    r"(played|plays|took|takes) no part": "held out",
    r"(the|its) middle": "the centre crop",
    r"means? over the places": "global average pooling",
    r"too sure": "over-confident",
    r"wears? (it|val|test|them) out": "is no longer an unbiased estimate",
    r"(by|of|throws?) (the )?dice": "randomly initialised; random",
    r"ask(s|ed|ing)? (\w+ ){0,4}about": "predict; evaluate on",
    r"for certain": "the 95 % interval excludes 0",
    r"whoever": "if you",
    r"one (can|must|should|may|might|sees)": "you",
}
SPOKEN = re.compile("|".join(rf"\b(?:{words})\b" for words in PRIVATE), re.IGNORECASE)
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))


def texts(lesson: Lesson) -> Iterator[tuple[str, str]]:
    """The prose of a lesson, the comments and words of its code, and what it prints."""
    for name, cell in lesson.cells:
        yield name, without_code(cell.source) if cell.cell_type == "markdown" else cell.source
        for output in cell.get("outputs", []):
            yield name, output.get("text", "") or output.get("data", {}).get("text/plain", "")


def private(text: str) -> list[str]:
    """The private words of a text, whatever its line breaks."""
    return [found[0] for found in SPOKEN.finditer(" ".join(text.split()))]


def mixed(text: str) -> list[str]:
    """The sentences that say both picture and image."""
    both = (re.compile(rf"\b{word}s?\b", re.IGNORECASE) for word in ("picture", "image"))
    picture, image = both
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", text)
    return [sentence for sentence in sentences_of(plain) if picture.search(sentence) and image.search(sentence)]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_speaks_in_the_words_of_the_field(path):
    lesson = Lesson.read(path)
    found = [f"{name}: {word!r}" for name, text in texts(lesson) for word in private(text)]
    prose = [(name, without_code(cell.source)) for name, cell in lesson.cells if cell.cell_type == "markdown"]
    found += [f"{name}: {sentence}" for name, text in prose for sentence in mixed(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_its_exercises_do_so_too(path):
    text = (ROOT / "helpers" / "exercises" / f"lesson_{path.name[:2]}.py").read_text(encoding="utf-8")
    assert private(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The network learns them by\nheart.",
        "Its opponent is fair.",
        "We ask the probe about the rest.",
        "Whoever chooses, asks val.",
    ],
)
def test_private_words_are_seen(text):
    assert private(text)


def test_the_words_of_the_field_are_none():
    assert not private("The model memorises; its baseline is the centre crop. Is one seed enough? Say so about it.")
    assert mixed("A picture is an image.") and not mixed("A picture here. An image there, as `picture` says.")
