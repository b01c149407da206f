"""What learners may answer to the exercises, tried in the lesson's own kernel when nbval has run its cells.

The answers that are wrong, and other right ones, stand in `tests/wrong_answers/lesson_NN.py`: each source of a wrong
one with words that its message must have. That an exercise left alone says so, nbval compares with what is stored.
"""

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from nbformat import v4
from nbval.plugin import IPyNbCell, IPyNbFile

from helpers.exercises import CORRECT, NOT_YET
from tools.exercise_cells import answered, exercise_of, exercises_of
from tools.notebook_hygiene import Lesson

FOLDER = Path(__file__).parent.parent / "wrong_answers"


class Answer(NamedTuple):
    """An answer to an exercise: `said` is how the check begins, and `message` what it has to contain."""

    title: str
    source: str
    said: str
    message: str = ""


@cache
def imagined(lesson: Path) -> ModuleType:
    """The module with what learners of a lesson may answer."""
    spec = importlib.util.spec_from_file_location(f"answers_{lesson.name[:2]}", path_of(lesson))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def path_of(lesson: Path) -> Path:
    return FOLDER / f"lesson_{lesson.name[:2]}.py"


def answers_to(lesson: Path) -> Iterator[Answer]:
    """The answers to all exercises of a lesson: to each the wrong ones, other right ones, and the solution."""
    cells = {exercise_of(cell): cell.source for _, cell in Lesson.read(lesson).code}
    for exercise in exercises_of(lesson):
        name, cell = exercise.name, cells[exercise.name]
        wrong, right = imagined(lesson).WRONG[name], imagined(lesson).RIGHT.get(name, ())
        for number, (source, message) in enumerate(wrong, start=1):
            yield Answer(f"{name}, wrong answer {number}", answered(cell, source), f"{name}: {NOT_YET}. ", message)
        for number, source in enumerate(right, start=1):
            yield Answer(f"{name}, right answer {number}", answered(cell, source), f"{name}: {CORRECT}. ")
        yield Answer(f"{name}, the solution", answered(cell, exercise.answer), f"{name}: {CORRECT}. ")


class AnswerCell(IPyNbCell):
    """A cell with an answer in it, after those of the notebook; nbval runs it, and compares nothing."""

    expected: Answer

    def runtest(self) -> None:
        super().runtest()
        said = "".join(output.get("text", "") for output in self.test_outputs)
        if not (said.startswith(self.expected.said) and self.expected.message in said):
            self.raise_cell_error(f"expected {self.expected.said}... {self.expected.message}, and it said {said}")


class LessonFile(IPyNbFile):
    """A notebook under nbval, and after its cells the answers to its exercises."""

    def setup(self) -> None:
        """A kernel's ports are found first and taken seconds later: if another process was quicker, once more."""
        try:
            super().setup()
        except RuntimeError as error:
            if not str(error).startswith("Kernel died before"):
                raise
            super().setup()

    def collect(self) -> Iterator[IPyNbCell]:
        cells = list(super().collect())
        yield from cells
        if path_of(self.path).exists():
            for number, answer in enumerate(answers_to(self.path), start=len(cells)):
                options = dict.fromkeys(("skip", "check", "check_exception"), False)
                source = v4.new_code_cell(answer.source)
                cell = AnswerCell.from_parent(self, name=answer.title, cell_num=number, cell=source, options=options)
                cell.expected = answer
                yield cell
