"""From the textbook's fine-tuning to a good recipe, each step measured (lesson 07).

    python -m benchmarks.fine_tuning

A benchmark that was stopped goes on where it ended. The steps add up, from the textbook's recipe to that of
`helpers.training.fine_tune`; then some more, each alone on top of that. All use all pictures of `train`, and
those of `val` only where the textbook's does: to keep the best epoch. The recipe was chosen on `val`.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, default_collate
from torchvision.transforms import v2

from benchmarks.runs import (
    PREPROCESSING,
    SEEDS,
    Datasets,
    difference,
    interval,
    load,
    measure_all,
    over_seeds,
    write_section,
)
from helpers.data import make_dataloader, make_dataloaders, with_transform
from helpers.evaluation import accuracy, predict
from helpers.features import probe_head
from helpers.models import freeze, freeze_norms, load_model, parameter_groups, replace_head, top_level_parts
from helpers.training import train_model
from helpers.transforms import eval_transform, train_transform

RESULTS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune. As it stands, the textbook's way."""

    epochs: int = 25
    batch_size: int = 32
    best_epoch: bool = True  # the one that was best on `val`, or the last
    crops: float = 0.08  # the smallest share of the picture that a crop shows
    head: str = "random"  # or "probe": where a linear probe ends
    one_cycle: bool = False  # AdamW and one cycle, or SGD and StepLR
    lr: float = 1e-3
    backbone_lr: float = 1e-3
    weight_decay: float = 0.0
    decay_all: bool = False  # biases and normalisation as well
    frozen_norms: bool = False
    gradual: bool = False  # the last stage first, then one more each epoch
    label_smoothing: float = 0.0
    mixup: bool = False
    ema: bool = False
    mirror: bool = False  # at prediction: the picture and its mirror image


TEXTBOOK = Recipe()
SHORT = replace(TEXTBOOK, epochs=6)
CYCLE = replace(SHORT, one_cycle=True, best_epoch=False)
PROBE = replace(CYCLE, head="probe")
RATES = replace(PROBE, lr=2e-3, backbone_lr=2e-4)
CROPS = replace(RATES, crops=0.35)
DECAY = replace(CROPS, weight_decay=0.05)
GOOD = replace(DECAY, frozen_norms=True)

STEPS = {
    "the textbook's recipe: 25 epochs": TEXTBOOK,
    "6 epochs": SHORT,
    "AdamW with one cycle, the last epoch": CYCLE,
    "the head starts as a linear probe": PROBE,
    "the head learns ten times faster": RATES,
    "crops show a third or more": CROPS,
    "weight decay on the weights": DECAY,
    "BatchNorm stays as pretrained": GOOD,
}
# Is it AdamW, or that its steps are larger? The first two recipes again, with ten times their rate.
TENFOLD = {
    f"{title}, with a rate of 0.01": replace(recipe, lr=1e-2, backbone_lr=1e-2)
    for title, recipe in list(STEPS.items())[:2]
}
# Or are the batches too large for it? The short recipe with batches of 4, as in PyTorch's tutorial. It takes four times
# as long, so there are fewer seeds.
SMALL = {"6 epochs, with batches of 4": replace(SHORT, batch_size=4)}
SMALL_SEEDS = SEEDS[:2]
EXTRAS = {
    "a random head": replace(GOOD, head="random"),
    "one learning rate for all": replace(GOOD, lr=2e-4),
    "gradual unfreezing": replace(GOOD, gradual=True),
    "weight decay on everything": replace(GOOD, decay_all=True),
    "no weight decay": replace(GOOD, weight_decay=0.0),
    "label smoothing": replace(GOOD, label_smoothing=0.1),
    "MixUp": replace(GOOD, mixup=True),
    "EMA of the weights": replace(GOOD, ema=True),
    "the mirror image at prediction": replace(GOOD, mirror=True),
    "25 epochs instead of 6": replace(GOOD, epochs=25),
}
RECIPES = STEPS | TENFOLD | SMALL | EXTRAS
# What each of them is held against: the step before, the recipe with the small rate, the whole recipe.
BASE = {step: before for before, step in pairwise(STEPS)}
BASE |= dict(zip(TENFOLD, STEPS, strict=False)) | dict.fromkeys(SMALL, "6 epochs")
BASE |= dict.fromkeys(EXTRAS, list(STEPS)[-1])


def fine_tune(recipe: Recipe, datasets: Datasets, seed: int) -> nn.Module:
    """Train the embedded network as the recipe says."""
    torch.manual_seed(seed)
    model = replace_head(load_model("embedded"), len(datasets["train"].classes)).to(memory_format=torch.channels_last)
    eval_view = with_transform(datasets["train"], eval_transform(PREPROCESSING))
    train_view = with_transform(datasets["train"], train_transform(PREPROCESSING, recipe.crops))
    if recipe.head == "probe":
        probe_head(model, make_dataloader(eval_view))
    loaders = make_dataloaders({"train": train_view, "val": datasets["val"]}, recipe.batch_size, seed=seed)
    if recipe.mixup:
        loaders["train"] = mixing(loaders["train"], len(train_view.classes))
    if recipe.frozen_norms:
        freeze_norms(model)
    optimizer, scheduler = optimize(recipe, model, len(loaders["train"]))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    if recipe.ema:
        optimizer.register_step_post_hook(lambda *_: averaged.update_parameters(model))
    last = {}

    def on_epoch(history) -> None:
        last.update(copy.deepcopy(model.state_dict()))
        if recipe.gradual:
            unfreeze(model, len(history["lr"]))

    if recipe.gradual:
        unfreeze(model, 0)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    train_model(model, loaders, criterion, optimizer, scheduler, recipe.epochs, on_epoch=on_epoch)
    if not recipe.best_epoch:
        model.load_state_dict(last)
    return averaged.module if recipe.ema else model


def optimize(recipe: Recipe, model: nn.Module, batches: int):
    """The optimizer of the recipe, and its scheduler."""
    groups = parameter_groups(model, recipe.lr, recipe.backbone_lr, recipe.weight_decay)
    if recipe.decay_all:
        groups = [group | {"weight_decay": recipe.weight_decay} for group in groups]
    if not recipe.one_cycle:
        optimizer = torch.optim.SGD(groups, momentum=0.9)
        return optimizer, StepLR(optimizer, step_size=7, gamma=0.1)
    optimizer = torch.optim.AdamW(groups, fused=True)
    highest = [group["lr"] for group in groups]
    return optimizer, OneCycleLR(optimizer, highest, total_steps=recipe.epochs * batches)


def unfreeze(model: nn.Module, epoch: int) -> None:
    """Train the head and the last stage, and after each epoch one more (ULMFiT: Howard and Ruder, 2018)."""
    last_first = top_level_parts(model)[::-1]
    freeze(model, tuple(last_first[: epoch + 2]))
    freeze_norms(model)


def mixing(batches: DataLoader, num_classes: int) -> DataLoader:
    """The same batches, each mixed with itself (Zhang et al., 2018)."""
    mix = v2.MixUp(alpha=0.2, num_classes=num_classes)
    return DataLoader(
        batches.dataset,
        batches.batch_size,
        shuffle=True,
        generator=batches.generator,
        collate_fn=lambda samples: mix(*default_collate(samples)),
    )


def measure(recipe: Recipe, datasets: Datasets, seed: int) -> dict:
    """One run: the seconds of the training, and the accuracy on `test`."""
    start = time.process_time()
    model = fine_tune(recipe, datasets, seed)
    seconds = round(time.process_time() - start, 1)
    images = make_dataloader(datasets["test"])
    probabilities, labels = predict(model, images, mirror=recipe.mirror)
    return {"accuracy": accuracy(probabilities.argmax(1), labels).value, "seconds": seconds}


def table(results: list[dict]) -> str:
    """Each recipe with its accuracy, what it is worth over its base, and its seconds."""
    lines = ["| step | accuracy on test, % | worth, points | seconds |", "|---|---|---|---|"]
    for title in RECIPES:
        values = over_seeds(results, step=title)
        worth = difference(values, over_seeds(results, step=BASE[title])[: len(values)]) if title in BASE else ""
        seconds = over_seeds(results, "seconds", step=title).mean()
        lines.append(f"| {title} | {interval(values)} | {worth} | {seconds:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    datasets = load()
    runs: list[tuple[dict, Callable[[], dict]]] = [
        ({"step": title, "seed": seed}, partial(measure, recipe, datasets, seed))
        for seed in SEEDS
        for title, recipe in RECIPES.items()
        if title not in SMALL or seed in SMALL_SEEDS
    ]
    write_section("fine_tuning", table(measure_all(RESULTS, runs)))


if __name__ == "__main__":
    main()
