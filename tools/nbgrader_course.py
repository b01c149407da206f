"""The lessons as a course for nbgrader, with points, and hidden tests that ask the exercises' own checks.

An exercise becomes two cells: the committed one, with the solution in a region that nbgrader takes out, and a
locked one with the hidden test. An open challenge has a third one, for the points that a teacher gives.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

from helpers.exercises import Exercise
from tools import environment
from tools.exercise_cells import exercise_of, exercises_of, split
from tools.links import away_from_here
from tools.notebook_hygiene import METADATA, Lesson

COURSE = environment.ROOT / "build" / "nbgrader"
POINTS = 1  # for an exercise that checks itself
RUBRIC_POINTS = 2  # at most, for each point of an open challenge: TEACHING.md says when

CONFIG = f'''\
"""What nbgrader should know of this course. Written by `make nbgrader`."""

c = get_config()
c.CourseDirectory.course_id = "transfer-learning"
c.ClearSolutions.code_stub = {{"python": "# Your answer goes where the `...` is."}}
c.ClearSolutions.text_stub = "Your words, and where your figures are:"
c.Execute.timeout = {environment.CELL_TIMEOUT_S}
'''


def graded(cell: NotebookNode, grade_id: str, points: int | None, solution: bool) -> NotebookNode:
    """The cell, with what nbgrader reads from its metadata; without points it is not graded."""
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": grade_id,
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        **({} if points is None else {"points": points}),
    }
    return cell


def exercise_cells(cell: NotebookNode, exercise: Exercise, module: str) -> Iterator[NotebookNode]:
    """What stands for an exercise's cell in the course."""
    answer, check = split(cell.source)
    solution = f"### BEGIN SOLUTION\n{exercise.answer}\n### END SOLUTION"
    cell.source = f"{answer}\n\n{solution}\n\n{check}"
    yield graded(cell, exercise.name, points=None, solution=True)

    # Imported anew, and checked anew, whatever the answer did to the name or to the line with the check.
    test = [
        f"# The points of {exercise.name}",
        "### BEGIN HIDDEN TESTS",
        f"from {module} import {exercise.name}",
        "",
        check.replace(f"{exercise.name}.check(", f"{exercise.name}.grade(", 1),
        "### END HIDDEN TESTS",
    ]
    yield graded(v4.new_code_cell("\n".join(test)), f"{exercise.name}-test", POINTS, solution=False)

    if exercise.rubric:
        points = [f"- {point}" for point in exercise.rubric]
        words = "\n".join(
            [
                f"**{exercise.name}, by hand.** Your teacher gives up to {RUBRIC_POINTS} points for each:",
                "",
                *points,
                "",
                "### BEGIN SOLUTION",
                "What the teacher judges.",
                "### END SOLUTION",
            ]
        )
        by_hand = v4.new_markdown_cell(words)
        yield graded(by_hand, f"{exercise.name}-by-hand", RUBRIC_POINTS * len(points), solution=True)


def build(path: Path) -> Path:
    """Write a lesson to the source folder of the course, and the course's settings; returns the notebook."""
    exercises = {exercise.name: exercise for exercise in exercises_of(path)}
    cells = []
    for cell in Lesson.read(path).notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:  # each lesson lies in a folder of its own
            cell.source, attachments = away_from_here(cell.source, environment.NOTEBOOKS)
            if attachments:
                cell["attachments"] = attachments
            cell.source = re.sub(r"\]\((\w+)\.ipynb\)", r"](../\1/\1.ipynb)", cell.source)
        name = exercise_of(cell)
        module = f"helpers.exercises.lesson_{path.name[:2]}"
        cells += exercise_cells(cell, exercises[name], module) if name else [cell]
    built = COURSE / "source" / path.stem / path.name
    built.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=METADATA), built)
    (COURSE / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    return built
