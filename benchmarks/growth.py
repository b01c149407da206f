"""How time and memory grow with the number of images: the report on a folder, its split, features, training of a head.

    python -m benchmarks.growth

The folders hold pictures of coloured noise, none like another, in two classes. Each step of a folder has a process of
its own, with one thread, which says how long its processor worked and how much memory it had at most. A benchmark that
was stopped goes on where it ended.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Subset

from benchmarks.runs import measure_all, processor_seconds, write_section
from helpers.data import ImageDataset, make_dataloader, with_transform
from helpers.features import extract_features, linear_probe
from helpers.models import freeze, load_model, replace_head
from helpers.own_images import check_folder, split_folder
from helpers.training import train_model
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED

RESULTS = Path(__file__).with_suffix(".json")
SIZES = (1000, 3000, 10_000, 30_000)
PREPROCESSING = EMBEDDED.at(48)
CLASSES = ("one", "two")


def make_folder(folder: Path, images: int) -> None:
    """Coloured noise as JPEG, 96 pixels wide."""
    noise = np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir()
    for number in range(images):
        picture = Image.fromarray(noise.integers(256, size=(8, 8, 3), dtype=np.uint8))
        picture.resize((96, 96), Image.Resampling.BICUBIC).save(folder / CLASSES[number % 2] / f"{number:05}.jpg")


def report(folder: Path) -> None:
    check_folder(folder)


def split(folder: Path) -> float:
    found = check_folder(folder)
    start = processor_seconds()
    split_folder(found, PREPROCESSING)
    return start


def features(folder: Path) -> None:
    images = with_transform(ImageDataset(folder), eval_transform(PREPROCESSING))
    linear_probe(*extract_features(load_model("embedded"), make_dataloader(images)))


def head(folder: Path) -> None:
    """One epoch of a new head on a frozen network."""
    images = with_transform(ImageDataset(folder), eval_transform(PREPROCESSING))
    model = freeze(replace_head(load_model("embedded"), len(CLASSES)))
    loaders = {"train": make_dataloader(images, shuffle=True), "val": make_dataloader(Subset(images, range(100)))}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, num_epochs=1)


# A step may return when its own part began.
STEPS: dict[str, Callable[[Path], float | None]] = {
    "report": report,
    "split": split,
    "features": features,
    "head": head,
}


def one_step(name: str, folder: Path) -> dict[str, float]:
    torch.set_num_threads(1)
    start = processor_seconds()
    start = STEPS[name](folder) or start
    seconds = processor_seconds() - start
    return {"seconds": seconds, "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def run(step: str, images: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder), images)
        command = [sys.executable, "-m", "benchmarks.growth", step, folder]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    return [({"step": step, "images": size}, partial(run, step, size)) for size, step in product(SIZES, STEPS)]


def table(results: list[dict]) -> str:
    """Milliseconds per image and memory, a row for each step."""
    head = ["step", *(f"{size:,} images" for size in SIZES)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for step in STEPS:
        found = {row["images"]: row for row in results if row["step"] == step}
        cells = [f"{1000 * row['seconds'] / size:.2f} ms, {row['MiB']:.0f} MiB" for size, row in found.items()]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:]:
        step, folder = sys.argv[1:]
        print(json.dumps(one_step(step, Path(folder))))
    else:
        write_section("growth", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
