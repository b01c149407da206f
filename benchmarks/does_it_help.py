"""Less data, less time, better results? From scratch, frozen and fine-tuned, side by side (lesson 06).

    python -m benchmarks.does_it_help

A benchmark that was stopped goes on where it ended. All methods of a seed get the same pictures, and as many
of `val` as of `train`, as far as there are. The test pictures are asked about once in each run.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from benchmarks.runs import (
    PREPROCESSING,
    SEEDS,
    Datasets,
    interval,
    load,
    measure_all,
    over_seeds,
    write_section,
)
from helpers.data import make_dataloader, make_dataloaders, subsample, with_transform
from helpers.evaluation import accuracy, predict
from helpers.features import extract_features, linear_probe
from helpers.models import freeze_norms, load_model, replace_head
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform, train_transform

RESULTS = Path(__file__).with_suffix(".json")
PER_CLASS = (2, 5, 10, 20, 50, 122)
EPOCHS = 25  # of the textbook
LONGER, FEW = "from scratch, longer", 20  # one run, with so many pictures of each class: it takes its time

Answers = Callable[[Datasets], torch.Tensor]  # what a trained model says of `test`: probabilities (images, classes)


def textbook(weights: str | None, datasets: Datasets, seed: int, on_epoch: Callable) -> Answers:
    """The textbook's loop: all layers, SGD with StepLR, 25 epochs, the weights that were best on `val`."""
    torch.manual_seed(seed)
    model = replace_head(load_model(weights), len(datasets["train"].classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=7, gamma=0.1)
    loaders = make_dataloaders(datasets, seed=seed)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, EPOCHS, on_epoch=on_epoch)
    return partial(predict, model)


def tuned_from_scratch(datasets: Datasets, seed: int, on_epoch: Callable) -> Answers:
    """From random weights with a recipe of its own, so that transfer does not win against a straw man."""
    torch.manual_seed(seed)
    model = replace_head(load_model(None), len(datasets["train"].classes))
    loaders = make_dataloaders(datasets, seed=seed)
    optimizer, scheduler = one_cycle(model, EPOCHS * len(loaders["train"]))
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, EPOCHS, on_epoch=on_epoch)
    return partial(predict, model)


def longer_from_scratch(datasets: Datasets, seed: int, on_epoch: Callable) -> Answers:
    """The same four times as long, with the crops of `fine_tune`; as there, the last epoch counts."""
    train_view = with_transform(datasets["train"], train_transform(PREPROCESSING, scale=0.35))
    torch.manual_seed(seed)
    model = replace_head(load_model(None), len(datasets["train"].classes))
    loaders = make_dataloaders(datasets | {"train": train_view}, seed=seed)
    epochs = 4 * EPOCHS
    optimizer, scheduler = one_cycle(model, epochs * len(loaders["train"]))
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, epochs, keep="last", curve=False)
    return partial(predict, model)


def one_cycle(model: nn.Module, steps: int) -> tuple[torch.optim.Optimizer, OneCycleLR]:
    """AdamW, and one cycle of its learning rate over all steps."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    return optimizer, OneCycleLR(optimizer, max_lr=1e-3, total_steps=steps)


def frozen(datasets: Datasets, seed: int, on_epoch: Callable) -> Answers:
    """A linear probe on the features of the frozen network; nothing of it is random but the pictures."""
    model = load_model("embedded")
    eval_view = with_transform(datasets["train"], eval_transform(PREPROCESSING))
    probe = linear_probe(*extract_features(model, make_dataloader(eval_view)))

    def answer(images):
        features, labels = extract_features(model, images)
        return torch.from_numpy(probe.predict_proba(features)), torch.from_numpy(labels)

    return answer


def fine_tuned(datasets: Datasets, seed: int, on_epoch: Callable) -> Answers:
    """`fine_tune` of all layers with frozen BatchNorm, as lesson 07 explains it."""
    torch.manual_seed(seed)
    model = freeze_norms(replace_head(load_model("embedded"), len(datasets["train"].classes)))
    fine_tune(model, datasets, PREPROCESSING, seed=seed, on_epoch=on_epoch, all_layers=True)
    return partial(predict, model)


METHODS = {
    "from scratch, textbook": partial(textbook, None),
    "from scratch, tuned": tuned_from_scratch,
    "frozen": frozen,
    "fine-tuned, textbook": partial(textbook, "embedded"),
    "fine-tuned": fine_tuned,
    LONGER: longer_from_scratch,
}
RUNS = [(method, n, seed) for seed in SEEDS for n in PER_CLASS for method in METHODS if method != LONGER]
RUNS.append((LONGER, FEW, 0))


def measure(method: str, datasets: Datasets, per_class: int, seed: int) -> dict:
    """One run: the accuracy on `test`, the seconds, and after each epoch the accuracy on `val` and the seconds."""
    part = {split: subsample(datasets[split], per_class, seed) for split in ("train", "val")}
    curve, start = [], time.process_time()

    def on_epoch(history) -> None:
        curve.append([round(time.process_time() - start, 1), round(history["val_acc"][-1], 4)])

    answer = METHODS[method](part, seed, on_epoch)
    seconds = round(time.process_time() - start, 1)
    probabilities, labels = answer(make_dataloader(datasets["test"]))
    return {"accuracy": accuracy(probabilities.argmax(1), labels).value, "seconds": seconds, "curve": curve}


def table(results: list[dict]) -> str:
    """Accuracy in percent by method and number of pictures, and the seconds with all of them."""
    lines = [f"| pictures per class | {' | '.join(map(str, PER_CLASS))} | seconds with {PER_CLASS[-1]} |"]
    lines.append("|---" * (len(PER_CLASS) + 2) + "|")
    for method in METHODS:
        cells = [cell(over_seeds(results, method=method, per_class=n)) for n in PER_CLASS]
        seconds = over_seeds(results, "seconds", method=method, per_class=PER_CLASS[-1])
        cells.append(f"{seconds.mean():.0f}" if len(seconds) else "")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(values: np.ndarray) -> str:
    """The mean and its interval, or the one run that there is."""
    return interval(values) if len(values) > 1 else "".join(f"{100 * value:.1f} % (one run)" for value in values)


def main() -> None:
    datasets = load()
    runs = [
        ({"method": method, "per_class": n, "seed": seed}, partial(measure, method, datasets, n, seed))
        for method, n, seed in RUNS
    ]
    write_section("does_it_help", table(measure_all(RESULTS, runs)))


if __name__ == "__main__":
    main()
