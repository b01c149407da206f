"""How few numbers fine-tuning has to change: BatchNorm, biases, LoRA or all weights of late layers (lesson 07).

    python -m benchmarks.parameter_efficient

Six rendered classes. The early layers are frozen in all methods, so their output is computed once, for each image of
`train` and for its mirror image. Each method is tried with two or three learning rates; `val` chooses one by its mean
over the seeds. A benchmark that was stopped goes on where it ended; the table shows what there is.
"""

from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks.runs import difference, interval, measure_all, over_seeds, processor_seconds, write_section
from helpers.data import image_datasets, make_dataloader, with_transform
from helpers.features import probe_head
from helpers.lora import add_lora
from helpers.models import BATCH_NORM, count_parameters, freeze, freeze_norms, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.transforms import eval_transform
from helpers.weights import preprocessing_of

RESULTS = Path(__file__).with_suffix(".json")
SIZE = 96  # in pixels
EPOCHS, BATCH, RANK = 4, 32, 4
RATES = {  # that are tried
    "biases": (5e-4, 2e-3),
    "BatchNorm": (5e-4, 2e-3),
    "LoRA": (5e-4, 2e-3, 8e-3),
    "all weights": (1e-4, 5e-4, 2e-3),
}
SEEDS = range(3)

Maps = dict[str, tuple[torch.Tensor, torch.Tensor]]  # of each split: feature maps and labels


def halves() -> tuple[nn.Module, nn.Module]:
    """Lite0 up to its fifth stage, and the rest with a new head for six classes."""
    model = replace_head(load_model("imagenet"), 6).to(memory_format=torch.channels_last)
    early = nn.Sequential(model.conv_stem, model.bn1, *model.blocks[:5])
    late = nn.Sequential(*model.blocks[5:], model.conv_head, model.bn2, model.global_pool, model.classifier)
    return early.eval(), late.eval()


@cache
@torch.no_grad()  # tensors of inference_mode cannot be trained on
def compute_maps() -> Maps:
    """What the early layers make of the images; of `train`, in two views: (2, images, channels, height, width)."""
    early, _ = halves()
    preprocessing = preprocessing_of("imagenet").at(SIZE)
    found = {}
    for split, images in image_datasets(IMAGES["species"], preprocessing).items():
        batches = list(make_dataloader(with_transform(images, eval_transform(preprocessing))))
        labels = torch.cat([y for _, y in batches])
        maps = torch.cat([early(x) for x, _ in batches])
        if split == "train":
            maps = torch.stack([maps, torch.cat([early(x.flip(-1)) for x, _ in batches])])
        found[split] = (maps, labels)
    return found


def start(maps: Maps) -> nn.Module:
    """The late layers with a linear probe as their head."""
    _, late = halves()
    views, labels = maps["train"]
    return probe_head(late, make_dataloader(TensorDataset(views[0], labels)))


def all_weights(late: nn.Module) -> None:
    freeze_norms(late)


def batch_norm(late: nn.Module) -> None:
    freeze(late)
    for layer in late.modules():
        if isinstance(layer, BATCH_NORM):
            layer.requires_grad_(True)


def biases(late: nn.Module) -> None:
    freeze(late)
    for name, parameter in late.named_parameters():
        parameter.requires_grad |= name.endswith("bias")


METHODS: dict[str, Callable[[nn.Module], object]] = {
    "biases": biases,
    "BatchNorm": batch_norm,
    "LoRA": partial(add_lora, rank=RANK),
    "all weights": all_weights,
}


def tune(late: nn.Module, views: torch.Tensor, labels: torch.Tensor, rate: float, epochs: int = EPOCHS) -> nn.Module:
    """AdamW and one cycle on feature maps; in `eval()`, where BatchNorm keeps its statistics and learns scales."""
    trained = [parameter for parameter in late.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate)
    steps = epochs * -(-len(labels) // BATCH)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    late.eval()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(BATCH):
            view = torch.randint(2, rows.shape)
            loss = nn.functional.cross_entropy(late(views[view, rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return late


@torch.inference_mode()
def right(late: nn.Module, maps: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images that are right."""
    found = torch.cat([late(part).argmax(1) for part in maps.split(100)])
    return (found == labels).float().mean().item()


def figures(late: nn.Module, maps: Maps) -> dict:
    scores = {split: round(right(late, *maps[split]), 4) for split in ("val", "test")}
    return {"val": scores["val"], "accuracy": scores["test"], "trained": count_parameters(late)[1]}


def probe() -> dict:
    maps = compute_maps()
    return figures(freeze(start(maps)), maps)


def measure(method: str, rate: float, seed: int) -> dict:
    maps = compute_maps()
    late = start(maps)
    torch.manual_seed(seed)
    METHODS[method](late)
    late.to(memory_format=torch.channels_last)
    begun = processor_seconds()
    tune(late, *maps["train"], rate)
    return figures(late, maps) | {"seconds": round(processor_seconds() - begun, 1)}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    runs: list[tuple[dict, Callable[[], dict]]] = [({"method": "the head", "seed": 0}, probe)]
    return runs + [
        ({"method": method, "rate": rate, "seed": seed}, partial(measure, method, rate, seed))
        for seed, method in product(SEEDS, METHODS)
        for rate in RATES[method]
    ]


def chosen_rate(results: list[dict], method: str) -> float:
    """The rate with the best mean on `val`."""
    return max(RATES[method], key=lambda rate: np.mean(over_seeds(results, "val", method=method, rate=rate)))


def sizes(trained: int) -> str:
    """How many numbers are trained, and the kB that they take as float32."""
    return f"{trained:,} | {4 * trained / 1000:,.0f}"


def table(results: list[dict]) -> str:
    (head,) = [result for result in results if result["method"] == "the head"]
    lines = [
        "| what is trained | numbers | stored, kB | rate | accuracy on test | above the head alone, points |",
        "|---|---|---|---|---|---|",
        f"| the head | {sizes(head['trained'])} |  | {100 * head['accuracy']:.1f} % |  |",
    ]
    for method in METHODS:
        run = {"method": method, "rate": chosen_rate(results, method)}
        accuracies, trained = over_seeds(results, **run), over_seeds(results, "trained", **run)[0]
        worth = difference(accuracies, np.full(len(accuracies), head["accuracy"]))
        lines.append(f"| {method} | {sizes(trained)} | {run['rate']:g} | {interval(accuracies)} | {worth} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("parameter_efficient", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
