"""Going on after an interruption: all that the next epoch depends on, in one file (lesson 04)."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, PolynomialLR
from torch.utils.data import DataLoader

from helpers.devices import device_of, random_states, restore_random_states
from helpers.distributed import gather, of_first, rank, world_size
from helpers.errors import LessonError
from helpers.files import atomic_write

History = dict[str, list[float]]

HORIZON = (CosineAnnealingLR, OneCycleLR, PolynomialLR)  # these know from the start when they end
# What a scheduler's state tells about its position; the rest of it is how it was set.
POSITION = {"last_epoch", "base_lrs", "best", "num_bad_epochs", "cooldown_counter", "mode_worse", "T_cur", "T_i"}


@dataclass(frozen=True)
class Training:
    """What a checkpoint restores: each part of a training that changes from step to step.

    Attributes:
        model, optimizer, scheduler, scaler: as in `helpers.training.train_model`.
        loader: of the training images; its generator fixes their order.
        num_epochs: how many the training shall have in the end.
        recipe: what else must be the same when the training goes on, by the words that an error names it with.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler | None
    scaler: GradScaler
    loader: DataLoader[Any]
    num_epochs: int
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What must not change between an interruption and the resume, by the words that an error names it with."""
        groups = self.optimizer.param_groups
        return {
            **self.recipe,
            "number of processes": world_size(),
            "optimizer": type(self.optimizer).__name__,
            "learning rate": [float(group.get("initial_lr", group["lr"])) for group in groups],
            "weight decay": [float(group.get("weight_decay", 0)) for group in groups],
            "scheduler": type(self.scheduler).__name__ if self.scheduler else "none",
            "setting of the scheduler": _settings(self.scheduler) if self.scheduler else {},
            "batch size": getattr(self.loader, "batch_size", None),
            "number of training images": len(getattr(self.loader, "dataset", ())),
        }


def save_checkpoint(path: str | Path, training: Training, history: History, best: dict[str, torch.Tensor]) -> None:
    """Write all that the next epoch depends on, so that a kill at any moment leaves a whole file.

    Of several processes, all call it, and the first one writes.

    Args:
        path: where; `~` is expanded.
        training: its state between two epochs.
        history: of the epochs so far.
        best: the weights that were best on `val`.

    Raises:
        LessonError: the file cannot be written.
    """
    generator = getattr(training.loader, "generator", None)
    state = {
        "settings": training.settings(),
        "num_epochs": training.num_epochs,
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scheduler": training.scheduler.state_dict() if training.scheduler else None,
        "scaler": training.scaler.state_dict(),
        "history": history,
        "best": best,
        "random": gather(random_states(device_of(training.model))),
        "order": generator.get_state() if generator else None,
    }
    if rank() > 0:
        return
    content = io.BytesIO()
    torch.save(state, content)
    atomic_write(Path(path).expanduser(), content.getvalue())


def has_checkpoint(path: str | Path | None) -> bool:
    """Whether there is a training to go on with; of several processes, the first one looks."""
    return of_first(bool(path) and Path(path or "").expanduser().is_file())


def load_checkpoint(path: str | Path, training: Training) -> tuple[History, dict[str, torch.Tensor]]:
    """Put everything back as `save_checkpoint` found it, on whatever device the model is now.

    Returns:
        The history and the best weights.

    Raises:
        LessonError: the file is missing here, is damaged or comes from another model; a setting has changed; or more
            epochs are wanted than the scheduler was made for.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise LessonError(f"{path} is not on this machine; put it where all machines of the training see it.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # never runs code from the file
        settings, num_epochs = state["settings"], state["num_epochs"]
    except Exception as error:
        raise _does_not_fit(path, error) from error
    for name, now in training.settings().items():
        if settings.get(name) != now:
            raise LessonError(
                f"{path} was written with another {name} ({_short(settings.get(name))}, now {_short(now)}): "
                "set it back to go on, or delete the file to start afresh."
            )
    if training.num_epochs > num_epochs and _has_horizon(training.scheduler):
        raise LessonError(
            f"{path} was written for {num_epochs} epochs, and its {type(training.scheduler).__name__} ends there: "
            f"ask for {num_epochs} epochs to go on, or delete the file to start afresh with {training.num_epochs}."
        )
    try:
        training.model.load_state_dict(state["model"])
        training.optimizer.load_state_dict(state["optimizer"])
    except Exception as error:
        raise _does_not_fit(path, error) from error
    if training.scheduler:
        training.scheduler.load_state_dict(state["scheduler"])
    if training.scaler.is_enabled() and state["scaler"]:
        training.scaler.load_state_dict(state["scaler"])
    restore_random_states(state["random"][rank()])
    generator = getattr(training.loader, "generator", None)
    if generator and state["order"] is not None:
        generator.set_state(state["order"])
    return state["history"], state["best"]


def _does_not_fit(path: Path, error: Exception) -> LessonError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return LessonError(f"{path} does not fit this training ({reason}); delete it to start afresh.")


def _has_horizon(scheduler: LRScheduler | None) -> bool:
    return isinstance(scheduler, HORIZON) or any(map(_has_horizon, getattr(scheduler, "_schedulers", ())))


def _settings(scheduler: LRScheduler) -> dict[str, Any]:
    """What a scheduler was made with, in plain values."""
    state = {key: value for key, value in scheduler.state_dict().items() if key not in POSITION and key[0] != "_"}
    state["parts"] = [_settings(part) for part in getattr(scheduler, "_schedulers", ())]
    return {key: _plain(value) for key, value in state.items()}


def _plain(value: Any) -> Any:
    """A value as it comes back from a file that may hold no code."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str)) else None


def _short(value: Any) -> str:
    if isinstance(value, list) and len({*map(str, value)}) == 1:
        value = value[0]
    return f"{value:g}" if isinstance(value, float) else str(value)
