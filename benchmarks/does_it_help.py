"""Accuracy against the number of training pictures: from scratch, frozen, fine-tuned (lesson 06).

    python -m benchmarks.does_it_help

Writes benchmarks/does_it_help.json, run by run; a benchmark that was stopped goes on where it ended. All
methods of a seed get the same pictures, at the same size, and as many of `val` as of `train`, as far as there
are. The test pictures are asked about once in each run.
"""

import copy
import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from helpers.data import ImageDataset, image_datasets, load_image, make_dataloaders
from helpers.evaluation import accuracy, predict
from helpers.features import extract_features, linear_probe
from helpers.models import load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform

RESULTS = Path(__file__).with_suffix(".json")
SIZE = 96  # in pixels
PER_CLASS = (2, 5, 10, 20, 50, 122)
SEEDS = range(5)

Datasets = dict[str, ImageDataset]


def load(folder: Path, size: int) -> Datasets:
    """The splits of `folder`; each picture is decoded once."""
    datasets = image_datasets(folder, size)
    for dataset in datasets.values():
        dataset.loader = cache(load_image)
    return datasets


def few(dataset: ImageDataset, per_class: int, seed: int) -> ImageDataset:
    """A random `per_class` pictures of each class, or all of a class that has fewer."""
    generator = np.random.default_rng(seed)
    labels = np.array(dataset.targets)
    chosen = [generator.permutation(np.flatnonzero(labels == index))[:per_class] for index in np.unique(labels)]
    part = copy.copy(dataset)
    part.samples = [dataset.samples[i] for i in np.concatenate(chosen)]
    part.targets = [label for _, label in part.samples]
    return part


def from_scratch(datasets: Datasets, size: int, seed: int):
    """The textbook's recipe from random weights, 25 epochs."""
    torch.manual_seed(seed)
    model = replace_head(load_model(None), len(datasets["train"].classes))
    loaders = make_dataloaders(datasets, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=25)
    return lambda images: predict(model, images)


def frozen(datasets: Datasets, size: int, seed: int):
    """A linear probe on the features of the frozen network."""
    model = load_model("embedded")
    still = copy.copy(datasets["train"])
    still.transform = eval_transform(size)
    probe = linear_probe(*extract_features(model, make_dataloaders({"val": still})["val"]))

    def answer(images):
        features, labels = extract_features(model, images)
        return torch.from_numpy(probe.predict_proba(features)), torch.from_numpy(labels)

    return answer


def fine_tuned(datasets: Datasets, size: int, seed: int):
    """`fine_tune` from the embedded weights, 15 epochs."""
    torch.manual_seed(seed)
    model = replace_head(load_model("embedded"), len(datasets["train"].classes))
    fine_tune(model, datasets, size, seed=seed)
    return lambda images: predict(model, images)


METHODS = {"from scratch": from_scratch, "frozen": frozen, "fine-tuned": fine_tuned}


def measure(method: str, datasets: Datasets, size: int, per_class: int, seed: int) -> list[int]:
    """One run: how many of `test` were right, and of how many."""
    part = {split: few(datasets[split], per_class, seed) for split in ("train", "val")}
    answer = METHODS[method](part, size, seed)
    probabilities, labels = answer(make_dataloaders({"test": datasets["test"]})["test"])
    result = accuracy(probabilities.argmax(1), labels)
    return [result.right, result.total]


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    datasets = load(IMAGES["embedded"], SIZE)
    runs = [(method, per_class, seed) for seed in SEEDS for per_class in PER_CLASS for method in METHODS]
    for method, per_class, seed in tqdm(runs):
        done = results.setdefault(method, {}).setdefault(str(per_class), {})
        if str(seed) not in done:
            done[str(seed)] = measure(method, datasets, SIZE, per_class, seed)
            part = RESULTS.with_suffix(".part")
            part.write_text(json.dumps(results, indent=1) + "\n")
            part.replace(RESULTS)


if __name__ == "__main__":
    main()
