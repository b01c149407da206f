"""What `fine_tune` takes beyond the passes through the network that it must do.

    python -m benchmarks.overhead

The least is measured on batches that are ready in memory: an epoch of forward and backward passes, a pass over the
training images for the probe, and one over `val`; each is counted as often as `fine_tune` does it. What `fine_tune`
adds is decoding and cropping, the probe's fit, the optimizer, and its book-keeping.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.runs import (
    PREPROCESSING,
    SEEDS,
    load,
    measure_all,
    over_seeds,
    processor_seconds,
    write_section,
)
from helpers.data import make_dataloader, with_transform
from helpers.features import early_parts
from helpers.models import freeze_norms, load_model, replace_head, train_mode
from helpers.training import EPOCHS, fine_tune
from helpers.transforms import eval_transform

RESULTS = Path(__file__).with_suffix(".json")
WAYS = {  # how `fine_tune` is called
    "the default": {},
    "val at the end only": {"curve": False},
    "all layers": {"all_layers": True},
    "all layers, val at the end only": {"all_layers": True, "curve": False},
}


def network(datasets) -> nn.Module:
    return freeze_norms(replace_head(load_model("embedded"), len(datasets["train"].classes)))


def seconds_of(work: Callable[[], object]) -> float:
    start = processor_seconds()
    work()
    return processor_seconds() - start


def passes(all_layers: bool, seed: int) -> dict:
    """Seconds of an epoch's training passes, and of one evaluation of the training images and of `val`."""
    datasets = load()
    batches = {
        split: [
            (images.contiguous(memory_format=torch.channels_last), labels)
            for images, labels in make_dataloader(with_transform(datasets[split], eval_transform(PREPROCESSING)))
        ]
        for split in ("train", "val")
    }
    model = network(datasets).to(memory_format=torch.channels_last)
    for name in [] if all_layers else early_parts(model):
        model.get_submodule(name).requires_grad_(False)

    def train() -> None:
        train_mode(model)
        for images, labels in batches["train"]:
            model.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()

    @torch.inference_mode()
    def evaluate(split: str) -> None:
        model.eval()
        for images, _ in batches[split]:
            model(images)

    evaluate("val")  # the first pass takes longer
    return {
        "epoch": round(seconds_of(train), 3),
        "train": round(seconds_of(partial(evaluate, "train")), 3),
        "val": round(seconds_of(partial(evaluate, "val")), 3),
    }


def whole(options: dict, seed: int) -> dict:
    """Seconds of `fine_tune` on images decoded beforehand, as lesson 07 has them."""
    torch.manual_seed(seed)
    datasets = load()
    model = network(datasets)
    work = partial(fine_tune, model, datasets, PREPROCESSING, EPOCHS, seed, **options)
    return {"seconds": round(seconds_of(work), 3)}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """Each way next to its passes."""
    return [
        run
        for seed in SEEDS
        for way, options in WAYS.items()
        for run in (
            ({"passes": way, "seed": seed}, partial(passes, options.get("all_layers", False), seed)),
            ({"whole": way, "seed": seed}, partial(whole, options, seed)),
        )
    ]


def ratios(results: list[dict], way: str) -> tuple[np.ndarray, np.ndarray]:
    """How many times its own passes, and how many times its training passes, `fine_tune` takes; for each seed."""
    whole_s = over_seeds(results, "seconds", whole=way)
    epoch, train, val = (over_seeds(results, part, passes=way)[: len(whole_s)] for part in ("epoch", "train", "val"))
    evaluations = (EPOCHS if WAYS[way].get("curve", True) else 1) + 1  # one of them of the probe
    return whole_s / (EPOCHS * epoch + train + evaluations * val), whole_s / (EPOCHS * epoch)


def table(results: list[dict]) -> str:
    lines = ["| `fine_tune` | times all its passes | times its training passes | runs |", "|---|---|---|---|"]
    for way in WAYS:
        own, training = ratios(results, way)
        if len(own):
            shown = (f"{np.median(r):.2f} ({r.min():.2f} to {r.max():.2f})" for r in (own, training))
            lines.append(f"| {way} | {' | '.join(shown)} | {len(own)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("overhead", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
