"""Each term of the field is defined once, where its idea is taught, and not used before without a link."""

from functools import cache
from pathlib import Path

import pytest
from nbformat import v4

from tools import glossary
from tools.glossary import TERMS, Definition
from tools.notebook_hygiene import Lesson

pytestmark = pytest.mark.quick

LENGTHS = range(30, 301)  # characters of a definition


@cache
def defined() -> dict[str, Definition]:
    return {definition.term: definition for definition in glossary.definitions(glossary.lessons())}


@pytest.mark.parametrize("term", TERMS)
def test_each_term_is_defined(term):
    assert len(defined()[term].text) in LENGTHS, defined()[term]


def test_no_lesson_defines_a_term_again():
    again = [d for d in glossary.all_definitions(glossary.lessons()) if d != defined()[d.term]]
    assert again == []


@pytest.mark.parametrize("lesson", glossary.lessons(), ids=lambda x: x.path.stem)
def test_no_term_is_used_before_it_is_defined(lesson):
    ahead = [definition for definition in defined().values() if definition.lesson >= lesson.path.stem]
    assert [breach for definition in ahead for breach in glossary.uses_before(definition, lesson)] == []


# --- The tool itself


def lesson(name: str, *prose: str) -> Lesson:
    cells = [v4.new_markdown_cell(text, id=f"cell-{n}") for n, text in enumerate(prose, start=1)]
    return Lesson(Path(f"{name}.ipynb"), v4.new_notebook(cells=cells))


def test_a_definition_is_the_sentence_in_which_a_term_first_stands_in_bold():
    first = lesson(
        "00_a", "# Epochs\n\n**You will**", "Train it. One pass over\nall [images](x.ipynb) is an **epoch**. Ten do."
    )
    second = lesson("01_b", "- An **epoch** again.")
    text = "One pass over all images is an **epoch**."
    assert glossary.definitions([first, second]) == [Definition("epoch", text, "00_a", "cell-2")]
    assert len(list(glossary.all_definitions([first, second]))) == 2


@pytest.mark.parametrize(
    ("prose", "breaches"),
    [
        (["# Title", "Each epoch takes a minute."], 1),
        (["# Title", "Each *epoch* takes a minute. [Epochs](01_b.ipynb) are passes."], 0),
        (["# Title", "Each [epoch](01_b.ipynb#epochs) takes a minute.", "Ten epochs."], 0),
        (["# Title", "Each [epoch](02_c.ipynb) takes a minute.", "Ten epochs."], 1),
        (["# Title", "`epoch` is a name, and a many-epoch-long word is none."], 0),
    ],
)
def test_an_earlier_use_needs_a_link(prose, breaches):
    definition = Definition("epoch", "One pass is an **epoch**.", "01_b", "cell-3")
    assert len(list(glossary.uses_before(definition, lesson("00_a", *prose)))) == breaches


def test_in_its_own_lesson_only_the_opening_names_a_term_before():
    definition = Definition("epoch", "One pass is an **epoch**.", "01_b", "cell-3")
    assert not list(glossary.uses_before(definition, lesson("01_b", "You will train an epoch.", "Now.", "**epoch**")))
    assert list(glossary.uses_before(definition, lesson("01_b", "You will.", "In an epoch.", "**epoch**")))
