"""Every committed notebook keeps every rule, and every rule catches a notebook that does not."""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from nbval.plugin import get_sanitize_patterns

from tools import notebook_hygiene as hygiene
from tools.environment import NOTEBOOKS, SANITIZER
from tools.notebook_hygiene import Lesson

pytestmark = pytest.mark.quick

LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
OPENING = "# A lesson\n\n**You will**\n\n- see.\n\n**Time** 1 minute.\n**Before this** nothing."


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
@pytest.mark.parametrize("rule", hygiene.RULES, ids=lambda rule: rule.__name__)
def test_lesson_keeps(rule, path):
    breaches = list(rule(Lesson.read(path)))
    assert not breaches, "\n".join(breaches)


def code(source: str, count: int, *outputs: nbformat.NotebookNode, tags: tuple[str, ...] = ()):
    metadata = {"tags": list(tags)} if tags else {}
    return v4.new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata)


def shown(**data: str) -> nbformat.NotebookNode:
    """A display output; `image_png` stands for `image/png`."""
    return v4.new_output("display_data", {mime.replace("_", "/", 1): value for mime, value in data.items()})


def good_lesson() -> Lesson:
    """A small lesson that keeps every rule."""
    cells = [
        v4.new_markdown_cell(OPENING),
        code("print(1)", 1, v4.new_output("stream", text="1\n")),
        v4.new_markdown_cell("## A figure\n\n```python\n# a comment, no heading\n```"),
        code(
            "# Alt text: Two points, one above the other, on a white\n# ground.\ndraw()",
            2,
            shown(image_png="AAAA", text_plain="<Figure size 640x480 with 1 Axes>"),
        ),
        code("print('two lines')", 3, v4.new_output("stream", text="two lines\n")),
        code("explorer", 4, shown(image_png="AAAA", text_plain="a slider at seven, and seven points below it")),
        v4.new_markdown_cell("**You have**\n\n- seen."),
    ]
    for position, cell in enumerate(cells, start=1):
        cell.id = hygiene.position_id(position)
        hygiene.set_alt_text(cell)
    notebook = v4.new_notebook(cells=cells, metadata=copy.deepcopy(hygiene.METADATA))
    return Lesson(Path("00_topic.ipynb"), notebook)


def set_tags(cell: nbformat.NotebookNode, *tags: str) -> None:
    cell.metadata["tags"] = list(tags)


def append_output(cell: nbformat.NotebookNode, kind: str, **fields) -> None:
    cell.outputs.append(v4.new_output(kind, **fields))


def exceed_budget(cells: list[nbformat.NotebookNode], tag: str) -> None:
    for cell in cells[: hygiene.TAGS[tag] + 1]:
        set_tags(cell, tag)


def tell_of_the_figure_in_prose(lesson: Lesson, cells: list[nbformat.NotebookNode]) -> None:
    """nbval compares no prose."""
    sentence = v4.new_markdown_cell("Two points.", id="a-sentence")
    cells[4].update(outputs=[])
    cells.insert(4, sentence)
    for position, cell in enumerate(cells[5:], start=6):
        cell.id = hygiene.position_id(position)


def import_beside_an_answer(lesson: Lesson, cells: list) -> None:
    set_tags(cells[1], "exercise-q1")
    cells[1].update(source="import os\n\nanswer = ...")


# The rule that must speak, and what is done to the good lesson. Cells 1, 3, 4 and 5 are code.
BROKEN: list[tuple[Callable, Callable[[Lesson, list], object]]] = [
    (hygiene.counts_in_order, lambda lesson, cells: cells[1].update(execution_count=None, outputs=[])),
    (hygiene.counts_in_order, lambda lesson, cells: cells[3].update(execution_count=7)),
    (
        hygiene.no_errors,
        lambda lesson, cells: append_output(cells[1], "error", ename="KeyError", evalue="1", traceback=[]),
    ),
    (
        hygiene.no_stderr,
        lambda lesson, cells: append_output(cells[1], "stream", name="stderr", text="FutureWarning\n"),
    ),
    (
        hygiene.no_addresses,
        lambda lesson, cells: append_output(cells[1], "stream", text="<Net object at 0x7f3a80c1d>"),
    ),
    (
        hygiene.no_absolute_paths,
        lambda lesson, cells: append_output(cells[1], "stream", text="/home/ada/lessons/data"),
    ),
    (hygiene.no_absolute_paths, lambda lesson, cells: cells[1].update(source=r"open('C:\Users\ada')")),
    (
        hygiene.widgets_fall_back,
        lambda lesson, cells: cells[5].update(outputs=[shown(text_plain="VBox()", **{hygiene.WIDGET: "{}"})]),
    ),
    (hygiene.plain_metadata, lambda lesson, cells: lesson.notebook.metadata.update(widgets={})),
    (hygiene.plain_metadata, lambda lesson, cells: lesson.notebook.metadata.update(language_info={})),
    (hygiene.plain_metadata, lambda lesson, cells: cells[1].metadata.update(execution={"at": "now"})),
    (hygiene.stable_ids, lambda lesson, cells: cells[1].update(id="3f2a9c1b")),
    (hygiene.stable_ids, lambda lesson, cells: cells[1].update(id="cell-09")),
    (hygiene.small_file, lambda lesson, cells: cells[0].update(source=OPENING + "." * hygiene.MAX_BYTES)),
    (
        hygiene.no_markers_in_comments,
        lambda lesson, cells: cells[1].update(source="# NBVAL_IGNORE_OUTPUT - it varies\nprint(1)"),
    ),
    (hygiene.known_tags, lambda lesson, cells: set_tags(cells[1], "nbval-ignore-outputs")),
    (hygiene.known_tags, lambda lesson, cells: exceed_budget(cells, "nbval-ignore-output")),
    (hygiene.figures_are_told, tell_of_the_figure_in_prose),
    (
        hygiene.masked_figures_are_asserted,
        lambda lesson, cells: append_output(cells[1], "stream", text="On this machine: 91.0%\n"),
    ),
    (
        hygiene.masked_figures_are_asserted,
        lambda lesson, cells: append_output(cells[1], "stream", text="On this machine: scaling: True\n"),
    ),
    (hygiene.figures_have_alt_text, lambda lesson, cells: cells[3].update(source="draw()")),
    (hygiene.figures_have_alt_text, lambda lesson, cells: cells[3].update(source="# Alt text: A plot.\ndraw()")),
    (hygiene.figures_have_alt_text, lambda lesson, cells: cells[3].metadata.pop("mystnb")),
    (hygiene.figures_have_alt_text, lambda lesson, cells: cells[5].metadata.pop("mystnb")),
    (hygiene.images_have_alt_text, lambda lesson, cells: cells[2].update(source="## A\n\n![](ants.png)")),
    (hygiene.images_have_alt_text, lambda lesson, cells: cells[2].update(source='<img src="ants.png" alt="">')),
    (hygiene.named_by_number, lambda lesson, cells: object.__setattr__(lesson, "path", Path("Topic.ipynb"))),
    (hygiene.rhythm, lambda lesson, cells: cells[0].update(source=OPENING.replace("**Time**", "Time"))),
    (hygiene.rhythm, lambda lesson, cells: cells[6].update(source="Goodbye.")),
    (hygiene.headings_in_order, lambda lesson, cells: cells[2].update(source="### Too deep")),
    (hygiene.headings_in_order, lambda lesson, cells: cells[2].update(source="# A second title")),
    (hygiene.easy_to_read, lambda lesson, cells: cells[2].update(source="Notwithstanding considerable " * 20)),
    (hygiene.no_installs, lambda lesson, cells: cells[1].update(source="%pip install torch")),
    (hygiene.no_installs, lambda lesson, cells: cells[1].update(source="import os\n!pip install torch")),
    (hygiene.no_hidden_output, lambda lesson, cells: cells[1].update(source="plt.plot(x);\nprint(1)")),
    (hygiene.no_hidden_output, lambda lesson, cells: cells[1].update(source="clear_output(wait=True)")),
    (hygiene.answers_hold_no_import, import_beside_an_answer),
    (hygiene.short_lines, lambda lesson, cells: cells[1].update(source="x" * (hygiene.MAX_LINE + 1))),
    (
        hygiene.short_cells,
        lambda lesson, cells: [cell.update(source=cell.source + "\nx" * 9) for _, cell in lesson.code],
    ),
]


def breached(lesson: Lesson) -> list[Callable]:
    return [rule for rule in hygiene.RULES if list(rule(lesson))]


def test_a_good_lesson_keeps_every_rule():
    assert breached(good_lesson()) == []


@pytest.mark.parametrize(("rule", "spoil"), BROKEN, ids=[rule.__name__ for rule, _ in BROKEN])
def test_rule_catches(rule, spoil):
    lesson = good_lesson()
    spoil(lesson, lesson.notebook.cells)
    assert breached(lesson) == [rule]


def test_every_rule_is_shown_to_catch():
    assert {rule for rule, _ in BROKEN} == set(hygiene.RULES)


def test_a_mistake_shown_on_purpose_is_no_error():
    lesson = good_lesson()
    cell = lesson.notebook.cells[1]
    set_tags(cell, "raises-exception")
    append_output(cell, "error", ename="KeyError", evalue="1", traceback=["KeyError: 1"])
    assert breached(lesson) == []


def test_a_sentence_below_and_an_assert_will_do_for_a_figure():
    lesson = good_lesson()
    tell_of_the_figure_in_prose(lesson, lesson.notebook.cells)
    lesson.notebook.cells[5].update(source="assert len(points) == 2")
    assert breached(lesson) == []


def test_a_verdict_will_do_for_a_masked_figure():
    lesson = good_lesson()
    append_output(lesson.notebook.cells[1], "stream", text="On this machine: 91.0%\nabove the probe: True\n")
    assert breached(lesson) == []


def test_alternative_text_has_one_source():
    """A comment of some lines, or the sentence of a widget; renderers find it in the output and in the cell."""
    _, _, _, figure, _, widget, _ = good_lesson().notebook.cells
    said = "Two points, one above the other, on a white ground."
    assert figure.metadata["mystnb"] == {"image": {"alt": said}}
    assert figure.outputs[0].metadata["image/png"] == {"alt": said}
    assert widget.metadata["mystnb"] == {"image": {"alt": "a slider at seven, and seven points below it"}}
    figure.source = "draw()"
    hygiene.set_alt_text(figure)
    assert "mystnb" not in figure.metadata


def test_short_words_in_short_sentences_are_easy():
    easy = "We take a net. It has seen ants, and bees. What does it see?"
    hard = "Notwithstanding considerable methodological difficulties, practitioners overestimate generalisation."
    assert hygiene.lix(easy) < 10 < 90 < hygiene.lix(hard)


# --- The sanitizer


def test_nbval_reads_every_rule_of_the_sanitizer():
    text = SANITIZER.read_bytes().decode("ascii")
    written = re.findall(r"^\W*(?:regex|replace)\b", text, re.MULTILINE | re.IGNORECASE)
    parsed = get_sanitize_patterns(text)
    assert len(written) == 2 * len(parsed) == 2 * len(dict(parsed))
    for regex, replacement in parsed:
        re.compile(regex).sub(replacement, "")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("features: 12.3 s", "features: DURATION"),
        ("features:  9.8 s, then 45 ms", "features: DURATION, then DURATION"),
        ("epoch  3/8  train loss 0.1234  val 91.0 %", "epoch  3/8 ..."),
        ("train:  40%|####      | 4/10 [00:02<00:03,  2.00it/s]", "train:  PROGRESS of 10"),
        ("  0%|          | 0/8 [00:00<?, ?it/s]", "  PROGRESS of 8"),
        ("On this machine: 91.0% (88.1% to 93.2%, 364 of 400)\nmore", "On this machine: ...\nmore"),
        ("ok  machine    2 cores, 20 of 25 GB memory free", "ok  machine ..."),
        ("ok  torch      torch 2.15.0", "ok  torch      torch 2.15.0"),
        ("244 samples, 12 steps, 128 px, 91.0 %", "244 samples, 12 steps, 128 px, 91.0 %"),
    ],
)
def test_what_the_sanitizer_masks(text, masked):
    for regex, replacement in get_sanitize_patterns(SANITIZER.read_text()):
        text = re.sub(regex, replacement, text)
    assert text == masked
