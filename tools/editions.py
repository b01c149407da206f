"""Other editions of the lessons, made from the committed ones.

    python -m tools.editions teacher      executed, with the answers filled in, in build/teacher/

An exercise's cell has its tag (`exercise-q1`), an answer with `...` in it, and the check as its last line.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.exercises import Exercises
from tools import environment
from tools.notebook_hygiene import Lesson, tags_of
from tools.refresh_notebooks import Refused, execute, normalise

TEACHER = environment.ROOT / "build" / "teacher"
EXERCISE = re.compile(r"exercise-(q\d+)")


def exercises_of(notebook: Path) -> Exercises:
    """The checks, hints and solutions of a lesson, by the number in front of its name."""
    return importlib.import_module(f"helpers.exercises.lesson_{notebook.name[:2]}").exercises


def exercise_of(cell: NotebookNode) -> str | None:
    """The name of the exercise whose answer belongs into a cell, None for all other cells."""
    names = [found[1] for tag in tags_of(cell) if (found := EXERCISE.fullmatch(tag))]
    return names[0] if names else None


def answered(source: str, answer: str) -> str:
    """The source of an exercise's cell, with an answer instead of its own; the last line, the check, stays."""
    return f"{answer}\n\n{source.splitlines()[-1]}"


def build_teacher(path: Path) -> Path:
    """Fill in the answers of a lesson, run it, and write it to `TEACHER`.

    Raises:
        Refused: a cell failed.
    """
    notebook = Lesson.read(path).notebook
    answers = {exercise.name: exercise.answer for exercise in exercises_of(path)}
    for cell in notebook.cells:
        if name := exercise_of(cell):
            cell.source = answered(cell.source, answers[name])
    TEACHER.mkdir(parents=True, exist_ok=True)
    built = TEACHER / path.name
    nbformat.write(notebook, built)
    notebook = execute(built)
    normalise(notebook)
    nbformat.write(notebook, built)
    return built


def main() -> int:
    parser = argparse.ArgumentParser(description="Make another edition of the lessons.")
    parser.add_argument("edition", choices=["teacher"])
    parser.parse_args()
    environment.enter()
    failed = False
    for path in sorted(environment.NOTEBOOKS.glob("*.ipynb")):
        try:
            print(build_teacher(path).relative_to(environment.ROOT), flush=True)
        except Refused as refusal:
            failed = True
            print(refusal, file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
