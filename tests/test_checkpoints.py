"""Going on after an interruption: what may change meanwhile, and what may not."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader, TensorDataset

from helpers.errors import LessonError
from helpers.training import early_stopping, train_model

SGD = {"make": torch.optim.SGD, "lr": 0.1, "momentum": 0.9}


def run(
    path: Path,
    num_epochs: int,
    optimizer: dict = SGD,
    scheduler: Callable | None = None,
    batch_size: int = 4,
    images: int = 12,
    **options,
) -> tuple[nn.Module, dict]:
    """Train a tiny network, with dropout, on random images; a checkpoint at `path` is continued."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4, 2))
    data = TensorDataset(torch.rand(images, 3, 8, 8), torch.arange(images) % 2)
    loaders = {
        "train": DataLoader(data, batch_size, shuffle=True, generator=torch.Generator().manual_seed(0)),
        "val": DataLoader(data, 4),
    }
    settings = {key: value for key, value in optimizer.items() if key != "make"}
    made = optimizer["make"](model.parameters(), **settings)
    schedule = scheduler(made) if scheduler else None
    return train_model(model, loaders, nn.CrossEntropyLoss(), made, schedule, num_epochs, path, **options)


EXTENDABLE = {
    "constant": None,
    "step": lambda optimizer: StepLR(optimizer, 1, 0.5),
    "multi-step": lambda optimizer: MultiStepLR(optimizer, [1, 3], 0.1),
    "exponential": lambda optimizer: ExponentialLR(optimizer, 0.7),
    "plateau": lambda optimizer: ReduceLROnPlateau(optimizer, patience=0),
    "warm-up": lambda optimizer: LinearLR(optimizer, 0.1, total_iters=3),
}


@pytest.mark.parametrize("scheduler", EXTENDABLE.values(), ids=EXTENDABLE)
def test_more_epochs_are_those_of_one_long_training(tmp_path, scheduler):
    whole, whole_history = run(tmp_path / "whole.pt", 5, scheduler=scheduler)
    run(tmp_path / "parts.pt", 2, scheduler=scheduler)
    torch.manual_seed(99)
    resumed, history = run(tmp_path / "parts.pt", 5, scheduler=scheduler)
    assert history == whole_history
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


HORIZON = {
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, 2),
    "one cycle": lambda optimizer: OneCycleLR(optimizer, 0.1, total_steps=6),
    "polynomial": lambda optimizer: PolynomialLR(optimizer, 2),
    "warm-up, then cosine": lambda optimizer: SequentialLR(
        optimizer, [LinearLR(optimizer), CosineAnnealingLR(optimizer, 2)], [1]
    ),
}


@pytest.mark.parametrize("scheduler", HORIZON.values(), ids=HORIZON)
def test_a_schedule_with_an_end_is_not_prolonged(tmp_path, scheduler):
    run(tmp_path / "run.pt", 2, scheduler=scheduler)
    content = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(LessonError, match="was written for 2 epochs.*ask for 2 epochs to go on, or delete the file"):
        run(tmp_path / "run.pt", 4, scheduler=scheduler)
    assert (tmp_path / "run.pt").read_bytes() == content
    assert len(run(tmp_path / "run.pt", 2, scheduler=scheduler)[1]["lr"]) == 2


CHANGES = {
    "learning rate (0.1, now 0.01)": ({}, {"optimizer": SGD | {"lr": 0.01}}),
    "optimizer (SGD, now AdamW)": ({}, {"optimizer": {"make": torch.optim.AdamW, "lr": 0.1}}),
    "weight decay (0, now 0.1)": ({}, {"optimizer": SGD | {"weight_decay": 0.1}}),
    "batch size (4, now 6)": ({}, {"batch_size": 6}),
    "number of training images (12, now 16)": ({}, {"images": 16}),
    "scheduler (none, now StepLR)": ({}, {"scheduler": EXTENDABLE["step"]}),
    "scheduler (StepLR, now none)": ({"scheduler": EXTENDABLE["step"]}, {}),
    "setting of the scheduler": (
        {"scheduler": lambda optimizer: StepLR(optimizer, 1, 0.5)},
        {"scheduler": lambda optimizer: StepLR(optimizer, 2, 0.5)},
    ),
}


@pytest.mark.parametrize(("first", "then"), CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_named(tmp_path, first, then, request):
    run(tmp_path / "run.pt", 2, **first)
    with pytest.raises(LessonError) as error:
        run(tmp_path / "run.pt", 4, **then)
    line = str(error.value)
    assert f"was written with another {request.node.callspec.id}" in line
    assert "set it back to go on, or delete the file to start afresh" in line and "\n" not in line


def test_the_same_optimizer_goes_on_after_its_schedule_has_begun(tmp_path):
    """The cell is run again after the stop button: the optimizer's rate is no longer the first one."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    data = TensorDataset(torch.rand(8, 3, 2, 2), torch.arange(8) % 2)
    loaders = {"train": DataLoader(data, 4), "val": DataLoader(data, 4)}
    for scheduler in (EXTENDABLE["step"], EXTENDABLE["plateau"]):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        path = tmp_path / "run.pt"
        for num_epochs in (3, 5):
            _, history = train_model(
                model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler(optimizer), num_epochs, path
            )
        assert len(history["lr"]) == 5
        path.unlink()


def test_a_cell_that_had_stopped_early_stays_stopped(tmp_path):
    optimizer = SGD | {"lr": 5.0}
    lengths = [len(run(tmp_path / "run.pt", 50, optimizer, on_epoch=early_stopping(2))[1]["lr"]) for _ in range(3)]
    assert len(set(lengths)) == 1 and lengths[0] < 50
    assert len(run(tmp_path / "run.pt", 50, optimizer, on_epoch=early_stopping(4))[1]["lr"]) > lengths[0]


def test_fewer_epochs_than_there_are_train_no_more(tmp_path):
    whole, _ = run(tmp_path / "run.pt", 4)
    again, history = run(tmp_path / "run.pt", 2)
    assert len(history["lr"]) == 4
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run(Path("~/run.pt"), 2)
    assert (tmp_path / "run.pt").is_file()
    assert len(run("~/run.pt", 3)[1]["lr"]) == 3


def test_the_scale_of_half_precision_is_kept(tmp_path, monkeypatch):
    """On an older GPU the gradients are scaled; the scale that was found is part of what a checkpoint restores."""
    import helpers.training as training

    scalers = []

    def scaler(device):
        scalers.append(torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=1))
        return scalers[-1]

    monkeypatch.setattr(training, "grad_scaler", scaler)
    run(tmp_path / "run.pt", 2)
    run(tmp_path / "run.pt", 3)
    assert scalers[0].get_scale() > 2.0**4
    assert scalers[1].get_scale() > scalers[0].get_scale(), "it went on from there"
    run(tmp_path / "whole.pt", 3)
    assert scalers[2].get_scale() == scalers[1].get_scale()


def test_the_best_weights_are_not_those_of_the_last_epoch(tmp_path):
    best, history = run(tmp_path / "best.pt", 6, SGD | {"lr": 1.0})
    last, _ = run(tmp_path / "last.pt", 6, SGD | {"lr": 1.0}, keep="last")
    same = all(torch.equal(a, b) for a, b in zip(best.parameters(), last.parameters(), strict=True))
    assert same == (history["val_acc"].index(max(history["val_acc"])) == 5)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert all(torch.equal(state["model"][name], value) for name, value in last.state_dict().items())
    assert not same, "otherwise this test could not fail"


def test_a_checkpoint_is_plain_data(tmp_path):
    model, _ = run(tmp_path / "run.pt", 1, scheduler=EXTENDABLE["multi-step"])
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert state["settings"]["batch size"] == 4
    assert [set(states) for states in state["random"]] == [{"cpu"}]
    copy.deepcopy(model).load_state_dict(state["model"])
