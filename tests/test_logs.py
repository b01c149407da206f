"""The record of a training, as `train_model` writes it."""

import csv
import importlib.util
import sys
from types import ModuleType

import pytest
from support.lesson_code import lesson_code
from support.training import sgd, tiny_loaders, tiny_model
from torch import nn

from helpers.errors import LessonError
from helpers.logs import log_to
from helpers.training import train_model

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def without_tensorboard(monkeypatch):
    """As for nearly every reader; what is installed on the machine of a test does not matter."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name))


def train(num_epochs, **options):
    model = tiny_model()
    options = {"num_epochs": num_epochs, **options}
    return train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), **options)[1]


def rows_of(folder) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("function", [log_to, lesson_code("04_training_loop.ipynb")["log_to"]])
def test_the_table_has_a_row_for_each_epoch(function, tmp_path):
    history = train(3, on_epoch=function(tmp_path))
    rows = rows_of(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name, figures in history.items():
        assert [float(row[name]) for row in rows] == figures


def test_after_a_resume_the_table_continues(tmp_path):
    log, checkpoint = log_to(tmp_path), tmp_path / "checkpoint.pt"
    train(4, checkpoint=checkpoint, on_epoch=lambda history: log(history) or len(history["lr"]) == 2)
    train(4, checkpoint=checkpoint, on_epoch=log_to(tmp_path))
    assert [row["epoch"] for row in rows_of(tmp_path)] == ["1", "2", "3", "4"]


def test_a_log_does_not_end_the_training(tmp_path):
    assert len(train(3, on_epoch=log_to(tmp_path))["lr"]) == 3


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "log").write_text("")
    with pytest.raises(LessonError, match=r"^Cannot write .*history.csv"):
        train(1, on_epoch=log_to(tmp_path / "log"))


def test_tensorboard_gets_each_figure_where_it_is_installed(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder):
            assert folder == str(tmp_path)

        def add_scalar(self, name, value, step):
            written.append((name, step))

        def flush(self):
            written.append("flush")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    train(2, on_epoch=log_to(tmp_path))
    names = ("loss/train", "acc/train", "loss/val", "acc/val", "lr")
    assert written == [*((name, 1) for name in names), "flush", *((name, 2) for name in names), "flush"]
