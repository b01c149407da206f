"""How many images a second EfficientNet-Lite0 takes on one core, frozen and fine-tuned, from 128 to 260 px.

    python -m benchmarks.lite0

A step is a batch of 16 that is ready in memory: a forward pass, and for training the backward pass; BatchNorm stays as
pretrained. `usual order` is what a model has before `model.to(memory_format=torch.channels_last)`.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.runs import measure_all, over_seeds, processor_seconds, write_section
from helpers.features import early_parts
from helpers.models import freeze_norms, load_model, replace_head, train_mode

RESULTS = Path(__file__).with_suffix(".json")
SIZES = (128, 160, 192, 224, 260)
WAYS = ("frozen", "late layers", "all layers")
ORDERS = {"channels_last": torch.channels_last, "usual order": torch.contiguous_format}
BATCH, RUNS = 16, range(3)


def step_seconds(size: int, way: str, order: str) -> dict:
    """The seconds of the second of two steps: the first one prepares the layers."""
    model = freeze_norms(replace_head(load_model("imagenet"), 2)).to(memory_format=ORDERS[order])
    if way == "late layers":
        for part in early_parts(model):
            model.get_submodule(part).requires_grad_(False)
    images = torch.randn(BATCH, 3, size, size).contiguous(memory_format=ORDERS[order])
    labels = torch.zeros(BATCH, dtype=torch.long)
    train_mode(model) if way != "frozen" else model.eval()
    for _ in range(2):
        start = processor_seconds()
        with torch.set_grad_enabled(way != "frozen"):
            loss = nn.functional.cross_entropy(model(images), labels)
        if way != "frozen":
            loss.backward()
    return {"seconds": round(processor_seconds() - start, 3)}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """Both orders at 224 px, the weights' own size; elsewhere the faster one."""
    return [
        ({"size": size, "way": way, "order": order, "seed": run}, partial(step_seconds, size, way, order))
        for run, size, way, order in product(RUNS, SIZES, WAYS, ORDERS)
        if order == "channels_last" or size == 224
    ]


def table(results: list[dict]) -> str:
    """Images a second: the median over the runs."""
    rows = [(size, "channels_last") for size in SIZES] + [(224, "usual order")]
    lines = [f"| images of | {' | '.join(WAYS)} |", "|---|" + "---|" * len(WAYS)]
    for size, order in rows:
        seconds = [over_seeds(results, "seconds", size=size, order=order, way=way) for way in WAYS]
        cells = [f"{BATCH / np.median(way):.0f}" if len(way) else "" for way in seconds]
        lines.append(f"| {size} px{', usual order' * (order != 'channels_last')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("lite0", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
