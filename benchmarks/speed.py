"""How fast the helpers are: against the textbook's loop, against the least that must be done, and as sizes grow.

    python -m benchmarks.speed

A benchmark that was stopped goes on where it ended. Both sides of a comparison take turns, on the same images,
pixels, weights and precision, one thread each; what counts is the processor's time, workers' time included, from
the folder of pictures to the trained network. The accuracy on `test` is asked for afterwards, off the clock.
"""

import hashlib
import multiprocessing
import re
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks import textbook
from benchmarks.runs import (
    PREPROCESSING,
    SEEDS,
    SIZE,
    difference,
    interval,
    measure_all,
    over_seeds,
    processor_seconds,
    write_section,
)
from helpers.data import (
    CachedDataset,
    SampleDataset,
    image_datasets,
    load_image,
    make_dataloader,
    make_dataloaders,
)
from helpers.evaluation import accuracy, predict
from helpers.features import extract_features, linear_probe
from helpers.models import freeze, freeze_norms, load_model, replace_head, top_level_parts
from helpers.tracks import IMAGES
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform, train_transform

RESULTS = Path(__file__).with_suffix(".json")
FOLDER = IMAGES["insects"]
LOOPS = {"loop": FOLDER, "loop on photographs": IMAGES["photos"]}  # the second one where `make photos` was run
FLAGS = {"num_workers": 2, "persistent_workers": True}  # a worker for each core, kept from epoch to epoch
DEPTHS = ("all layers", "from layer2", "from layer3", "from layer4", "head only")
THEORY = (3.00, 2.36, 1.91, 1.45, 1.00)  # in forward passes: ResNet18's multiply-adds at 224 px, backward twice each
VIEWS = (1, 2, 4)
COUNTS = (100, 1000, 10_000)


def pictures_of_test() -> DataLoader:
    return make_dataloader(image_datasets(FOLDER, PREPROCESSING)["test"])


def on_test(model: nn.Module) -> dict:
    probabilities, labels = predict(model, pictures_of_test())
    return {"accuracy": accuracy(probabilities.argmax(1), labels).value}


def timed(work: Callable[[], object]) -> tuple[object, dict]:
    start = processor_seconds()
    result = work()
    return result, {"seconds": round(processor_seconds() - start, 3)}


# --- From a folder of pictures to a classifier


def textbook_training(frozen: bool, fixed: bool, seed: int) -> dict:
    """25 epochs, as written, or with the flags that cost nothing but knowing of them."""
    torch.manual_seed(seed)

    def work() -> nn.Module:
        loaders = textbook.dataloaders(FOLDER, SIZE, **(FLAGS if fixed else {}))
        model, optimizer, scheduler = textbook.replace_head(loaders["train"].dataset.classes, frozen)
        if fixed:
            model.to(memory_format=torch.channels_last)
        return textbook.train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler)

    model, seconds = timed(work)
    return seconds | on_test(model)


def features_and_probe(seed: int) -> dict:
    def work():
        train = image_datasets(FOLDER, PREPROCESSING)["train"]
        train.transform = eval_transform(PREPROCESSING)
        model = load_model("embedded")
        return model, linear_probe(*extract_features(model, make_dataloader(train)))

    (model, probe), seconds = timed(work)
    features, labels = extract_features(model, pictures_of_test())
    return seconds | {"accuracy": float(probe.score(features, labels))}


@torch.inference_mode()
def floor(seed: int) -> dict:
    """Decode each picture, make it a batch, one forward pass. Nothing is learned."""

    def work() -> None:
        train = image_datasets(FOLDER, PREPROCESSING)["train"]
        model, prepare = load_model("embedded").eval(), eval_transform(PREPROCESSING)
        for start in range(0, len(train.samples), 32):
            model(torch.stack([prepare(load_image(path)) for path, _ in train.samples[start : start + 32]]))

    return timed(work)[1]


def short_fine_tune(num_epochs: int, seed: int) -> dict:
    torch.manual_seed(seed)

    def work() -> nn.Module:
        datasets = image_datasets(FOLDER, PREPROCESSING)
        model = freeze_norms(replace_head(load_model("embedded"), len(datasets["train"].classes)))
        return fine_tune(model, datasets, PREPROCESSING, num_epochs, seed, all_layers=True)[0]

    model, seconds = timed(work)
    return seconds | on_test(model)


# --- The same epochs and the same numbers


def loop(folder: Path, side: str, frozen: bool, seed: int) -> dict:
    """Two epochs of the textbook's loop or of `train_model`, with the same loaders; a fingerprint of the weights."""
    torch.manual_seed(seed)
    datasets = {split: data for split, data in image_datasets(folder, PREPROCESSING).items() if split != "test"}
    model, optimizer, scheduler = textbook.replace_head(datasets["train"].classes, frozen)

    def work() -> None:
        ours = {split: CachedDataset(data) for split, data in datasets.items()} if "in memory" in side else datasets
        train = textbook.train_model if side == "textbook" else train_model
        train(model, make_dataloaders(ours, seed=seed), nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=2)

    seconds = timed(work)[1]
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    return seconds | {"weights": hashlib.sha256(weights).hexdigest()[:16]}


def one_pass(side: str, seed: int) -> dict:
    """A pass over the training pictures alone, without a network."""
    dataset = image_datasets(FOLDER, PREPROCESSING)["train"]
    dataset = CachedDataset(dataset) if side == "in memory" else dataset
    return timed(lambda: [dataset[index] for index in range(len(dataset))])[1]


# --- How the costs grow


def step_cost(depth: str, seed: int) -> dict:
    """Three training steps on a batch of 32, in float32, as the theory has it; the median."""
    model = replace_head(load_model("embedded"), 2)
    parts = top_level_parts(model)
    if depth == "head only":
        freeze(model)
    elif depth != "all layers":
        freeze(model, tuple(parts[parts.index(depth.removeprefix("from ")) :]))
    images, labels = torch.randn(32, 3, SIZE, SIZE), torch.zeros(32, dtype=torch.long)
    model.eval()  # BatchNorm costs the same at each depth

    def step() -> None:
        nn.functional.cross_entropy(model(images), labels).backward()

    with torch.autocast("cpu", enabled=False):
        step()
        return {"seconds": sorted(timed(step)[1]["seconds"] for _ in range(3))[1]}


def views(k: int, seed: int) -> dict:
    """The probe on k crops of each picture, each seen once."""
    torch.manual_seed(seed)
    train = CachedDataset(image_datasets(FOLDER, PREPROCESSING)["train"])
    train.transform = train_transform(PREPROCESSING, scale=0.35)
    images = make_dataloader(train)
    model = load_model("embedded")
    passes, seconds = timed(lambda: [extract_features(model, images) for _ in range(k)])
    features, labels = (np.concatenate(parts) for parts in zip(*passes, strict=True))
    probe = linear_probe(features, labels)
    features, labels = extract_features(model, pictures_of_test())
    return seconds | {"accuracy": float(probe.score(features, labels))}


def stream(count: int) -> dict:
    """Features of `count` pictures from files, in a process of its own; its peak memory in GiB."""
    torch.set_num_threads(1)
    train = image_datasets(FOLDER, PREPROCESSING)["train"]
    samples = [train.samples[index % len(train)] for index in range(count)]
    images = make_dataloader(SampleDataset(samples, train.classes, eval_transform(PREPROCESSING)))
    model = load_model("embedded")
    seconds = timed(lambda: extract_features(model, images))[1]
    return seconds | {"peak": peak_memory()}


def peak_memory() -> float:
    """The most that this process has had in memory, in GiB. (`resource` would count what its parent had, too.)"""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20


def alone(work: Callable[..., dict], *arguments) -> dict:
    """The same in a new process, whose peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


# --- All of it

TRAININGS = {
    "frozen, textbook": partial(textbook_training, True, False),
    "frozen, textbook with its flags fixed": partial(textbook_training, True, True),
    "features and probe": features_and_probe,
    "floor": floor,
    "fine-tuned, textbook": partial(textbook_training, False, False),
    "fine-tuned, textbook with its flags fixed": partial(textbook_training, False, True),
    "fine_tune, two epochs": partial(short_fine_tune, 2),
    "fine_tune, three epochs": partial(short_fine_tune, 3),
}
SIDES = ("textbook", "train_model", "train_model, in memory")
TRAINED = {"all layers": False, "head only": True}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """The runs, the sides of each comparison next to each other."""
    runs: list[tuple[dict, Callable[[], dict]]] = []
    for seed in SEEDS:
        runs += [({"training": name, "seed": seed}, partial(run, seed)) for name, run in TRAININGS.items()]
        runs += [
            ({kind: side, "trained": trained, "seed": seed}, partial(loop, folder, side, frozen, seed))
            for kind, folder in LOOPS.items()
            if folder.is_dir()
            for trained, frozen in TRAINED.items()
            for side in (SIDES[::-1] if seed % 2 else SIDES)  # who goes first may matter by a percent
        ]
        runs += [({"pass": side, "seed": seed}, partial(one_pass, side, seed)) for side in ("files", "in memory")]
        runs += [({"depth": depth, "seed": seed}, partial(step_cost, depth, seed)) for depth in DEPTHS]
        runs += [({"views": k, "seed": seed}, partial(views, k, seed)) for k in VIEWS]
        runs += [({"count": count, "seed": seed}, partial(alone, stream, count)) for count in COUNTS]
    return runs


def ratio(results: list[dict], slow: dict, fast: dict, factor: float = 1) -> str:
    """`27.1 (25.0 to 28.3)`: how many times longer `slow` takes, the median over seeds, the least and the most."""
    ratios = ratios_of(results, slow, fast) * factor
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def ratios_of(results: list[dict], slow: dict, fast: dict) -> np.ndarray:
    return over_seeds(results, "seconds", **slow) / over_seeds(results, "seconds", **fast)


def more_accurate(results: list[dict], ours: dict, theirs: dict) -> str:
    return difference(over_seeds(results, **ours), over_seeds(results, **theirs))


def table(results: list[dict]) -> str:
    lines = ["| measure | target | measured |", "|---|---|---|"]

    def row(measure: str, target: str, measured: str) -> None:
        lines.append(f"| {measure} | {target} | {measured} |")

    for kind, ours, target in (
        ("frozen", "features and probe", "≥ 25"),
        ("fine-tuned", "fine_tune, two epochs", "≥ 8"),
        ("fine-tuned", "fine_tune, three epochs", "≥ 8"),
    ):
        for theirs in (f"{kind}, textbook", f"{kind}, textbook with its flags fixed"):
            sides = {"training": theirs}, {"training": ours}
            row(f"{ours}: times faster than {theirs}", target, ratio(results, *sides))
            row("the same: points more accurate on `test`", "not below 0", more_accurate(results, *sides[::-1]))
    row(
        "features and probe: times the floor",
        "≤ 1.3",
        ratio(results, *({"training": n} for n in ("features and probe", "floor"))),
    )
    for kind, trained, side in product(LOOPS, TRAINED, SIDES[1:]):
        if any(kind in result for result in results):
            row(
                f"{side}, {trained}: times faster than the textbook's {kind}",
                "≥ 1.2" if "memory" in side else "≥ 1",
                ratio(results, {kind: SIDES[0], "trained": trained}, {kind: side, "trained": trained}),
            )
    row(
        "pictures in memory: times faster to load than from files",
        "",
        ratio(results, {"pass": "files"}, {"pass": "in memory"}),
    )
    for depth, theory in zip(DEPTHS[:-1], THEORY, strict=False):
        row(
            f"a step, {depth}: times one of the head only",
            f"{theory:.2f} ± 15 %",
            ratio(results, {"depth": depth}, {"depth": DEPTHS[-1]}),
        )
    for k in VIEWS[1:]:
        row(f"{k} views: times the cost of one, divided by {k}", "1", ratio(results, {"views": k}, {"views": 1}, 1 / k))
    for k in VIEWS:
        row(f"{k} view{'s' * (k > 1)}: accuracy on `test`", "", interval(over_seeds(results, views=k)))
    for count in COUNTS[1:]:
        row(
            f"features of {count:,} pictures: times the cost of {COUNTS[0]}, each",
            "1 ± 10 %",
            ratio(results, {"count": count}, {"count": COUNTS[0]}, COUNTS[0] / count),
        )
    for count in COUNTS:
        row(
            f"features of {count:,} pictures: peak memory, GiB",
            "< 1.5",
            f"{over_seeds(results, 'peak', count=count).max():.2f}",
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("speed", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
