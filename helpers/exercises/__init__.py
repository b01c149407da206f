"""Exercises that check themselves: `q1.check(answer)`, `q1.hint()`, `q1.solution()`.

Those of a lesson stand in `lesson_NN.py`: the question is in the notebook; the check, the hints and a solution here.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from helpers.devices import seeded
from helpers.errors import OneLine

Answer = Any  # a learner's: it may be anything
CORRECT, NOT_YET, NOT_ATTEMPTED = "correct", "not yet", "not attempted"


class NotYet(Exception):
    """What is wrong with an answer, in words that help to mend it."""


class NotAttempted(Exception):
    """The answer still holds `...`."""


class NoPoint(OneLine, Exception):
    """What a cell ends in that checks an answer for its point; no learner meets it while learning."""


class Exercise:
    """One question of a lesson.

    Args:
        judge: takes the answers; returns what to say to a right one, or raises `NotYet` with what is wrong.
            Its name is that of the exercise. It judges what an answer does, not how it is written.
        hints: from a nudge to nearly all.
        answer: source code that takes the place of the `...`.
        rubric: for an open question, what is left to judge for the learner, or for a teacher who gives points.

    Attributes:
        status: `CORRECT`, `NOT_YET` or `NOT_ATTEMPTED`, of the last answer.
        done: whether an answer was right; a later try takes nothing away.
    """

    def __init__(self, judge: Callable[..., str], hints: Sequence[str], answer: str, rubric: Sequence[str] = ()):
        self.name = judge.__name__
        self.judge, self.hints, self.answer, self.rubric = judge, hints, answer.strip(), rubric
        self.status, self.done = NOT_ATTEMPTED, False
        self._hints_given = 0

    def check(self, *answers: Answer) -> None:
        """Say whether the answers are right, and if not, why. Never raises: only the stop button ends it."""
        try:
            with seeded(0):  # the same answer gets the same verdict
                self.status, remark = CORRECT, self._judged(answers)
            self.done = True
        except NotAttempted:
            self.status, remark = NOT_ATTEMPTED, f"Put your answer in place of the `...`; {self.name}.hint() helps."
        except NotYet as why:
            self.status, remark = NOT_YET, str(why)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a learner's code may do, sys.exit() too
            self.status, remark = NOT_YET, f"Your answer ended in {described(error).rstrip('.')}."
        print(f"{self.name}: {self.status}. {remark}")

    def _judged(self, answers: tuple[Answer, ...]) -> str:
        if not answers or is_blank(answers):
            raise NotAttempted
        remark = self.judge(*answers)
        if self.rubric:
            points = [f"\n- {point}" for point in self.rubric]
            remark += "".join([" Judge the rest yourself:", *points])
        return remark

    def grade(self, *answers: Answer) -> None:
        """Check the answers where a program gives the point, such as nbgrader, which gives none to a cell that fails.

        Raises:
            NoPoint: they are not right; `check` has said why.
        """
        self.check(*answers)
        if self.status != CORRECT:
            raise NoPoint(f"no point for {self.name}, for the reason above.")

    def hint(self) -> None:
        """Print the next hint; the last one stays."""
        self._hints_given = min(self._hints_given + 1, len(self.hints))
        print(f"{self.name}, hint {self._hints_given} of {len(self.hints)}: {self.hints[self._hints_given - 1]}")

    def solution(self) -> None:
        """Print one solution; there are others."""
        print(f"{self.name}, one solution:\n\n{self.answer}")


class Exercises:
    """The exercises of a lesson, in their order; shown, it says what is done."""

    def __init__(self) -> None:
        self._all: list[Exercise] = []

    def add(
        self, hints: Sequence[str], answer: str, rubric: Sequence[str] = ()
    ) -> Callable[[Callable[..., str]], Exercise]:
        """A decorator that makes an exercise of its judge; the arguments are those of `Exercise`."""

        def make(judge: Callable[..., str]) -> Exercise:
            self._all.append(Exercise(judge, hints, answer, rubric))
            return self._all[-1]

        return make

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self._all)

    def __repr__(self) -> str:
        names: dict[str, list[str]] = {CORRECT: [], NOT_YET: [], NOT_ATTEMPTED: []}
        for exercise in self:
            names[CORRECT if exercise.done else exercise.status].append(exercise.name)
        parts = [f"{status}: {', '.join(those)}" for status, those in names.items() if those]
        return f"Exercises: {len(names[CORRECT])} of {len(self._all)} done; {'; '.join(parts)}"


# --- What judges are made of


def is_blank(value: Answer) -> bool:
    """Whether `...` stands in a value, or in a list, tuple or dictionary of values."""
    if isinstance(value, dict):
        value = list(value.values())
    return value is ... or (isinstance(value, (list, tuple)) and any(map(is_blank, value)))


def shown(value: Answer) -> str:
    """The value as Python writes it, in a few words."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a learner's own __repr__
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def described(error: BaseException) -> str:
    """Kind and first line of an error."""
    try:
        message = str(error).strip()
    except Exception:  # a learner's own __str__
        message = ""
    return f"{type(error).__name__}: {message.splitlines()[0]}" if message else type(error).__name__


def result_of(function: Answer, *arguments: Any) -> Any:
    """What a learner's function returns.

    Raises:
        NotAttempted: it returns `...`.
        NotYet: it is no function, or returns nothing.
    """
    if not callable(function):
        raise NotYet(f"A function is expected here, not {shown(function)}.")
    result = function(*arguments)
    if is_blank(result):
        raise NotAttempted
    if result is None:
        raise NotYet("Your function returns None, and a value is expected. Does each way through it end with `return`?")
    return result


def number(value: Answer) -> float:
    """A learner's number, also where it is written as text, as in `"6.4"`.

    Raises:
        NotYet: it is none.
    """
    try:
        if not isinstance(value, str) or math.isfinite(float(value)):  # "inf" is a word
            return float(value)
    except Exception:  # of a learner's own object
        pass
    raise NotYet(f"One number is expected here, not {shown(value)}.")


def plain(word: Answer) -> str:
    """A word as it is compared: capitals do not count, nor blanks and full stops around it, nor -ize for -ise."""
    return word.strip(" .").lower().replace("ize", "ise") if isinstance(word, str) else ""


def choose(value: Answer, right: str, wrong: dict[str, str]) -> None:
    """Accept the right word, whatever its capitals.

    Args:
        value: a learner's answer.
        right: the right word.
        wrong: every other word that one may choose, with what to say then.

    Raises:
        NotYet: it is not the right word.
    """
    if plain(value) != plain(right):
        why = {plain(choice): reason for choice, reason in wrong.items()}
        # Sorted, so that the order does not give the answer away.
        words = ", ".join(repr(choice) for choice in sorted([right, *wrong]))
        raise NotYet(why.get(plain(value), f"Choose one of {words}."))


def match(values: Answer, right: dict[str, str], why: dict[str, str]) -> None:
    """Accept a dictionary that gives each key its right word.

    Args:
        values: a learner's dictionary.
        right: the right word for each key.
        why: what to say where a key has another word.

    Raises:
        NotYet: a key is missing, or has another word.
    """
    if not isinstance(values, dict) or set(values) != set(right):
        raise NotYet(f"A dictionary with the keys {', '.join(right)} is expected here, not {shown(values)}.")
    words = sorted(set(right.values()))
    for key in right:
        if plain(values[key]) not in map(plain, words):
            raise NotYet(f"{key}: choose one of {', '.join(map(repr, words))}.")
    for key, word in right.items():
        if plain(values[key]) != plain(word):
            raise NotYet(f"{key}: {why[key]}")
