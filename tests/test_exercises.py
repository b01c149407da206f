"""What exercises are made of, and that each lesson has enough of them; nbval tries the answers to them."""

import symtable

import pytest
import torch
from nbval.plugin import IPyNbFile
from support.answers import LessonFile, answers_to, imagined

from helpers import exercises as framework
from helpers.exercises import NOT_ATTEMPTED, NOT_YET, Exercises, NotYet, choose, match, number, result_of
from tools.environment import NOTEBOOKS
from tools.exercise_cells import exercise_of, exercises_of
from tools.notebook_hygiene import Lesson

pytestmark = pytest.mark.quick

LESSONS = pytest.mark.parametrize("lesson", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)


@LESSONS
def test_each_lesson_has_enough(lesson):
    exercises = list(exercises_of(lesson))
    assert len(exercises) >= 4
    assert any(exercise.rubric for exercise in exercises), "no open challenge"
    for exercise in exercises:
        wrong = imagined(lesson).WRONG[exercise.name]
        assert len(wrong) >= 3
        assert len({message for _, message in wrong}) >= 2
        assert len(exercise.hints) >= 2
        assert not any(r"\\" in hint for hint in exercise.hints), "a backslash is shown twice"


def assigned(source: str) -> set[str]:
    """The names that a cell gives a value."""
    return {name.get_name() for name in symtable.symtable(source, "cell", "exec").get_symbols() if name.is_assigned()}


@LESSONS
def test_cells_and_exercises_belong_together(lesson):
    cells = [cell for _, cell in Lesson.read(lesson).code]
    names = [exercise_of(cell) for cell in cells]
    exercises = [exercise.name for exercise in exercises_of(lesson)]
    assert [name for name in names if name] == exercises == [f"q{n}" for n, _ in enumerate(exercises, start=1)]
    assert cells[-1].source == "exercises", "the lesson's last cell says what is done"
    for cell, name in zip(cells, names, strict=True):
        if name:
            assert "..." in cell.source
            assert cell.source.splitlines()[-1].startswith(f"{name}.check(")
            (output,) = cell.outputs
            assert output.text.startswith(f"{name}: {NOT_ATTEMPTED}. ")


@LESSONS
def test_no_answer_replaces_a_name_of_the_lesson(lesson):
    """So they can be tried one after the other, by learners as by the tests."""
    cells = [(exercise_of(cell), assigned(cell.source)) for _, cell in Lesson.read(lesson).code]
    of_lesson = set().union(*(names for exercise, names in cells if not exercise))
    of_answers = set().union(*(names for exercise, names in cells if exercise))
    of_answers |= set().union(*(assigned(answer.source) for answer in answers_to(lesson)))
    assert not of_answers & of_lesson


# --- The framework


def make(judge, **options) -> framework.Exercise:
    return Exercises().add(**{"hints": ("think", "think more"), "answer": "x = 1", **options})(judge)


@pytest.fixture
def doubled() -> framework.Exercise:
    def q1(function) -> str:
        if result_of(function, 3) != 6:
            raise NotYet("Twice three is six.")
        return "Twice as much."

    return make(q1)


class Hostile:
    """Raises whatever one asks."""

    def refuse(self, *_):
        raise OSError("no")

    __repr__ = __str__ = __eq__ = __float__ = __len__ = __bool__ = __call__ = __hash__ = refuse


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words either")


def leave(_):
    raise SystemExit(3)


def be_mute(_):
    raise Mute


def recurse(x):
    return recurse(x)


@pytest.mark.parametrize(
    "answer",
    [3, None, Hostile(), [Hostile()], leave, be_mute, recurse, lambda: 6, lambda x: None, lambda x: Hostile(), type],
)
def test_check_never_raises(doubled, answer, capsys):
    doubled.check(answer)
    assert capsys.readouterr().out.startswith("q1: not yet. ")
    assert doubled.status == NOT_YET


def test_a_word_may_be_written_anyhow():
    choose(" Too sure. ", "too sure", {"calibrated": "No."})
    choose("c", "C", {"A": "No."})
    match({"a": "Far above."}, {"a": "far above"}, {"a": "No."})
    match({"a": "normalized"}, {"a": "normalised"}, {"a": "No."})


@pytest.mark.parametrize(
    ("value", "message"), [("a.", "No, not A."), ("D", "Choose one of 'A', 'C'."), (3, "Choose one of 'A', 'C'.")]
)
def test_a_wrong_word_is_told_why(value, message):
    with pytest.raises(NotYet, match=f"^{message}$"):
        choose(value, "C", {"A": "No, not A."})


@pytest.mark.parametrize("value", ["inf", "nan", "three", None, [1, 2], Hostile()])
def test_a_word_is_no_number(value):
    with pytest.raises(NotYet, match="^One number is expected here, not "):
        number(value)


def test_a_number_may_be_written_as_text():
    assert number(" 6.50 ") == number(6.5) == number(torch.tensor(6.5)) == 6.5


@pytest.mark.parametrize("answers", [(), (...,), ([1, ...],), ({"a": ...},), (lambda x: ...,)])
def test_an_empty_answer_is_not_attempted(doubled, answers, capsys):
    doubled.check(*answers)
    assert capsys.readouterr().out == "q1: not attempted. Put your answer in place of the `...`; q1.hint() helps.\n"


def test_the_stop_button_stops(doubled):
    def endless(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doubled.check(endless)


def test_a_right_answer(doubled, capsys):
    doubled.check(lambda x: x + x)
    assert capsys.readouterr().out == "q1: correct. Twice as much.\n"


def test_a_check_leaves_the_random_numbers_alone(doubled):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    doubled.check(lambda x: torch.rand(5))
    assert torch.equal(torch.rand(3), expected)


def test_hints_come_one_by_one(doubled, capsys):
    for _ in range(3):
        doubled.hint()
    assert capsys.readouterr().out.splitlines() == [
        "q1, hint 1 of 2: think",
        "q1, hint 2 of 2: think more",
        "q1, hint 2 of 2: think more",
    ]


def test_the_solution_on_demand(doubled, capsys):
    doubled.solution()
    assert capsys.readouterr().out == "q1, one solution:\n\nx = 1\n"


def test_a_challenge_lists_what_to_judge(capsys):
    def q1(_) -> str:
        return "It runs."

    make(q1, rubric=("It is short.", "It is clear.")).check(1)
    assert capsys.readouterr().out.splitlines() == [
        "q1: correct. It runs. Judge the rest yourself:",
        "- It is short.",
        "- It is clear.",
    ]


def test_progress():
    exercises = Exercises()
    for name in ("q1", "q2", "q3"):

        def judge(answer) -> str:
            if answer != 1:
                raise NotYet("One.")
            return "Yes."

        judge.__name__ = name
        exercises.add(("think",), "1")(judge)
    one, two, _ = exercises
    one.check(1)
    two.check(2)
    assert repr(exercises) == "Exercises: 1 of 3 done; correct: q1; not yet: q2; not attempted: q3"
    two.check(1)
    one.check(0)
    assert repr(exercises) == "Exercises: 2 of 3 done; correct: q1, q2; not attempted: q3", "what is done stays done"


def test_a_kernel_that_dies_at_its_start_is_started_once_more(monkeypatch):
    tries = []

    def start(lesson: LessonFile) -> None:
        tries.append(lesson)
        if len(tries) in (1, 3, 4):
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(IPyNbFile, "setup", start)
    lesson = object.__new__(LessonFile)
    lesson.setup()
    assert len(tries) == 2
    with pytest.raises(RuntimeError, match="died"):
        lesson.setup()
    assert len(tries) == 4
