"""The teacher's edition, and what TEACHING.md says of the lessons."""

import re
from base64 import b64decode

import nbformat
import pytest
from nbformat import v4

from tools import editions
from tools.environment import NOTEBOOKS, ROOT
from tools.links import away_from_here, repository
from tools.notebook_hygiene import Lesson
from tools.refresh_notebooks import Refused


def test_the_teachers_edition_has_answers_and_outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "TEACHER", tmp_path / "teacher")
    cell = v4.new_code_cell(
        "my_seconds = ...\n\nq1.check(my_seconds, batch_seconds)", metadata={"tags": ["exercise-q1"]}
    )
    first = v4.new_code_cell("from helpers.exercises.lesson_00 import q1\nbatch_seconds = 0.25")
    path = tmp_path / "00_small.ipynb"
    nbformat.write(v4.new_notebook(cells=[first, cell]), path)
    students = path.read_bytes()

    built = nbformat.read(editions.build_teacher(path), as_version=4)

    assert built.cells[1].source == "my_seconds = 397 / 32 * batch_seconds\n\nq1.check(my_seconds, batch_seconds)"
    assert built.cells[1].outputs[0].text.startswith("q1: correct. ")
    assert path.read_bytes() == students


def test_an_edition_takes_pictures_along_and_leads_to_the_web():
    source = "![The app](../docs/app.png), [limits](../docs/your-own-images.md#large-photographs), [next](11_x.ipynb)"
    moved, attachments = away_from_here(source, NOTEBOOKS)
    limits = f"https://github.com/{repository()}/blob/main/docs/your-own-images.md#large-photographs"
    assert moved == f"![The app](attachment:app.png), [limits]({limits}), [next](11_x.ipynb)"
    assert b64decode(attachments["app.png"]["image/png"]) == (ROOT / "docs" / "app.png").read_bytes()


def test_a_lesson_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "TEACHER", tmp_path / "teacher")
    path = tmp_path / "00_small.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(Refused, match="ZeroDivisionError"):
        editions.build_teacher(path)
    assert not list((tmp_path / "teacher").iterdir())


def test_teaching_names_sections_that_are_there():
    text = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (\d\d) .*$", text.split("## Exercises and how to mark them")[0], flags=re.MULTILINE)
    taught = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert taught.keys() <= {path.name[:2] for path in NOTEBOOKS.glob("*.ipynb")}
    for number, section in taught.items():
        lesson = Lesson.read(next(NOTEBOOKS.glob(f"{number}_*.ipynb")))
        headings = {title for prose in lesson.prose for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}
        for misconception in re.findall(r'\*\*Misconception\*\*: "[^"]+"\.? (.+)', section):
            named = re.findall(r"\*([^*]+)\*", misconception)
            assert named or "xercise" in misconception, misconception
            assert {name.rstrip(".") for name in named} <= headings, misconception


def test_teaching_tells_the_minutes_of_each_lesson():
    text = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    table = re.search(
        r"^\| minutes \|(.+)\n.+\n\| to read \|(.+)\n\| in class, with exercises \|(.+)$", text, re.MULTILINE
    )
    rows = (re.findall(r"\d+", row) for row in table.groups())
    planned = {number: (int(reading), int(in_class)) for number, reading, in_class in zip(*rows, strict=True)}
    time = r"\*\*Time\*\* Reading: (\d+) minutes\. Exercises: (\d+) minutes\."
    said = {path.name[:2]: re.search(time, "".join(Lesson.read(path).prose)) for path in NOTEBOOKS.glob("*.ipynb")}
    assert planned.keys() == said.keys()
    for number, (reading, in_class) in planned.items():
        minutes, exercises = map(int, said[number].groups())
        assert reading == minutes, number
        assert minutes + exercises <= in_class <= minutes + exercises + 45, f"{number}: talking takes some time, too"


@pytest.mark.parametrize(
    ("schedule", "minutes"), [(r"\*\*90 minutes\.", 90), (r"\*\*A day\.\*\* Six hours, and the breaks", 360)]
)
def test_a_schedule_takes_as_long_as_it_says(schedule, minutes):
    text = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    table = re.search(schedule + r"[\s\S]*?\n\n((?:\|.*\n)+)", text)[1]
    assert sum(map(int, re.findall(r"^\| (\d+)", table, re.MULTILINE))) == minutes
