"""Other editions of the lessons, made from the committed ones.

python -m tools.editions teacher      executed, with the answers filled in, in build/teacher/
python -m tools.editions nbgrader     a course for nbgrader, in build/nbgrader/
python -m tools.editions slides       slides, in build/slides/

Names, such as `teacher 00 03`, choose lessons by how theirs begin.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from tools import environment, nbgrader_course, slides
from tools.exercise_cells import answered, exercise_of, exercises_of
from tools.links import away_from_here
from tools.notebook_hygiene import Lesson
from tools.refresh_notebooks import Refused, execute, for_lessons, normalise

TEACHER = environment.ROOT / "build" / "teacher"


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
        elif cell.cell_type == "markdown":
            cell.source, attachments = away_from_here(cell.source, environment.NOTEBOOKS)
            if attachments:
                cell["attachments"] = attachments
    TEACHER.mkdir(parents=True, exist_ok=True)
    built = TEACHER / path.name
    nbformat.write(notebook, built)
    try:
        notebook = execute(built)
    except Refused:
        built.unlink()  # it has the answers, but the outputs of the lesson without them
        raise
    normalise(notebook)
    nbformat.write(notebook, built)
    return built


EDITIONS = {"teacher": build_teacher, "nbgrader": nbgrader_course.build, "slides": slides.build}


def main() -> int:
    parser = argparse.ArgumentParser(description="Make another edition of the lessons.")
    parser.add_argument("edition", choices=EDITIONS)
    parser.add_argument("names", nargs="*", help="how a lesson's name begins; all without one")
    arguments = parser.parse_args()
    build = EDITIONS[arguments.edition]
    return for_lessons(lambda path: str(build(path).relative_to(environment.ROOT)), arguments.names)


if __name__ == "__main__":
    sys.exit(main())
