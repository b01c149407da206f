"""The course for nbgrader: its notebooks are as nbgrader wants them, and nbgrader itself, where it is, takes them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4

from helpers.exercises import NoPoint
from tools import nbgrader_course
from tools.environment import NOTEBOOKS, ROOT
from tools.exercise_cells import answered, exercise_of, exercises_of
from tools.notebook_hygiene import Lesson

LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
NBGRADER = ROOT / ".venv-nbgrader" / "bin"
SMALL = "08_small"  # a lesson of two exercises
PARETO = "def pareto_front(costs, accuracies):\n    return ...\n\n\nq5.check(pareto_front)"

# What nbgrader takes out, and what it does then: https://nbgrader.readthedocs.io
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*)\n### END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*)\n### END HIDDEN TESTS", re.DOTALL)
FLAGS = {"grade", "solution", "locked", "task"}

# All steps of one kind in one process: nbgrader takes seconds to start.
RUN = """\
import sys
from nbgrader.apps import {app}
for name in sys.argv[1:]:
    app = {app}()
    app.initialize([name])
    app.start()
"""
GRADES = """\
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    for submission in book.assignment_submissions("08_small"):
        for grade in submission.notebooks[0].grades:
            print(submission.student.id, grade.name, grade.auto_score, grade.max_score)
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """The folder of a course with all lessons and the small one."""
    folder = tmp_path_factory.mktemp("course")
    cells = [
        v4.new_code_cell("from helpers.exercises.lesson_08 import q1, q5"),
        v4.new_code_cell("where = ...\n\nq1.check(where)", metadata={"tags": ["exercise-q1"]}),
        v4.new_code_cell(PARETO, metadata={"tags": ["exercise-q5"]}),
        v4.new_markdown_cell("Next: [07](07_fine_tuning.ipynb), or [elsewhere](https://example.org/a.ipynb)"),
    ]
    nbformat.write(v4.new_notebook(cells=cells), folder / f"{SMALL}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbgrader_course, "COURSE", folder)
        for path in [*LESSONS, folder / f"{SMALL}.ipynb"]:
            nbgrader_course.build(path)
    return folder


def source_of(course: Path, name: str) -> list[NotebookNode]:
    return nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4).cells


def marks(cells: list[NotebookNode]) -> list[tuple[NotebookNode, dict]]:
    """The cells that nbgrader has to do with, and what it reads from them."""
    return [(cell, cell.metadata["nbgrader"]) for cell in cells if "nbgrader" in cell.metadata]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_metadata_is_as_nbgrader_wants_it(course, path):
    found = marks(source_of(course, path.stem))
    ids = [mark["grade_id"] for _, mark in found]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) for name in ids)
    for cell, mark in found:
        assert mark["schema_version"] == 3
        assert mark.keys() == FLAGS | {"schema_version", "grade_id"} | ({"points"} if mark["grade"] else set())
        assert all(isinstance(mark[flag], bool) for flag in FLAGS)
        assert mark["points"] > 0 if mark["grade"] else True
        assert bool(SOLUTION.search(cell.source)) == mark["solution"] != mark["locked"]
        assert bool(HIDDEN.search(cell.source)) == mark["locked"], "only a locked cell can keep a test"
        assert cell.cell_type == "code" or (mark["grade"] and mark["solution"])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_exercise_is_in_the_course(course, path):
    cells = source_of(course, path.stem)
    committed = {exercise_of(cell): cell.source for _, cell in Lesson.read(path).code}
    by_id = {mark["grade_id"]: cell for cell, mark in marks(cells)}
    for exercise in exercises_of(path):
        cell, test = by_id.pop(exercise.name), by_id.pop(f"{exercise.name}-test")
        assert SOLUTION.search(cell.source)[1] == exercise.answer
        blank, check = committed[exercise.name].rsplit("\n", 1)
        assert SOLUTION.sub("", cell.source).split() == f"{blank} {check}".split(), "the blank is another one"
        assert HIDDEN.sub("", test.source).splitlines() == [f"# The points of {exercise.name}"]
        assert check.replace(".check(", ".grade(") in HIDDEN.search(test.source)[1]
        if exercise.rubric:
            by_hand = by_id.pop(f"{exercise.name}-by-hand")
            assert all(point in SOLUTION.sub("", by_hand.source) for point in exercise.rubric)
    assert not by_id
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


def test_links_lead_to_the_next_lesson(course):
    assert source_of(course, SMALL)[-1].source == (
        "Next: [07](../07_fine_tuning/07_fine_tuning.ipynb), or [elsewhere](https://example.org/a.ipynb)"
    )


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        (None, True),
        ("where = ...", False),
        ("where = 'head'", False),
        ("del where", False),
        ("q1.status = 'correct'", False),
        ("q1 = type('Mine', (), {'check': print, 'status': 'correct'})", False),
    ],
)
def test_the_hidden_test_sees_through(course, answer, points):
    cells = source_of(course, SMALL)
    solution, test = cells[1].source, cells[2].source
    names = {}
    exec(cells[0].source, names)
    exec(solution if answer is None else f"where = ...\n{answer}", names)
    if points:
        exec(test, names)
    else:
        with pytest.raises((NoPoint, NameError)):
            exec(test, names)


# --- nbgrader itself


def run(course: Path, *command: str) -> str:
    """What a command says that runs in the environment of nbgrader, in the folder of the course."""
    env = {**os.environ, "PATH": os.pathsep.join([str(NBGRADER), os.environ["PATH"]])}
    env.pop("PYTHONPATH", None)  # the guard of the tests against the network holds in the lessons' environment
    done = subprocess.run(command, cwd=course, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def released(course) -> Path:
    """The folder with what learners get of each lesson."""
    if not (NBGRADER.parent / "ready").exists():
        pytest.skip("nbgrader is not here: `make nbgrader` makes an environment for it")
    names = [path.stem for path in LESSONS]
    run(course, "python", "-c", RUN.format(app="GenerateAssignmentApp"), SMALL, *names)
    return course / "release"


@pytest.mark.nightly
@pytest.mark.parametrize("name", [SMALL, *(path.stem for path in LESSONS)])
def test_nbgrader_generates_the_assignment(course, released, name):
    assignment = nbformat.read(released / name / f"{name}.ipynb", as_version=4)
    sources = "\n".join(cell.source for cell in assignment.cells)
    assert not re.search(r"(BEGIN|END) (SOLUTION|HIDDEN)", sources)
    for cell, mark in marks(assignment.cells):
        if mark["solution"] and cell.cell_type == "code":
            assert "..." in cell.source and f"{mark['grade_id']}.check(" in cell.source


@pytest.mark.nightly
def test_nbgrader_gives_all_points_or_none(course, released):
    answers = {exercise.name: exercise.answer for exercise in exercises_of(Path(SMALL))}
    for student in ("solved", "untouched"):
        handed_in = course / "submitted" / student / SMALL / f"{SMALL}.ipynb"
        handed_in.parent.mkdir(parents=True)
        shutil.copy(released / SMALL / f"{SMALL}.ipynb", handed_in)
        if student == "solved":
            notebook = nbformat.read(handed_in, as_version=4)
            for cell in notebook.cells:
                if name := exercise_of(cell):
                    cell.source = answered(cell.source, answers[name])
            nbformat.write(notebook, handed_in)
    run(course, "python", "-c", RUN.format(app="AutogradeApp"), SMALL)
    grades = sorted(run(course, "python", "-c", GRADES).splitlines())
    assert grades == [
        "solved q1-test 1.0 1.0",
        "solved q5-by-hand 0.0 6.0",  # nothing was written
        "solved q5-test 1.0 1.0",
        "untouched q1-test 0.0 1.0",
        "untouched q5-by-hand 0.0 6.0",
        "untouched q5-test 0.0 1.0",
    ]
