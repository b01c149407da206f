"""The training loop: phases, the best weights, a history, and going on after an interruption (lesson 04)."""

import copy
import io
import math
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from helpers.data import make_dataloaders
from helpers.errors import LessonError
from helpers.features import probe_head
from helpers.files import write_whole
from helpers.models import answers, parameter_groups, train_mode
from helpers.transforms import eval_transform, train_transform

AUXILIARY_WEIGHT = {"InceptionOutputs": 0.4, "GoogLeNetOutputs": 0.3}  # Szegedy et al., 2015 and 2014
EPOCHS, STEPS = 6, 48  # of `fine_tune`: with few pictures, six epochs would be a handful of steps
PER_BATCH = (OneCycleLR, CyclicLR)  # schedulers that count batches; the others count epochs

History = dict[str, list[float]]


def best_device() -> torch.device:
    """The fastest device of this machine: CUDA, Apple's MPS, or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator or torch.device("cpu")


def precision(device: torch.device) -> torch.autocast:
    """A context: bfloat16 where the hardware multiplies it natively, float32 elsewhere (lesson 04)."""
    native = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    # Without the cache, one context may span many steps: it would go on using the weights of the first.
    return torch.autocast(device.type, torch.bfloat16, enabled=native, cache_enabled=False)


def compute_loss(criterion: Callable, outputs, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss and the class scores (n, classes); the auxiliary heads of Inception and GoogLeNet count in."""
    if isinstance(outputs, torch.Tensor):
        return criterion(outputs, labels), outputs
    weight = AUXILIARY_WEIGHT[type(outputs).__name__]
    auxiliary = [scores for scores in outputs[1:] if scores is not None]
    return criterion(outputs.logits, labels) + weight * sum(criterion(a, labels) for a in auxiliary), outputs.logits


def run_epoch(
    model: nn.Module,
    batches: DataLoader,
    criterion: Callable,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    progress: tqdm | None = None,
) -> tuple[float, float]:
    """One pass over `batches`; it trains if there is an optimizer.

    Returns:
        The mean loss and the accuracy, both over images: a last, smaller batch counts for less.
    """
    device = next(model.parameters()).device
    train_mode(model) if optimizer else model.eval()
    loss_sum = torch.zeros((), device=device)
    right = torch.zeros((), device=device, dtype=torch.int64)
    images = 0
    for x, y in batches:
        x, y = x.to(device), y.to(device)
        if optimizer:
            optimizer.zero_grad()  # first, so that the forward pass finds their memory free
        with torch.set_grad_enabled(optimizer is not None):
            loss, scores = compute_loss(criterion, answers(model, x), y)
        if optimizer:
            loss.backward()
            optimizer.step()
            if isinstance(scheduler, PER_BATCH):
                scheduler.step()
        loss_sum += loss.detach() * len(y)
        right += (scores.argmax(1) == (y.argmax(1) if y.ndim == 2 else y)).sum()  # MixUp gives each class a share
        images += len(y)
        if progress is not None:
            progress.update()
    return loss_sum.item() / images, right.item() / images


def train_model(
    model: nn.Module,
    dataloaders: dict[str, DataLoader],
    criterion: Callable,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None = None,
    num_epochs: int = 25,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[History], None] | None = None,
) -> tuple[nn.Module, History]:
    """Train for `num_epochs`, look at `val` after each, and end with the weights that were best there.

    Args:
        model: the network, on the device where it shall train.
        dataloaders: batches of images (n, 3, h, w) and labels (n,), for `train` and `val`.
        criterion: a loss of scores (n, classes) and labels (n,), as `nn.CrossEntropyLoss()`.
        optimizer: with the parameters that shall change.
        scheduler: stepped after each epoch, or after each batch if it is a one-cycle or cyclic one.
        num_epochs: passes over the training images.
        checkpoint: a file written after each epoch. If it is there, training goes on where it ended,
            with the numbers that it would have had.
        on_epoch: called with the history after each epoch, to draw it; True ends the training.

    Returns:
        The model (the same object), with its best weights, and the history: a list of a figure per
        epoch for each of `train_loss`, `train_acc`, `val_loss`, `val_acc`, `lr`.

    Raises:
        LessonError: the loss is no longer a number, or the checkpoint cannot be written.
        KeyboardInterrupt: the stop button. As after every error, the model holds the best weights so far; the
            history is what `on_epoch` got.
    """
    history: History = {key: [] for key in ("train_loss", "train_acc", "val_loss", "val_acc", "lr")}
    best = copy.deepcopy(model.state_dict())  # a plain state_dict() would go on changing with the model
    if checkpoint and Path(checkpoint).is_file():
        history, best = load_checkpoint(checkpoint, model, optimizer, scheduler, dataloaders["train"])

    steps = sum(len(dataloaders[phase]) for phase in ("train", "val"))
    done = len(history["lr"])
    try:
        with tqdm(total=num_epochs * steps, initial=done * steps, unit="batch") as progress:
            for epoch in range(done, num_epochs):
                progress.set_description(f"epoch {epoch + 1}/{num_epochs}")
                learning_rate = optimizer.param_groups[0]["lr"]
                train = run_epoch(model, dataloaders["train"], criterion, optimizer, scheduler, progress)
                val = run_epoch(model, dataloaders["val"], criterion, progress=progress)
                if not math.isfinite(train[0]):
                    raise LessonError(
                        f"The loss is {train[0]} in epoch {epoch + 1}: the learning rate ({learning_rate:g}) is "
                        "probably too high. The model holds the best weights from before."
                    )
                if not math.isfinite(val[0]):
                    raise LessonError(
                        f"The loss on val is {val[0]} in epoch {epoch + 1}: the learning rate ({learning_rate:g}) is "
                        "too high, or a picture of val holds NaN. The model holds the best weights from before."
                    )
                if scheduler and not isinstance(scheduler, PER_BATCH):
                    scheduler.step()
                if val[1] > max(history["val_acc"], default=-1):
                    best = copy.deepcopy(model.state_dict())
                figures = zip(history, (*train, *val, learning_rate), strict=True)
                history.update({key: [*history[key], figure] for key, figure in figures})  # all lists in one step
                progress.set_postfix(val_acc=f"{val[1]:.1%}")
                if checkpoint:
                    save_checkpoint(checkpoint, model, optimizer, scheduler, dataloaders["train"], history, best)
                if on_epoch and on_epoch(history):
                    break
    finally:  # also after an error and the stop button: the reader keeps the best weights
        model.load_state_dict(best)
        optimizer.zero_grad()  # the last gradients would only take memory
    return model, history


def fine_tune(
    model: nn.Module,
    datasets: dict[str, Dataset],
    size: int,
    num_epochs: int | None = None,
    seed: int = 0,
    on_epoch: Callable[[History], None] | None = None,
) -> tuple[nn.Module, History]:
    """The recipe of lesson 07: a linear probe as the head, then all layers with AdamW and one cycle.

    Head first: Kumar et al., 2022. One cycle: Smith and Topin, 2018. The pretrained layers learn ten times slower
    than the head. One cycle ends calm, so the weights of the last epoch count, and `val` chooses nothing.

    Args:
        model: pretrained, after `replace_head`, on the device where it shall train. What `freeze` or
            `freeze_norms` froze before stays so.
        datasets: `train` and `val`, as from `image_datasets` or decoded once by `CachedDataset`; the
            transform of `train` is left alone, copies get those of the recipe.
        size: the side of the square, in pixels, that the network sees.
        num_epochs: passes over the training images; None takes six, or as many as 48 steps need.
        seed: of the order of the pictures; crops and flips follow `torch.manual_seed`.
        on_epoch: called with the history after each epoch, as in `train_model`.

    Returns:
        The model (the same object) and the history, as from `train_model`.

    Raises:
        LessonError, KeyboardInterrupt: as `train_model`. The model then holds the weights that were best on
            `val`: half a cycle has not come to rest.
    """
    still, moving = copy.copy(datasets["train"]), copy.copy(datasets["train"])
    still.transform, moving.transform = eval_transform(size), train_transform(size, scale=0.35)
    probe_head(model, make_dataloaders({"train": still})["train"])

    loaders = make_dataloaders({"train": moving, "val": datasets["val"]}, seed=seed)
    num_epochs = num_epochs or max(EPOCHS, math.ceil(STEPS / len(loaders["train"])))
    groups = parameter_groups(model, lr=2e-3, backbone_lr=2e-4, weight_decay=0.05)
    optimizer = torch.optim.AdamW(groups)
    scheduler = OneCycleLR(optimizer, [group["lr"] for group in groups], total_steps=num_epochs * len(loaders["train"]))
    last = {}

    def keep_last(history: History) -> bool | None:
        last.update(copy.deepcopy(model.state_dict()))
        return on_epoch(history) if on_epoch else None

    _, history = train_model(
        model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs, on_epoch=keep_last
    )
    model.load_state_dict(last)
    return model, history


def early_stopping(patience: int) -> Callable[[History], bool]:
    """For `on_epoch`: ends the training when `val_loss` has not improved for `patience` epochs (Prechelt, 1998)."""

    def stop(history: History) -> bool:
        losses = history["val_loss"]
        return len(losses) - 1 - losses.index(min(losses)) >= patience

    return stop


def find_learning_rate(
    model: nn.Module,
    batches: DataLoader,
    criterion: Callable,
    optimizer: torch.optim.Optimizer,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 40,
) -> tuple[list[float], list[float]]:
    """Raise the learning rate from step to step and watch the loss (Smith, 2015).

    The model and the optimizer are put back as they were.

    Args:
        model, batches, criterion, optimizer: as for `train_model`; `batches` is repeated as needed.
        lowest, highest: of the rate of the optimizer's first group; the others keep their ratio to it.
        steps: how many rates are tried, evenly on a logarithmic scale.

    Returns:
        The rates, and the loss at each, smoothed over some steps. Both end early where the loss has grown
        to four times its smallest value or is no longer a number.
    """
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    device = next(model.parameters()).device
    factors = [group["lr"] / optimizer.param_groups[0]["lr"] for group in optimizer.param_groups]
    endless = (batch for _ in repeat(None) for batch in batches)
    rates, losses, mean = [], [], 0.0
    train_mode(model)
    for step, (x, y) in zip(range(steps), endless, strict=False):
        rate = lowest * (highest / lowest) ** (step / (steps - 1))
        for group, factor in zip(optimizer.param_groups, factors, strict=True):
            group["lr"] = rate * factor
        loss, _ = compute_loss(criterion, model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = 0.8 * mean + 0.2 * loss.item()
        smooth = mean / (1 - 0.8 ** (step + 1))  # the mean began at 0
        if not math.isfinite(smooth) or smooth > 4 * min(losses, default=smooth):
            break
        rates.append(rate)
        losses.append(smooth)
    model.load_state_dict(before[0])
    optimizer.load_state_dict(before[1])
    return rates, losses


def save_checkpoint(path, model, optimizer, scheduler, loader: DataLoader, history: History, best: dict) -> None:
    """Write all that the next epoch depends on, so that a kill at any moment leaves a whole file."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict() if scheduler else None,
        "history": history,
        "best": best,
        "random": torch.get_rng_state(),
        "order": loader.generator.get_state() if loader.generator else None,
    }
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getvalue())


def load_checkpoint(path, model, optimizer, scheduler, loader: DataLoader) -> tuple[History, dict]:
    """Put everything back as `save_checkpoint` found it; returns the history and the best weights.

    Raises:
        LessonError: the file is damaged, or comes from another model.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # never runs code from the file
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise LessonError(f"{path} does not fit this training ({reason}); delete it to start afresh.") from error
    if scheduler:
        scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["random"])
    if loader.generator and state["order"] is not None:
        loader.generator.set_state(state["order"])
    return state["history"], state["best"]
