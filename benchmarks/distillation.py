"""What a small network learns from the predictions of a large one on images without labels (lesson 07).

    python -m benchmarks.distillation

Six rendered classes, ten labelled images of each; of the other 300 of `train` only the images are used. The teacher is
Lite0 with a linear probe of the labelled ones as its head. The student is the first half of the embedded ResNet18. All
students train for as many steps, on the same crops. A benchmark that was stopped goes on where it ended.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.runs import Datasets, difference, interval, measure_all, over_seeds, write_section
from helpers.data import CachedDataset, image_datasets, make_dataloader, with_transform
from helpers.evaluation import accuracy, predict
from helpers.features import linear_probe, penultimate_features
from helpers.models import load_model
from helpers.tracks import IMAGES
from helpers.transforms import eval_transform, train_transform
from helpers.weights import EMBEDDED, preprocessing_of

RESULTS = Path(__file__).with_suffix(".json")
SIZE, TEACHER_SIZE = 64, 96  # in pixels
LABELLED, STEPS, BATCH, RATE = 10, 100, 32, 1e-3  # labelled images of each class; what each student gets
SEEDS = range(3)
STUDENTS = {"few labels": "few", "the teacher's predictions": "teacher", "all labels": "all"}


@cache
def load() -> Datasets:
    loaded = image_datasets(IMAGES["species"], EMBEDDED.at(SIZE))
    return {split: CachedDataset(loaded[split]) for split in ("train", "test")}


@cache
def teacher_features() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    preprocessing = preprocessing_of("imagenet").at(TEACHER_SIZE)
    loaded = image_datasets(IMAGES["species"], preprocessing)
    model = load_model("imagenet").to(memory_format=torch.channels_last)
    views = {split: with_transform(loaded[split], eval_transform(preprocessing)) for split in ("train", "test")}
    return {split: penultimate_features(model, make_dataloader(view)) for split, view in views.items()}


def labelled_rows(seed: int) -> np.ndarray:
    """Which images of `train` have a label."""
    labels = np.array(load()["train"].targets)
    draw = np.random.default_rng(seed)
    return np.concatenate(
        [draw.choice(np.flatnonzero(labels == c), LABELLED, replace=False) for c in np.unique(labels)]
    )


def student() -> nn.Module:
    """The embedded ResNet18 up to `layer2`, with a new head."""
    whole = load_model("embedded")
    half = [whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1, whole.layer2]
    return nn.Sequential(*half, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 6))


def train_student(rows: np.ndarray, targets: torch.Tensor, steps: int = STEPS) -> nn.Module:
    """Train on these rows of `train`, each with its target: a class, or a probability for each class."""
    model = student()
    images = with_transform(load()["train"], train_transform(EMBEDDED.at(SIZE), scale=0.35))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    model.train()
    for _ in range(steps):
        batch = torch.from_numpy(rows)[torch.randperm(len(rows))[:BATCH]]
        x = torch.stack([images[int(row)][0] for row in batch])
        loss = nn.functional.cross_entropy(model(x), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return model


def measure(targets: str, seed: int) -> dict:
    features, labels = teacher_features()["train"]
    few, everything = labelled_rows(seed), np.arange(len(labels))
    if targets == "teacher":
        probe = linear_probe(features[few], labels[few])
        values = torch.from_numpy(probe.predict_proba(features)).float()
    else:
        values = torch.from_numpy(labels)
    torch.manual_seed(seed)
    model = train_student(few if targets == "few" else everything, values)
    probabilities, truth = predict(model, make_dataloader(load()["test"]))
    return {"accuracy": accuracy(probabilities.argmax(1), truth).value}


def teacher(seed: int) -> dict:
    features, labels = teacher_features()["train"]
    few = labelled_rows(seed)
    return {"accuracy": float(linear_probe(features[few], labels[few]).score(*teacher_features()["test"]))}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    runs: list[tuple[dict, Callable[[], dict]]] = [
        ({"model": "the teacher", "seed": seed}, partial(teacher, seed)) for seed in SEEDS
    ]
    return runs + [
        ({"model": f"student, {title}", "seed": seed}, partial(measure, targets, seed))
        for seed, (title, targets) in product(SEEDS, STUDENTS.items())
    ]


def table(results: list[dict]) -> str:
    lines = ["| model | accuracy on test | above the student with few labels, points |", "|---|---|---|"]
    few = over_seeds(results, model="student, few labels")
    for model in ("the teacher", *(f"student, {title}" for title in STUDENTS)):
        values = over_seeds(results, model=model)
        worth = "" if model == "student, few labels" else difference(values, few)
        lines.append(f"| {model} | {interval(values)} | {worth} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("distillation", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
