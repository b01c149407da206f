"""Measure what the embedded ResNet18 is worth on ants and bees, and write the table into its model card.

    python -m recipes.measure_transfer                  # the embedded insects, on test
    python -m recipes.measure_transfer --images FOLDER  # the photographs, on val; they have no test

Each result is appended to `data/weights/results.json` as soon as it is there, so a run that was
stopped goes on where it ended. Delete an entry to measure it again. It multiplies in bfloat16 where
the processor does that natively.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from helpers.data import ImageDataset, image_datasets, load_image, make_dataloaders
from helpers.evaluation import Accuracy, accuracy, mean_interval, predict
from helpers.features import extract_features, linear_probe
from helpers.models import EMBEDDED, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import autocast, fine_tune, train_model
from helpers.transforms import eval_transform

RESULTS = EMBEDDED.parent / "results.json"
CARD = EMBEDDED.parent / "README.md"
START, END = "<!-- results -->\n", "<!-- /results -->"
SEEDS = range(5)
SIZES = {"insects": 128, "photographs": 160}  # in pixels
TUNED_SIZES = {"insects": 160, "photographs": 224}  # more pixels help fine-tuning


def in_memory(folder: Path, size: int) -> dict[str, ImageDataset]:
    """The splits of `folder`, decoded once: 25 epochs would decode each picture 25 times."""
    datasets = image_datasets(folder, size)
    for dataset in datasets.values():
        pictures = {path: load_image(path) for path, _ in dataset.samples}
        dataset.loader = pictures.__getitem__
    return datasets


def colours(dataset: ImageDataset) -> np.ndarray:
    """(images, 512): how often each of 8 x 8 x 8 colours occurs in a picture."""
    small = [dataset.loader(path).resize((64, 64), Image.Resampling.BILINEAR) for path, _ in dataset.samples]
    rows = map(np.asarray, small)
    return np.stack([np.histogramdd(p.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)[0].ravel() for p in rows])


def colour_baseline(datasets, measured: str, size: int, seed: int):
    """Logistic regression on the colours alone."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model.fit(colours(datasets["train"]), datasets["train"].targets)
    return accuracy(model.predict(colours(datasets[measured])), np.array(datasets[measured].targets))


def frozen(weights: str | None, datasets, measured: str, size: int, seed: int):
    """A linear probe on the features of a frozen network."""
    torch.manual_seed(seed)
    model = load_model(weights).to(memory_format=torch.channels_last)
    datasets["train"].transform = eval_transform(size)  # no chance: each picture is seen once
    loaders = make_dataloaders(datasets)
    probe = linear_probe(*extract_features(model, loaders["train"]))
    features, labels = extract_features(model, loaders[measured])
    return accuracy(probe.predict(features), labels)


def from_scratch(datasets, measured: str, size: int, seed: int):
    """The textbook's recipe, 25 epochs, from random weights, with the epoch that was best on val.

    Where val itself is measured this flatters the result: the best of 25 is chosen on what counts.
    """
    torch.manual_seed(seed)
    model = replace_head(load_model(None), len(datasets["train"].classes))
    model = model.to(memory_format=torch.channels_last)
    loaders = make_dataloaders(datasets, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=25)
    probabilities, labels = predict(model, loaders[measured])
    return accuracy(probabilities.argmax(1), labels)


def fine_tuned(datasets, measured: str, size: int, seed: int):
    """All layers from the embedded weights, as `fine_tune` does it; it counts on each picture and its mirror image."""
    torch.manual_seed(seed)
    model = replace_head(load_model("embedded"), len(datasets["train"].classes))
    model = model.to(memory_format=torch.channels_last)
    fine_tune(model, datasets, size, num_epochs=15, seed=seed)
    probabilities, labels = predict(model, make_dataloaders(datasets)[measured], mirror=True)
    return accuracy(probabilities.argmax(1), labels)


METHODS = {  # title: (how, pixels, over how many seeds; where nothing is random, one will do)
    "colours alone, logistic regression": (colour_baseline, SIZES, SEEDS[:1]),
    "random frozen features + linear probe": (lambda *a: frozen(None, *a), SIZES, SEEDS),
    "from scratch, the textbook's 25 epochs": (from_scratch, SIZES, SEEDS),
    "frozen embedded features + linear probe": (lambda *a: frozen("embedded", *a), SIZES, SEEDS[:1]),
    "fine-tuned from the embedded weights, 15 epochs": (fine_tuned, TUNED_SIZES, SEEDS),
}


def table(results: dict) -> str:
    """The results as a Markdown table: a mean over seeds, or one figure with its binomial interval."""
    lines = ["| | insects (test, 400) | photographs (val, 153) |", "|---|---|---|"]
    for title in METHODS:
        cells = []
        for images in SIZES:
            runs = results.get(images, {}).get(title, {})
            if len(runs) > 1:
                mean, low, high = mean_interval([right / total for right, total in runs.values()])
                cells.append(f"{mean:.1%} ({low:.1%} to {high:.1%}, {len(runs)} seeds)")
            else:
                for run in runs.values():
                    a = Accuracy(*run)
                    cells.append(f"{a.value:.1%} ({a.low:.1%} to {a.high:.1%}, nothing random)")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--images", type=Path, help="the folder of the photographs, with train/ and val/")
    folder = parser.parse_args().images
    images, measured = ("photographs", "val") if folder else ("insects", "test")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for title, (method, sizes, seeds) in METHODS.items():
        size = sizes[images]
        runs = results.setdefault(images, {}).setdefault(title, {})
        for seed in seeds:
            if str(seed) not in runs:
                datasets = in_memory(folder or IMAGES["embedded"], size)
                with autocast(torch.device("cpu")):
                    result = method(datasets, measured, size, seed)
                runs[str(seed)] = [result.right, result.total]
                print(f"{images}, {title}, seed {seed}: {result}", flush=True)
                write(RESULTS, json.dumps(results, indent=1) + "\n")
    card = CARD.read_text()
    write(CARD, card[: card.index(START) + len(START)] + table(results) + card[card.index(END) :])
    print(table(results))


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    main()
