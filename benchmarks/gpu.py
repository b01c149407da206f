"""What a GPU gains: epochs of the textbook's loop and of the helpers, and the steps of one network.

    python -m benchmarks.gpu

It needs a GPU of CUDA; without one it only writes the table anew from what is stored. Seconds are those of the clock,
since the processor is not what computes here. A benchmark that was stopped goes on where it ended.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn, optim
from torchvision.models import resnet50
from torchvision.transforms import Normalize

from benchmarks import textbook
from benchmarks.growth import make_folder
from benchmarks.runs import interval, measure_all, over_seeds, write_section
from helpers.data import CachedDataset, ImageDataset, image_datasets, make_dataloader, make_dataloaders, with_transform
from helpers.devices import best_device
from helpers.evaluation import accuracy, predict
from helpers.features import extract_features, linear_probe
from helpers.models import freeze_norms, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform, train_transform
from helpers.weights import EMBEDDED, preprocessing_of

RESULTS = Path(__file__).with_suffix(".json")
SETTINGS = {  # weights, folder, preprocessing
    "insects, embedded ResNet18, 128 px": ("embedded", IMAGES["insects"], EMBEDDED.at(128)),
    "species, EfficientNet-Lite0, 224 px": ("imagenet", IMAGES["species"], preprocessing_of("imagenet")),
}
SEEDS = range(3)  # a GPU is lent by the minute
EPOCHS = 4  # timed after one that warms up
BATCH, SIZE, STEPS = 64, 224, 20
PROBED, WORKERS = 10_000, (0, 12)  # images; 0 as in a notebook


def timed(work: Callable[[], object]) -> dict:
    """Seconds until the GPU has finished, and the most of its memory that tensors took, in MiB."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - start, "MiB": round(torch.cuda.max_memory_allocated() / 2**20)}


def in_float32() -> torch.autocast:
    """As the textbook computes, whatever the other benchmarks share."""
    return torch.autocast(best_device().type, enabled=False)


# --- Trainings


def network(weights: str, classes: list[str]) -> nn.Module:
    return replace_head(load_model(weights), len(classes)).to(best_device())


def on_test(model: nn.Module, setting: str) -> dict:
    _, folder, preprocessing = SETTINGS[setting]
    test = with_transform(image_datasets(folder, preprocessing)["test"], eval_transform(preprocessing))
    probabilities, labels = predict(model, make_dataloader(test))
    return {"accuracy": accuracy(probabilities.argmax(1), labels).value}


def textbooks(model: nn.Module) -> tuple[optim.Optimizer, optim.lr_scheduler.LRScheduler]:
    optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    return optimizer, optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)


def textbook_loop(setting: str) -> Callable[[int], nn.Module]:
    """The loop of so many epochs, as it is written, in float32 and from files; only the mean fits the weights."""
    weights, folder, preprocessing = SETTINGS[setting]
    loaders = textbook.dataloaders(folder, preprocessing.size)
    for loader in loaders.values():
        loader.dataset.transform.transforms[-1] = Normalize(preprocessing.mean, preprocessing.std)
    model = network(weights, loaders["train"].dataset.classes)

    def train(epochs: int) -> nn.Module:
        with in_float32():
            return textbook.train_model(model, loaders, nn.CrossEntropyLoss(), *textbooks(model), num_epochs=epochs)

    return train


def our_loop(setting: str) -> Callable[[int], nn.Module]:
    """The same with `train_model`: images in memory, mixed precision, channels-last."""
    weights, folder, preprocessing = SETTINGS[setting]
    datasets = {split: CachedDataset(data) for split, data in image_datasets(folder, preprocessing).items()}
    transforms = {"train": train_transform(preprocessing), "val": eval_transform(preprocessing)}
    loaders = make_dataloaders({split: with_transform(datasets[split], change) for split, change in transforms.items()})
    model = network(weights, datasets["train"].classes).to(memory_format=torch.channels_last)

    def train(epochs: int) -> nn.Module:
        train_model(model, loaders, nn.CrossEntropyLoss(), *textbooks(model), num_epochs=epochs)
        return model

    return train


LOOPS = {"textbook": textbook_loop, "train_model": our_loop}


def epochs_of(setting: str, side: str) -> dict:
    train = LOOPS[side](setting)
    train(1)
    found = timed(partial(train, EPOCHS))
    return found | {"seconds": round(found["seconds"] / EPOCHS, 3)}


def whole(setting: str, side: str, seed: int) -> dict:
    """From the folder to the trained network: the textbook's 25 epochs, or `fine_tune`."""
    torch.manual_seed(seed)
    weights, folder, preprocessing = SETTINGS[setting]
    trained = []

    def work() -> None:
        if side == "textbook":
            trained.append(textbook_loop(setting)(textbook.EPOCHS))
        else:
            datasets = image_datasets(folder, preprocessing)
            model = freeze_norms(network(weights, datasets["train"].classes))
            trained.append(fine_tune(model, datasets, preprocessing, seed=seed)[0])

    found = timed(work)
    return found | {"seconds": round(found["seconds"], 1)} | on_test(trained[0], setting)


# --- Steps

RUNGS = (
    "float32",
    "TF32",
    "bfloat16",
    "bfloat16, channels-last",
    "float16 with a GradScaler, channels-last",
    "bfloat16, channels-last, torch.compile",
)


def step(rung: str) -> dict:
    """Training steps of a ResNet50 on random images, which lie on the GPU already."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rung != "float32"
    model, criterion = resnet50(num_classes=10).to(best_device()), nn.CrossEntropyLoss()
    images = torch.randn(BATCH, 3, SIZE, SIZE, device=best_device())
    labels = torch.zeros(BATCH, dtype=torch.long, device=best_device())
    if "channels-last" in rung:
        model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    forward = torch.compile(model) if "compile" in rung else model
    optimizer = optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    dtype = torch.float16 if "float16" in rung.split() else torch.bfloat16
    scaler = torch.amp.GradScaler(best_device().type, enabled=dtype == torch.float16)

    def work(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast(best_device().type, dtype, enabled="float16" in rung):
                loss = criterion(forward(images), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    with in_float32():
        first = timed(partial(work, 3))["seconds"]
        found = timed(partial(work, STEPS))
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    return found | {"seconds": round(found["seconds"] / STEPS, 5), "first": round(first, 1)}


# --- A probe


def probe(workers: int) -> dict:
    """Features of many images, which lie in files, by EfficientNet-Lite0 at 224 px, and a linear probe of them."""
    preprocessing = preprocessing_of("imagenet")
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder), PROBED)
        images = with_transform(ImageDataset(folder), eval_transform(preprocessing))
        model = load_model("imagenet").to(best_device(), memory_format=torch.channels_last)
        loader = make_dataloader(images, num_workers=workers)
        return timed(lambda: linear_probe(*extract_features(model, loader)))


# --- All of it


def plan(card: str) -> list[tuple[dict, Callable[[], dict]]]:
    runs: list[tuple[dict, Callable[[], dict]]] = [({"step": rung}, partial(step, rung)) for rung in RUNGS]
    runs += [({"probe": workers}, partial(probe, workers)) for workers in WORKERS]
    for setting in SETTINGS:
        runs += [({"epoch": setting, "side": side}, partial(epochs_of, setting, side)) for side in LOOPS]
    runs += [
        ({"training": setting, "side": side, "seed": seed}, partial(whole, setting, side, seed))
        for seed in SEEDS
        for setting in SETTINGS
        for side in ("fine_tune", "textbook")
    ]
    return [({"card": card} | run, measure) for run, measure in runs]


def having(results: list[dict], figure: str) -> dict:
    """The runs that have a figure, by its value."""
    return {result[figure]: result for result in results if figure in result}


def rows_of_epochs(results: list[dict]) -> list[str]:
    rows = []
    for setting in SETTINGS:
        sides = having([result for result in results if result.get("epoch") == setting], "side")
        for side, found in sides.items():
            ratio = f"{sides['textbook']['seconds'] / found['seconds']:.1f}"
            rows.append(f"| {setting} | {side} | {found['seconds']:.2f} | {ratio} | {found['MiB']} |")
    return rows


def rows_of_trainings(results: list[dict]) -> list[str]:
    rows = []
    for setting, side in product(SETTINGS, ("textbook", "fine_tune")):
        run = {"training": setting, "side": side}
        seconds, memory = (over_seeds(results, figure, **run) for figure in ("seconds", "MiB"))
        if len(seconds) > 1:
            spread = f"{np.median(seconds):.0f} ({seconds.min():.0f} to {seconds.max():.0f})"
            found = f"{interval(over_seeds(results, **run))} | {spread} | {memory.max():.0f}"
            rows.append(f"| {setting} | {side} | {found} | {len(seconds)} |")
    return rows


def rows_of_steps(results: list[dict]) -> list[str]:
    return [
        f"| {rung} | {BATCH / found['seconds']:.0f} | {found['MiB']} | {found['first']} |"
        for rung, found in having(results, "step").items()
    ]


def rows_of_probes(results: list[dict]) -> list[str]:
    return [
        f"| {workers} | {found['seconds']:.0f} | {PROBED / found['seconds']:.0f} | {found['MiB']} |"
        for workers, found in having(results, "probe").items()
    ]


# What a table shows, its columns, and what makes its rows.
TABLES: list[tuple[str, str, Callable[[list[dict]], list[str]]]] = [
    (
        "An epoch of training and validation:",
        "| images, network | loop | seconds | textbook ÷ ours | peak MiB |",
        rows_of_epochs,
    ),
    (
        "From the folder to the trained network:",
        "| images, network | by | accuracy on test | seconds | peak MiB | seeds |",
        rows_of_trainings,
    ),
    (
        f"A training step of ResNet50, {BATCH} random images of {SIZE} px:",
        "| precision | images a second | peak MiB | the first three steps, s |",
        rows_of_steps,
    ),
    (
        f"A linear probe of {PROBED:,} JPEG files of 96 px, which EfficientNet-Lite0 sees at 224 px:",
        "| workers that load | seconds | images a second | peak MiB |",
        rows_of_probes,
    ),
]


def table(results: list[dict]) -> str:
    """What there is of each card."""
    lines = []
    for card in dict.fromkeys(result["card"] for result in results):
        lines += [f"**{card}**", ""]
        for title, columns, rows_of in TABLES:
            if rows := rows_of([result for result in results if result["card"] == card]):
                lines += [title, "", columns, "|---" * (columns.count("|") - 1) + "|", *rows, ""]
    return "\n".join(lines)


def main() -> None:
    cards = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    runs = [run for card in cards for run in plan(card)]
    write_section("gpu", table(measure_all(RESULTS, runs)))


if __name__ == "__main__":
    main()
