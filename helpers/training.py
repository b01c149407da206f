"""The training loop: phases, the best weights, a history, and going on after an interruption (lesson 04)."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from helpers.checkpoints import History, Training, has_checkpoint, load_checkpoint, save_checkpoint
from helpers.data import check_same_classes, make_dataloader, with_transform
from helpers.devices import autocast, autocast_dtype, device_of, to_device
from helpers.distributed import add_up, rank, replicate, take_buffers_of_first
from helpers.errors import LessonError, Stopped
from helpers.features import early_parts, probe_head
from helpers.models import find_heads, forward_checked, labelled_batches, parameter_groups, train_mode
from helpers.transforms import eval_transform, train_transform
from helpers.weights import Preprocessing

AUXILIARY_WEIGHT = {"InceptionOutputs": 0.4, "GoogLeNetOutputs": 0.3}  # Szegedy et al., 2016 and 2015
EPOCHS, STEPS = 6, 48  # of `fine_tune`: with few images, six epochs would be a handful of steps
PER_BATCH = (OneCycleLR, CyclicLR)  # schedulers that count batches; the others count epochs

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of logits and labels


def compute_loss(criterion: Criterion, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss and the logits (n, classes); the auxiliary heads of Inception and GoogLeNet count in."""
    if isinstance(outputs, torch.Tensor):
        if isinstance(criterion, nn.NLLLoss) and bool((outputs > 0).any()):  # logarithms of probabilities never are
            raise LessonError(
                "NLLLoss takes log-probabilities, and the model gives logits: take nn.CrossEntropyLoss()."
            )
        return criterion(outputs, labels), outputs
    weight = AUXILIARY_WEIGHT[type(outputs).__name__]
    auxiliary = [logits for logits in outputs[1:] if logits is not None]
    return criterion(outputs.logits, labels) + weight * sum(criterion(a, labels) for a in auxiliary), outputs.logits


def run_epoch(
    model: nn.Module,
    loader: Iterable[Any],
    criterion: Criterion,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    max_norm: float | None = None,
    scaler: GradScaler | None = None,
    progress: tqdm | None = None,
) -> tuple[float, float]:
    """One pass over `loader`, on the model's device; it trains if there is an optimizer.

    Of several processes, each passes over its own part, and the figures are those of all together.

    Args:
        model, criterion, optimizer, scheduler, max_norm: as for `train_model`.
        loader: batches of images (n, 3, h, w) and labels (n,) or class shares (n, classes).
        scaler: as from `grad_scaler`; None where gradients need no scaling.
        progress: a bar that is moved with each batch.

    Returns:
        The mean loss and the accuracy, both over images: a last, smaller batch counts for less.

    Raises:
        LessonError: a label is beyond the model's classes, or the images do not fit the model.
    """
    device = device_of(model)
    train_mode(model) if optimizer else model.eval()
    loss_sum = torch.zeros((), device=device)
    correct = torch.zeros((), device=device, dtype=torch.int64)
    images = 0
    for x, y in labelled_batches(loader):
        if optimizer:
            optimizer.zero_grad()  # first, so that the forward pass finds their memory free
        with torch.set_grad_enabled(optimizer is not None), autocast(device):
            outputs = forward_checked(model, to_device(x, model))
            _check_labels(y, outputs)
            y = y.to(device, non_blocking=True)
            loss, logits = compute_loss(criterion, outputs, y)
        if optimizer:
            _step(loss, optimizer, max_norm, scaler)
            if isinstance(scheduler, PER_BATCH):
                scheduler.step()
        # Sums stay on the device: a look at each loss would make the CPU wait for every step.
        loss_sum += loss.detach() * len(y)
        correct += (logits.argmax(1) == (y.argmax(1) if y.ndim == 2 else y)).sum()  # MixUp gives each class a share
        images += len(y)
        if progress is not None:
            progress.update()
    add_up(loss_sum, correct, seen := torch.full_like(correct, images))
    return loss_sum.item() / seen.item(), correct.item() / seen.item()


def _check_labels(labels: torch.Tensor, outputs: Any) -> None:
    """On a GPU, a label beyond the head's classes would end the whole process; here the labels are still on the CPU."""
    shape = (outputs if isinstance(outputs, torch.Tensor) else outputs.logits).shape
    classes = shape[1]
    if classes == 1:
        raise LessonError(
            "The model has one output; the helpers take one per class, of two classes as well: replace_head(model, 2), "
            "nn.CrossEntropyLoss() and labels of the shape (n,)."
        )
    if labels.ndim != 1:
        shares = labels.shape == shape and labels.is_floating_point()
        if shares and bool((labels.sum(1) - 1).abs().max() < 0.01):
            return
        raise LessonError(
            f"The labels have the shape {tuple(labels.shape)}; one class index for each image is expected, (n,), or "
            "float shares of the classes that add up to 1."
        )
    if labels.is_floating_point():
        raise LessonError(f"The labels are {labels.dtype}; class indices are whole numbers: labels.long().")
    if int(labels.min()) < 0:
        raise LessonError(f"There is the label {int(labels.min())}; class indices count from 0.")
    if int(labels.max()) >= classes:
        raise LessonError(
            f"The model has {classes} outputs, but there is the label {int(labels.max())} (they count from 0): "
            "replace_head(model, num_classes) gives it one output per class."
        )


def _step(
    loss: torch.Tensor, optimizer: torch.optim.Optimizer, max_norm: float | None, scaler: GradScaler | None
) -> None:
    """Backward pass and update; gradients are clipped in their true size, so they are unscaled first."""
    scaler = scaler or GradScaler(loss.device.type, enabled=False)
    scaler.scale(loss).backward()
    if max_norm is not None:
        scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_norm)
    scaler.step(optimizer)
    scaler.update()


def grad_scaler(device: torch.device) -> GradScaler:
    """For float16, whose smallest gradients would become 0; it does nothing in other precisions."""
    return GradScaler(device.type, enabled=autocast_dtype(device) == torch.float16)


def train_model(
    model: nn.Module,
    dataloaders: dict[str, DataLoader[Any]],
    criterion: Criterion,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None = None,
    num_epochs: int = 25,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[History], bool | None] | None = None,
    keep: str = "best",
    max_norm: float | None = None,
    curve: bool = True,
    recipe: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, History]:
    """Train for `num_epochs`, evaluate on `val` after each, and end with the weights that were best there.

    It runs on the model's device, in the precision of `helpers.devices.autocast_dtype`; under `torchrun`, on all
    processes of `helpers.distributed.process_group`.

    Args:
        model: the network, on the device where it shall train.
        dataloaders: batches of images (n, 3, h, w) and labels (n,), for `train` and `val`.
        criterion: a loss of logits (n, classes) and labels (n,), as `nn.CrossEntropyLoss()`.
        optimizer: with the parameters that shall change.
        scheduler: stepped after each epoch, or after each batch if it is a one-cycle or cyclic one;
            `ReduceLROnPlateau` gets the loss on `val`.
        num_epochs: passes over the training images.
        checkpoint: a file written after each epoch. If it is there, training goes on where it ended, with the numbers
            that it would have had on one device.
        on_epoch: called with the history after each epoch, to draw it; True ends the training.
        keep: `best`, the weights of the epoch with the highest accuracy on `val`, or `last`.
        max_norm: gradients with a larger norm, over all parameters, are scaled down to it (Pascanu et al., 2013).
        curve: False evaluates `val` after the last epoch only, which saves time where nothing is decided before. The
            history then holds NaN for `val` in the epochs before, and the weights of the last epoch are kept.
        recipe: what else a checkpoint has to agree with, by the words that an error names it with.

    Returns:
        The model (the same object) and the history: a list of a figure per epoch for each of `train_loss`,
        `train_acc`, `val_loss`, `val_acc`, `lr`.

    Raises:
        LessonError: something does not fit together, the loss is no longer a number, or the checkpoint does not fit or
            cannot be written.
        Stopped: the stop button. As after every error, the model holds the best weights so far; the history is
            what `on_epoch` got.
    """
    _check_training(model, dataloaders, criterion, optimizer, keep)
    if isinstance(scheduler, ReduceLROnPlateau) and not curve:
        raise LessonError("ReduceLROnPlateau needs the loss on val after each epoch: leave curve=False out.")
    device = device_of(model)
    if isinstance(criterion, nn.Module):
        criterion.to(device)  # class weights
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])  # as schedulers do: checkpoints compare it
    history: History = {key: [] for key in ("train_loss", "train_acc", "val_loss", "val_acc", "lr")}
    best = copy.deepcopy(model.state_dict())  # a plain state_dict() would go on changing with the model
    scaler = grad_scaler(device)
    training = Training(model, optimizer, scheduler, scaler, dataloaders["train"], num_epochs, recipe or {})
    replica = replicate(model)
    ended = False
    if checkpoint and has_checkpoint(checkpoint):
        history, best = load_checkpoint(checkpoint, training)
        ended = bool(on_epoch and on_epoch(history))  # early stopping may have ended it already

    steps = len(dataloaders["train"]) + (len(dataloaders["val"]) if curve else 0)
    done = len(history["lr"])
    if scheduler and done < num_epochs:
        _check_schedule(scheduler, num_epochs, len(dataloaders["train"]))
    finished = False
    try:
        with tqdm(total=num_epochs * steps, initial=done * steps, unit="batch", disable=rank() > 0 or None) as progress:
            for epoch in range(done, done if ended else num_epochs):
                progress.set_description(f"epoch {epoch + 1}/{num_epochs}")
                learning_rate = optimizer.param_groups[0]["lr"]
                _begin_epoch(dataloaders["train"], epoch)
                train = run_epoch(
                    replica, dataloaders["train"], criterion, optimizer, scheduler, max_norm, scaler, progress
                )
                take_buffers_of_first(model)
                _check_loss(train[0], "train", epoch, learning_rate)
                val = (math.nan, math.nan)
                if curve or epoch + 1 == num_epochs:
                    val = run_epoch(model, dataloaders["val"], criterion, progress=progress if curve else None)
                    _check_loss(val[0], "val", epoch, learning_rate)
                if isinstance(scheduler, ReduceLROnPlateau):
                    scheduler.step(val[0])
                elif scheduler and not isinstance(scheduler, PER_BATCH):
                    scheduler.step()
                if not val[1] <= max(history["val_acc"], default=-1):  # NaN is not: without a curve, the last is kept
                    best = copy.deepcopy(model.state_dict())
                figures = zip(history, (*train, *val, learning_rate), strict=True)
                history.update({key: [*history[key], figure] for key, figure in figures})  # all lists in one step
                progress.set_postfix(val_acc=f"{val[1]:.1%}")
                if checkpoint:
                    save_checkpoint(checkpoint, training, history, best)
                if on_epoch and on_epoch(history):
                    break
        finished = True
    except KeyboardInterrupt as stop:
        raise Stopped(_what_is_left(history)) from stop
    finally:  # also after an error and the stop button: the reader keeps the best weights
        if keep == "best" or not finished:
            model.load_state_dict(best)
        optimizer.zero_grad()  # the last gradients would only take memory
    return model, history


def _begin_epoch(loader: DataLoader[Any], epoch: int) -> None:
    """PyTorch's `DistributedSampler`, and shards, draw the order of the images from the number of the epoch."""
    for part in (getattr(loader, "sampler", None), getattr(loader, "dataset", None)):
        if set_epoch := getattr(part, "set_epoch", None):
            set_epoch(epoch)


def _what_is_left(history: History) -> str:
    """What the model holds when the stop button has ended a training."""
    if not history["val_acc"]:
        return "stopped in the first epoch; the model holds the weights that it began with."
    best = max(history["val_acc"])
    if math.isnan(best):  # without a curve
        return f"stopped after {len(history['val_acc'])} epochs; the model holds the weights of the last of them."
    return (
        f"stopped after {len(history['val_acc'])} epochs; the model holds the best weights so far, those of epoch "
        f"{history['val_acc'].index(best) + 1} ({best:.1%} on val)."
    )


def _check_loss(loss: float, phase: str, epoch: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        where, cause = {
            "train": ("", "probably too high, or an image holds NaN."),
            "val": (" on val", "too high, or an image of val holds NaN."),
        }[phase]
        raise LessonError(
            f"The loss{where} is {loss} in epoch {epoch + 1}: the learning rate ({learning_rate:g}) is {cause} "
            "The model holds the best weights from before."
        )


def _check_training(
    model: nn.Module,
    dataloaders: dict[str, DataLoader[Any]],
    criterion: Criterion,
    optimizer: torch.optim.Optimizer,
    keep: str,
) -> None:
    """One line for what would end in a traceback, or, worse, in a model that learns nothing."""
    if keep not in ("best", "last"):
        raise LessonError(f"keep={keep!r} is unknown; it is 'best' or 'last'.")
    if isinstance(criterion, type):
        raise LessonError(f"The criterion is a class; make a loss of it, with brackets: {criterion.__name__}().")
    for phase in ("train", "val"):
        if phase not in dataloaders:
            raise LessonError(
                f"There is no loader {phase!r}, only {', '.join(map(repr, dataloaders))}; name it {phase!r}."
            )
        if len(dataloaders[phase]) == 0:
            raise LessonError(
                f"The loader {phase!r} has no batches: it needs images; with drop_last=True, batch_size of them."
            )
    check_same_classes({phase: getattr(dataloaders[phase], "dataset", None) for phase in ("train", "val")})
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise LessonError("Every parameter is frozen; `freeze(model)` leaves the head trainable.")
    if trainable[0].dtype in (torch.float16, torch.bfloat16):
        raise LessonError(
            f"The model is in {trainable[0].dtype}; train it in float32, with model.float(). Autocast computes in half "
            "precision by itself where that is faster."
        )
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name in find_heads(model):
        if any(p.requires_grad and id(p) not in held for p in model.get_submodule(name).parameters()):
            raise LessonError(
                f"The optimizer does not hold the head {name!r}, which would never learn: make the optimizer after "
                "replace_head and freeze."
            )
    weight = getattr(criterion, "weight", None)
    if isinstance(weight, torch.Tensor) and weight.dtype != trainable[0].dtype:
        raise LessonError(f"The class weights are {weight.dtype}; the loss needs float32: weight=weights.float().")
    outputs: Any = getattr(model.get_submodule(find_heads(model)[-1]), "weight", weight)
    if isinstance(weight, torch.Tensor) and len(weight) != len(outputs):
        raise LessonError(f"There are {len(weight)} class weights for {len(outputs)} outputs; give one for each.")
    if isinstance(criterion, nn.CrossEntropyLoss) and isinstance(list(model.modules())[-1], nn.Softmax):
        raise LessonError("CrossEntropyLoss takes logits, and computes the softmax itself: take nn.Softmax out.")


def _check_schedule(scheduler: LRScheduler, num_epochs: int, batches: int) -> None:
    """One line for a scheduler that ends too early, or counts something else than this training does."""
    name, wanted = type(scheduler).__name__, num_epochs * batches
    if not isinstance(scheduler, LRScheduler):
        raise LessonError(
            f"{name} is stepped in another way than those of torch.optim.lr_scheduler; take one of these."
        )
    if isinstance(scheduler, OneCycleLR) and scheduler.total_steps < wanted:
        raise LessonError(
            f"OneCycleLR was made for {scheduler.total_steps} steps; it is stepped after each batch, and {num_epochs} "
            f"epochs of {batches} batches are {wanted}: total_steps={wanted}."
        )
    if batches > 1 and getattr(scheduler, "T_max", None) == wanted:
        raise LessonError(
            f"{name} is stepped after each epoch, and was made for {wanted}, the number of all batches: "
            f"T_max={num_epochs}."
        )


def fine_tune(
    model: nn.Module,
    datasets: Mapping[str, Dataset[Any]],
    preprocessing: Preprocessing,
    num_epochs: int | None = None,
    seed: int = 0,
    mirror: bool = True,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[History], bool | None] | None = None,
    curve: bool = True,
    all_layers: bool = False,
    batch_size: int = 32,
    num_workers: int = 0,
    keep: str = "last",
    recipe: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, History]:
    """The recipe of lesson 07: a linear probe as the head, then the late layers with AdamW and one cycle.

    Head first: Kumar et al., 2022. One cycle: Smith and Topin, 2018. The pretrained layers learn ten times slower
    than the head. The cycle ends with small steps, so the weights of the last epoch count. `val` decides one thing:
    if the probe has more of its images right than the network after the training, the model ends as the probe.

    Args:
        model: pretrained, after `replace_head`, on the device where it shall train. What `freeze` or
            `freeze_norms` froze before stays so. Its convolutions are put into the order `channels_last`.
        datasets: `train` and `val`, as from `image_datasets`. `train` is any dataset that `with_transform` can give
            another transform, and stays as it is; `val` is used with its own.
        preprocessing: of the pretrained weights.
        num_epochs: passes over the training images; None takes six, or as many as 48 steps need.
        seed: of the order of the images; crops and flips follow `torch.manual_seed`.
        mirror: whether training images are flipped at random; not for letters, road signs or X-rays.
        checkpoint, on_epoch, curve, keep, recipe: as in `train_model`.
        all_layers: whether the layers of `early_parts` are trained as well, which takes half as long again. Where
            `freeze` has chosen the layers, its choice counts.
        batch_size: of all processes together. The learning rates are those for 32, whatever it is.
        num_workers: processes that decode the images, for each that trains.

    Returns:
        The model (the same object) and the history, as from `train_model`; with `probe_acc`, one figure: the accuracy
        of the probe on `val`. Where it is above the last of `val_acc`, the model is the probe.

    Raises:
        LessonError, Stopped: as `train_model`; also where a dataset cannot be given the recipe's transform. The model
            then holds the weights of the epoch that was best on `val`, since half a cycle has not come to rest; the
            probe may have been better.
    """
    for split in ("train", "val"):
        if split not in datasets:
            raise LessonError(
                f"There is no dataset {split!r}, only {', '.join(map(repr, datasets))}; name it {split!r}."
            )
        if len(datasets[split]) == 0:  # type: ignore[arg-type]  # all here have a length
            raise LessonError(f"The dataset {split!r} has no images.")
    check_same_classes({split: datasets[split] for split in ("train", "val")})
    sample = next(iter(datasets["val"]))
    if not (isinstance(sample, (list, tuple)) and len(sample) == 2):
        raise LessonError(f"The dataset 'val' gives a {type(sample).__name__}; let it return (image, label).")
    image = sample[0]
    if not (isinstance(image, torch.Tensor) and image.is_floating_point()):
        raise LessonError("The dataset 'val' makes no float tensors; its transform is eval_transform(preprocessing).")
    with fine_tuning(model, datasets, preprocessing, seed, mirror, all_layers, batch_size, num_workers) as prepared:
        loaders, optimizer = prepared
        eval_view = with_transform(datasets["train"], eval_transform(preprocessing))
        probe_head(model, make_dataloader(eval_view, batch_size, num_workers=num_workers))
        criterion = nn.CrossEntropyLoss()
        probe_acc = run_epoch(model, loaders["val"], criterion)[1]
        probed = copy.deepcopy(model.state_dict())
        num_epochs = num_epochs or fine_tuning_epochs(len(loaders["train"]))
        rates = [group["lr"] for group in optimizer.param_groups]
        scheduler = OneCycleLR(optimizer, rates, total_steps=num_epochs * len(loaders["train"]))
        model, history = train_model(
            model,
            loaders,
            criterion,
            optimizer,
            scheduler,
            num_epochs,
            checkpoint,
            on_epoch,
            keep,
            curve=curve,
            recipe=recipe,
        )
    kept = max(history["val_acc"]) if keep == "best" and curve else history["val_acc"][-1]
    if kept < probe_acc:
        model.load_state_dict(probed)
    return model, history | {"probe_acc": [probe_acc]}


@contextmanager
def fine_tuning(
    model: nn.Module,
    datasets: Mapping[str, Dataset[Any]],
    preprocessing: Preprocessing,
    seed: int = 0,
    mirror: bool = True,
    all_layers: bool = False,
    batch_size: int = 32,
    num_workers: int = 0,
) -> Iterator[tuple[dict[str, DataLoader[Any]], torch.optim.Optimizer]]:
    """Within it, the model is as `fine_tune` trains it, whose arguments these are; yields its loaders and optimizer."""
    if device_of(model).type != "mps":  # not tested there
        model.to(memory_format=torch.channels_last)  # faster convolutions (lesson 04)
    train_view = with_transform(datasets["train"], train_transform(preprocessing, scale=0.35, mirror=mirror))
    loaders = {
        "train": make_dataloader(train_view, batch_size, shuffle=True, num_workers=num_workers, seed=seed),
        "val": make_dataloader(datasets["val"], batch_size, num_workers=num_workers),
    }
    chosen = all_layers or not next(model.parameters()).requires_grad  # `freeze` leaves the first layer out
    early = [] if chosen else [p for name in early_parts(model) for p in model.get_submodule(name).parameters()]
    frozen_here = [parameter.requires_grad_(False) for parameter in early if parameter.requires_grad]
    try:
        groups = parameter_groups(model, lr=2e-3, backbone_lr=2e-4, weight_decay=0.05)
        yield loaders, torch.optim.AdamW(groups, fused=True)
    finally:
        for parameter in frozen_here:
            parameter.requires_grad_(True)


def fine_tuning_epochs(batches: int) -> int:
    """How long `fine_tune` trains on so many batches where nobody says it: six epochs, or as many as 48 steps need."""
    return max(EPOCHS, math.ceil(STEPS / batches))


def early_stopping(patience: int) -> Callable[[History], bool]:
    """For `on_epoch`: ends the training when `val_loss` has not improved for `patience` epochs (Prechelt, 1998)."""

    def stop(history: History) -> bool:
        losses = history["val_loss"]
        if math.isnan(losses[0]):
            raise LessonError("Early stopping needs the loss on val after each epoch: leave curve=False out.")
        return len(losses) - 1 - losses.index(min(losses)) >= patience

    return stop


def lr_range_test(
    model: nn.Module,
    loader: DataLoader[Any],
    criterion: Criterion,
    optimizer: torch.optim.Optimizer,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 40,
) -> tuple[list[float], list[float]]:
    """Raise the learning rate from step to step and watch the loss (Smith, 2015).

    The model and the optimizer are put back as they were.

    Args:
        model, loader, criterion, optimizer: as for `train_model`; `loader` is repeated as needed.
        lowest, highest: of the rate of the optimizer's first group; the others keep their ratio to it.
        steps: how many rates are tried, evenly on a logarithmic scale.

    Returns:
        The rates, and the loss at each, smoothed over some steps. Both end early where the loss has grown
        to four times its smallest value or is no longer a number.
    """
    if len(loader) == 0:
        raise LessonError("The loader has no batches: it needs images; with drop_last=True, batch_size of them.")
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    device = device_of(model)
    factors = [group["lr"] / optimizer.param_groups[0]["lr"] for group in optimizer.param_groups]
    endless = (batch for _ in repeat(None) for batch in labelled_batches(loader))
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    scaler = grad_scaler(device)
    train_mode(model)
    try:
        for step, (x, y) in zip(range(steps), endless, strict=False):
            rate = lowest * (highest / lowest) ** (step / (steps - 1))
            for group, factor in zip(optimizer.param_groups, factors, strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad()
            with autocast(device):
                outputs = forward_checked(model, to_device(x, model))
                _check_labels(y, outputs)
                loss, _ = compute_loss(criterion, outputs, y.to(device))
            _step(loss, optimizer, None, scaler)
            mean = 0.8 * mean + 0.2 * loss.item()
            smooth = mean / (1 - 0.8 ** (step + 1))  # the mean began at 0
            if not math.isfinite(smooth) or smooth > 4 * min(losses, default=smooth):
                break
            rates.append(rate)
            losses.append(smooth)
    finally:  # also after the stop button
        model.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
    if not rates:
        raise LessonError(f"The loss is {smooth} at the lowest rate already: an image or a weight is no number.")
    return rates, losses
