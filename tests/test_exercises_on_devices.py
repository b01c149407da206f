"""A judge's small networks and batches are where the lesson's are: answers may move them once more, or not."""

import pytest
import torch
from torch import nn

from helpers.devices import best_device
from helpers.exercises import CORRECT, lesson_03, lesson_04, lesson_07

pytest.importorskip("support.pretend_device", exc_type=ImportError)
MOVE = "inputs, labels = inputs.to(device), labels.to(device)\n"


def moving(answer: str) -> str:
    """The same, with a line that moves the batch before the first use of it."""
    return answer.replace("    loss =", f"    {MOVE}    loss =", 1)


@pytest.mark.parametrize("device", ["cpu", "pretend"])
@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (lesson_03.q5, lesson_03.q5.answer.replace("return model", "return model.to(device)")),
        (lesson_04.q2, lesson_04.q2.answer),
        (lesson_04.q2, moving(lesson_04.q2.answer)),
        (lesson_04.q3, lesson_04.q3.answer),
        (lesson_04.q3, lesson_04.q3.answer.replace(MOVE, "pass\n")),
        (lesson_04.q3, lesson_04.q3.answer.replace(MOVE, "inputs = inputs.to(next(model.parameters()).device)\n")),
        (lesson_07.q6, lesson_07.q6.answer),
        (lesson_07.q6, moving(lesson_07.q6.answer)),
    ],
)
def test_an_answer_is_right_on_every_device(exercise, answer, device, monkeypatch):
    monkeypatch.setenv("TL_DEVICE", device)
    names = {"torch": torch, "nn": nn, "device": best_device()}
    exec(answer, names)
    exercise.check(names[exercise.judge.__code__.co_varnames[0]])
    assert exercise.status == CORRECT
