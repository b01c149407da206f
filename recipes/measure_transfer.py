"""Measure what each source of pretrained weights is worth on each set of images, and write it into the model cards.

    python -m recipes.measure_transfer                  # on test; the photographs, if they are there, on val
    python -m recipes.measure_transfer --photos FOLDER  # the photographs from another folder

Each result is kept in `data/weights/results.json` as soon as it is there, so a run that was stopped goes on where it
ended. Delete an entry to measure it again. What is quick comes first, then a seed after the other. It computes on a GPU
if there is one, and multiplies in bfloat16 where the device does that natively.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchvision.transforms.v2.functional import resize

from helpers.data import CachedDataset, image_datasets, make_dataloader, make_dataloaders, with_transform
from helpers.devices import autocast, best_device
from helpers.evaluation import Accuracy, accuracy, mean_interval, predict
from helpers.features import extract_features, linear_probe
from helpers.models import freeze, freeze_norms, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform, train_transform
from helpers.weights import EMBEDDED, FOLDER, SOURCES, Preprocessing, preprocessing_of, pretraining_classes

RESULTS, CARD = FOLDER / "results.json", FOLDER / "README.md"
SEEDS = range(5)
SETS = {"insects": "insects", "species": "species", "photographs": "photos"}  # how they are called in IMAGES
TITLES = {
    "colours": "colours alone",
    "random": "random ResNet18",
    "embedded": "embedded ResNet18",
    "imagenet": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
}
# The embedded network is small and takes images of many sizes, in pixels; more of them help fine-tuning.
FROZEN_SIZES = {"insects": 128, "species": 160, "photographs": 160}
TUNED_SIZES = {"insects": 160, "species": 160, "photographs": 224}
LITE_PARTS = ("blocks.5", "blocks.6", "conv_head")  # of Lite0 to Lite2: one block more than lesson 09 fine-tunes

Datasets = dict[str, CachedDataset]


def load(folder: Path) -> Datasets:
    """The splits of `folder`, each image decoded once."""
    return {split: CachedDataset(dataset) for split, dataset in image_datasets(folder, EMBEDDED).items()}


def measured_split(datasets: Datasets) -> str:
    return "test" if "test" in datasets else "val"


def prepared(datasets: Datasets, preprocessing: Preprocessing) -> Datasets:
    """The same images, each seen in one way only."""
    return {split: with_transform(data, eval_transform(preprocessing)) for split, data in datasets.items()}


def colours(dataset: CachedDataset) -> np.ndarray:
    """(images, 512): how often each of 8 x 8 x 8 colours occurs in an image."""
    small = (resize(image, [64, 64]).reshape(3, -1).T.numpy() for image in dataset.images)
    return np.stack([np.histogramdd(pixels, bins=8, range=[(0, 256)] * 3)[0].ravel() for pixels in small])


def colour_baseline(datasets: Datasets, images: str, seed: int) -> Accuracy:
    """Logistic regression on the colours alone."""
    measured = datasets[measured_split(datasets)]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model.fit(colours(datasets["train"]), datasets["train"].targets)
    return accuracy(model.predict(colours(measured)), np.array(measured.targets))


def network(weights: str | None, datasets: Datasets) -> nn.Module:
    """The source's network with a new head for the classes of `datasets`."""
    model = replace_head(load_model(weights), len(datasets["train"].classes))
    return model.to(best_device(), memory_format=torch.channels_last)


def frozen(weights: str | None, datasets: Datasets, images: str, seed: int) -> Accuracy:
    """A linear probe on the features of a frozen network."""
    return accuracy(*frozen_predictions(weights, datasets, images, seed))


def frozen_predictions(
    weights: str | None, datasets: Datasets, images: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The class that such a probe predicts for each image of the measured split, and the true ones."""
    torch.manual_seed(seed)
    model = load_model(weights).to(best_device(), memory_format=torch.channels_last)
    small = weights in (None, "embedded")
    datasets = prepared(datasets, EMBEDDED.at(FROZEN_SIZES[images]) if small else preprocessing_of(weights))
    probe = linear_probe(*extract_features(model, make_dataloader(datasets["train"])))
    features, labels = extract_features(model, make_dataloader(datasets[measured_split(datasets)]))
    return probe.predict(features), labels


def from_scratch(datasets: Datasets, images: str, seed: int) -> Accuracy:
    """The textbook's recipe, 25 epochs, from random weights, with the epoch that was best on val.

    Where val itself is measured this flatters the result: the best of 25 is chosen on what counts.
    """
    torch.manual_seed(seed)
    preprocessing = EMBEDDED.at(FROZEN_SIZES[images])
    model = network(None, datasets)
    moving = with_transform(datasets["train"], train_transform(preprocessing))
    loaders = make_dataloaders(prepared(datasets, preprocessing) | {"train": moving}, seed=seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=25)
    return judged(model, prepared(datasets, preprocessing))


def fine_tuned(weights: str, datasets: Datasets, images: str, seed: int) -> Accuracy:
    """`fine_tune`; of the Lite networks, the last blocks only. Images count with their mirror."""
    torch.manual_seed(seed)
    model = network(weights, datasets)
    if weights == "embedded":
        preprocessing, options = EMBEDDED.at(TUNED_SIZES[images]), {"num_epochs": 15, "all_layers": True}
    else:
        freeze_norms(freeze(model, LITE_PARTS))
        preprocessing, options = preprocessing_of(weights), {}
    fine_tune(model, prepared(datasets, preprocessing), preprocessing, seed=seed, **options)
    return judged(model, prepared(datasets, preprocessing), mirror=True)


def judged(model: nn.Module, datasets: Datasets, mirror: bool = False) -> Accuracy:
    probabilities, labels = predict(model, make_dataloader(datasets[measured_split(datasets)]), mirror)
    return accuracy(probabilities.argmax(1), labels)


def own_heads(weights: str, photographs: Datasets) -> dict[str, Accuracy]:
    """What a network of ImageNet says without any training, for it knows ants and bees; also with another padding."""
    source, names = SOURCES[weights], pretraining_classes(weights)
    own = torch.tensor([names.index("ant"), names.index("bee")])  # in the order of our classes
    loader = make_dataloader(prepared(photographs, source.preprocessing)["val"])
    model = load_model(weights).to(best_device())
    native = timm.create_model(source.architecture.removeprefix("tf_"))  # pads as PyTorch does; the rest is the same
    native.to(best_device()).load_state_dict(model.state_dict())
    (all_of_them, labels), (padded, _) = predict(model, loader), predict(native, loader)
    answers = (all_of_them.argmax(1), own[all_of_them[:, own].argmax(1)], padded.argmax(1))
    return {title: accuracy(answer, own[labels]) for title, answer in zip(OWN_HEADS, answers, strict=True)}


# Source, what is made of it, how, and over how many seeds: one will do where nothing is random.
METHODS: list[tuple[str, str, Callable[[Datasets, str, int], Accuracy], range]] = [
    ("colours", "logistic regression", colour_baseline, SEEDS[:1]),
    *((weights, "frozen, linear probe", partial(frozen, weights), SEEDS[:1]) for weights in SOURCES),
    ("random", "frozen, linear probe", partial(frozen, None), SEEDS),
    *((weights, "fine-tuned", partial(fine_tuned, weights), SEEDS) for weights in SOURCES),
    ("random", "from scratch, 25 epochs", from_scratch, SEEDS),
]
LITE = [weights for weights in SOURCES if weights != "embedded"]
OWN_HEADS = ("right among 1000 classes", "right among ant and bee", "right among 1000 classes, PyTorch's padding")
Results = dict[str, dict[str, dict[str, dict[str, list[int]]]]]  # images, source, method, seed: right and total


def cell(runs: dict[str, list[int]], seeds: int) -> str:
    """A mean over seeds with Student's interval, or one figure with Wilson's."""
    if not runs:
        return "not measured"
    if seeds == 1:
        (run,) = runs.values()
        result = Accuracy(*run)
        return f"{result.value:.1%} ({result.low:.1%} to {result.high:.1%})"
    if len(runs) == 1:
        return f"{np.divide(*next(iter(runs.values()))):.1%} (1 seed)"
    mean, low, high = mean_interval([right / total for right, total in runs.values()])
    return f"{mean:.1%} ({low:.1%} to {min(high, 1):.1%}, {len(runs)} seeds)"


def tables(results: Results) -> str:
    """Source to target, and what ImageNet's networks say by themselves, in Markdown."""
    measured = {images: results[images] for images in SETS if results.get(images)}
    heads = []
    for images, of in measured.items():
        some = next(iter(next(iter(of.values())).values()))
        split = "val" if images == "photographs" else "test"
        heads.append(f"{images} ({split}, {next(iter(some.values()))[1]})")
    lines = [f"| source | what is trained | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for source in TITLES:
        for weights, method, _, seeds in METHODS:
            if weights == source:
                cells = [cell(of.get(source, {}).get(method, {}), len(seeds)) for of in measured.values()]
                lines.append(f"| {TITLES[source]} | {method} | {' | '.join(cells)} |")
    lines += ["", f"| photographs, no training | {' | '.join(OWN_HEADS)} |", "|---" * (1 + len(OWN_HEADS)) + "|"]
    for source in LITE:
        own = results["photographs"].get(source, {})
        lines.append(f"| {TITLES[source]} | {' | '.join(cell(own.get(method, {}), 1) for method in OWN_HEADS)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--photos", type=Path, default=IMAGES["photos"], help="the folder with train/ and val/")
    folders = {images: IMAGES[name] for images, name in SETS.items()} | {"photographs": parser.parse_args().photos}
    folders = {images: folder for images, folder in folders.items() if (folder / "train").is_dir()}
    datasets = {images: load(folder) for images, folder in folders.items()}
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}

    def keep(images: str, source: str, method: str, seed: int, result: Accuracy) -> None:
        results[images].setdefault(source, {}).setdefault(method, {})[str(seed)] = [result.right, result.total]
        print(f"{images}, {TITLES[source]}, {method}, seed {seed}: {result}", flush=True)
        write(RESULTS, json.dumps(results, indent=1) + "\n")
        write_tables(results)

    for images in datasets:
        results.setdefault(images, {})
    for weights in LITE:
        if "photographs" in datasets and OWN_HEADS[0] not in results["photographs"].get(weights, {}):
            for title, result in own_heads(weights, datasets["photographs"]).items():
                keep("photographs", weights, title, 0, result)
    runs = [(len(seeds) > 1, seed, images, *run) for *run, seeds in METHODS for images in datasets for seed in seeds]
    for _, seed, images, source, method, measure in sorted(runs, key=lambda run: run[:2]):
        if str(seed) not in results[images].get(source, {}).get(method, {}):
            with autocast(best_device()):
                keep(images, source, method, seed, measure(datasets[images], images, seed))


def write_tables(results: Results) -> None:
    start, end = "<!-- results -->\n", "<!-- /results -->"
    before, rest = CARD.read_text().split(start)
    write(CARD, before + start + tables(results) + end + rest.split(end)[1])


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    main()
