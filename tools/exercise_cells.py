"""Where a lesson's exercises stand in its notebook.

An exercise's cell has its tag (`exercise-q1`), an answer with `...` in it, and the check as its last line.
"""

import importlib
import re
from pathlib import Path

from nbformat import NotebookNode

from helpers.exercises import Exercises
from tools.notebook_hygiene import tags_of

TAG = re.compile(r"exercise-(q\d+)")


def exercises_of(notebook: Path) -> Exercises:
    """The checks, hints and solutions of a lesson, by the number in front of its name."""
    return importlib.import_module(f"helpers.exercises.lesson_{notebook.name[:2]}").exercises


def exercise_of(cell: NotebookNode) -> str | None:
    """The name of the exercise whose answer belongs into a cell, None for all other cells."""
    names = [found[1] for tag in tags_of(cell) if (found := TAG.fullmatch(tag))]
    return names[0] if names else None


def split(source: str) -> tuple[str, str]:
    """The answer in the source of an exercise's cell, and its last line, the check."""
    answer, check = source.rsplit("\n", 1)
    return answer.rstrip(), check


def answered(source: str, answer: str) -> str:
    """The source of an exercise's cell, with an answer instead of its own; the check stays."""
    return f"{answer}\n\n{split(source)[1]}"
