"""Each exercise, in the kernel of its lesson: left alone, with wrong answers, with other right ones, solved."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest
import torch
from lesson_code import names_in, needed
from nbclient import NotebookClient
from nbformat import v4

from helpers import exercises as framework
from helpers.exercises import CORRECT, NOT_ATTEMPTED, NOT_YET, Exercises, NotYet, choose, match, number, result_of
from tools.environment import NOTEBOOKS
from tools.exercise_cells import answered, exercise_of, exercises_of
from tools.notebook_hygiene import Lesson

ANSWERS = Path(__file__).parent / "wrong_answers"
LESSONS = {path.stem[-2:]: next(NOTEBOOKS.glob(f"{path.stem[-2:]}_*.ipynb")) for path in sorted(ANSWERS.glob("*.py"))}


@cache
def imagined(number: str):
    """The module with what learners of a lesson may answer."""
    spec = importlib.util.spec_from_file_location(f"answers_{number}", ANSWERS / f"lesson_{number}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def said(number: str) -> dict[tuple[str | None, str], str]:
    """What the cells of a lesson say: by exercise and source, each run once in one kernel."""
    path = LESSONS[number]
    answers = {exercise.name: exercise.answer for exercise in exercises_of(path)}
    cells = []
    for _, cell in Lesson.read(path).code:
        name = exercise_of(cell)
        tried = [cell.source]
        if name:
            wrong = [source for source, _ in imagined(number).WRONG[name]]
            others = [*wrong, *imagined(number).RIGHT.get(name, ()), answers[name]]
            tried += [answered(cell.source, source) for source in others]
        cells.append((name, tried))
    cells = list(needed(cells))
    cells.append((None, ["exercises"]))
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for _, tried in cells for source in tried])
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        allow_errors=True,
    )
    client.execute()
    keys = [(name, source) for name, tried in cells for source in tried]
    texts = {}
    for key, cell in zip(keys, notebook.cells, strict=True):
        parts = [
            out.get("text") or out.get("data", {}).get("text/plain") or out.get("evalue", "")
            for out in cell.outputs
            if out.output_type != "display_data"  # a progress bar
        ]
        texts[key] = "".join(parts)
    return texts


def cell_of(number: str, name: str) -> str:
    return next(cell.source for _, cell in Lesson.read(LESSONS[number]).code if exercise_of(cell) == name)


def verdict(number: str, name: str, answer: str | None = None) -> str:
    """What the check says to an answer; None leaves the cell alone."""
    source = cell_of(number, name)
    return said(number)[name, source if answer is None else answered(source, answer)]


ALL = [(number, exercise.name) for number, path in LESSONS.items() for exercise in exercises_of(path)]


@pytest.mark.parametrize(("number", "name"), ALL)
def test_left_alone_it_is_not_attempted(number, name):
    assert verdict(number, name).startswith(f"{name}: {NOT_ATTEMPTED}. ")


@pytest.mark.parametrize(("number", "name"), ALL)
def test_the_solution_is_correct(number, name):
    answer = next(exercise.answer for exercise in exercises_of(LESSONS[number]) if exercise.name == name)
    assert verdict(number, name, answer).startswith(f"{name}: {CORRECT}. ")


@pytest.mark.parametrize(
    ("number", "name", "answer"),
    [(n, name, answer) for n in LESSONS for name, answers in imagined(n).RIGHT.items() for answer in answers],
)
def test_another_right_answer_is_correct(number, name, answer):
    assert verdict(number, name, answer).startswith(f"{name}: {CORRECT}. ")


@pytest.mark.parametrize(
    ("number", "name", "answer", "message"),
    [(n, name, *pair) for n in LESSONS for name, pairs in imagined(n).WRONG.items() for pair in pairs],
)
def test_a_wrong_answer_is_told_what_is_wrong(number, name, answer, message):
    text = verdict(number, name, answer)
    assert text.startswith(f"{name}: {NOT_YET}. ")
    assert message in text


@pytest.mark.parametrize("number", LESSONS)
def test_at_the_end_all_is_done(number):
    total = len(list(exercises_of(LESSONS[number])))
    assert said(number)[None, "exercises"].startswith(f"Exercises: {total} of {total} done; ")


@pytest.mark.parametrize("number", LESSONS)
def test_each_lesson_has_enough(number):
    exercises = list(exercises_of(LESSONS[number]))
    assert len(exercises) >= 4
    assert any(exercise.rubric for exercise in exercises), "no open challenge"
    for exercise in exercises:
        assert len({message for _, message in imagined(number).WRONG[exercise.name]}) >= 2
        assert len(imagined(number).WRONG[exercise.name]) >= 3
        assert len(exercise.hints) >= 2


@pytest.mark.parametrize("number", LESSONS)
def test_cells_and_exercises_belong_together(number):
    cells = [cell for _, cell in Lesson.read(LESSONS[number]).code]
    names = [exercise_of(cell) for cell in cells]
    exercises = [exercise.name for exercise in exercises_of(LESSONS[number])]
    assert [name for name in names if name] == exercises == [f"q{n}" for n, _ in enumerate(exercises, start=1)]
    assert cells[-1].source == "exercises", "the lesson's last cell says what is done"
    others = set().union(*(names_in(c.source)[1] for c, name in zip(cells, names, strict=True) if not name))
    for cell, name in zip(cells, names, strict=True):
        if name:
            assert "..." in cell.source
            assert cell.source.splitlines()[-1].startswith(f"{name}.check(")
            assert not names_in(cell.source)[1] & (others - {name}), "an answer replaces a name of the lesson"


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


@pytest.mark.parametrize(
    ("value", "message"), [("a.", "No, not A."), ("D", "Choose one of 'A', 'C'."), (3, "Choose one of 'A', 'C'.")]
)
def test_a_wrong_word_is_told_why(value, message):
    with pytest.raises(NotYet, match=f"^{message}$"):
        choose(value, "C", {"A": "No, not A."})


@pytest.mark.parametrize("value", ["inf", "3", None, [1, 2], Hostile()])
def test_a_word_is_no_number(value):
    with pytest.raises(NotYet, match="^One number is expected here, not "):
        number(value)


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
        "q1: correct. It runs. Judge the rest yourself, a point for each:",
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
