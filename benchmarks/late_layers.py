"""What `fine_tune` trains: the late layers or all of them, against the probe that both begin with (lesson 07).

    python -m benchmarks.late_layers

A benchmark that was stopped goes on where it ended; the table shows what there is. Accuracy is that on `test`, and on
`val` for the photographs, which have no test split. What the training made is measured before `fine_tune` decides
between it and the probe. Runs of a CPU and of a GPU may stand together: their accuracies differ by what rounding does.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.runs import SEEDS, difference, interval, measure_all, over_seeds, processor_seconds, write_section
from helpers.data import CachedDataset, image_datasets, make_dataloader
from helpers.devices import best_device
from helpers.evaluation import accuracy, predict
from helpers.features import probe_head
from helpers.models import freeze_norms, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import EPOCHS, fine_tune
from helpers.weights import preprocessing_of

RESULTS = Path(__file__).with_suffix(".json")
SIZES = {"embedded": 96, "imagenet": 224}  # in pixels
TRAINED = {"late layers": False, "all layers": True}  # as `fine_tune` has it in `all_layers`


def prepare(images: str, weights: str):
    """The network with a new head, the images and their preprocessing. BatchNorm stays as pretrained."""
    preprocessing = preprocessing_of(weights).at(SIZES[weights])
    loaded = image_datasets(IMAGES[images], preprocessing)
    datasets = {split: CachedDataset(data, min_side=4 * SIZES[weights]) for split, data in loaded.items()}
    model = freeze_norms(replace_head(load_model(weights), len(datasets["train"].classes)))
    return model.to(best_device(), memory_format=torch.channels_last), datasets, preprocessing


def judged(model, datasets) -> float:
    probabilities, labels = predict(model, make_dataloader(datasets.get("test", datasets["val"])))
    return accuracy(probabilities.argmax(1), labels).value


def probe(images: str, weights: str) -> dict:
    """The network with the head that fine-tuning begins with. Nothing of it is random."""
    model, datasets, _ = prepare(images, weights)
    datasets["train"].transform = datasets["val"].transform
    return {"accuracy": judged(probe_head(model, make_dataloader(datasets["train"])), datasets)}


def tuned(images: str, weights: str, all_layers: bool, seed: int) -> dict:
    """After the last epoch: accuracies on `val`, the probe's too, and on `test`; the seconds without that on `test`."""
    torch.manual_seed(seed)
    model, datasets, preprocessing = prepare(images, weights)
    found = {"aside": 0.0}

    def on_epoch(history) -> None:
        if len(history["lr"]) == EPOCHS:
            start = processor_seconds()
            found["accuracy"] = judged(model, datasets)
            found["aside"] = processor_seconds() - start

    start = processor_seconds()
    options = {"on_epoch": on_epoch, "curve": False, "all_layers": all_layers}
    _, history = fine_tune(model, datasets, preprocessing, EPOCHS, seed, **options)
    seconds = processor_seconds() - start - found.pop("aside")
    found |= {"val": history["val_acc"][-1], "probe_val": history["probe_acc"][0]}
    if best_device().type == "cuda":  # where the processor's seconds say little
        return found | {"card": torch.cuda.get_device_name()}
    return found | {"seconds": round(seconds, 1)}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """The runs, both sides of a comparison next to each other; the photographs where `make photos` was run."""
    runs: list[tuple[dict, Callable[[], dict]]] = []
    pairs = [pair for pair in product(IMAGES, SIZES) if IMAGES[pair[0]].is_dir()]
    for seed, (images, weights) in product(SEEDS, pairs):
        run = {"images": images, "weights": weights}
        if seed == 0:
            runs.append((run | {"trained": "the head"}, partial(probe, images, weights)))
        runs += [
            (run | {"trained": trained, "seed": seed}, partial(tuned, images, weights, all_layers, seed))
            for trained, all_layers in TRAINED.items()
        ]
    return runs


def kept(results: list[dict], **run) -> str:
    """`2 of 5`: how often `fine_tune` ends as the probe."""
    val, probe_val = (over_seeds(results, figure, **run) for figure in ("val", "probe_val"))
    return f"{(val < probe_val).sum()} of {len(val)}"


def table(results: list[dict]) -> str:
    """A row for each set of images and each network; differences and times of the seeds that both sides have."""
    lines = [
        "| images, weights | the probe | late layers | all layers | late minus all, points | time, late : all "
        "| late end as the probe | all end as the probe | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for images, weights in product(IMAGES, SIZES):
        run = {"images": images, "weights": weights}
        head = [result["accuracy"] for result in results if (run | {"trained": "the head"}).items() <= result.items()]
        late, whole = (run | {"trained": trained} for trained in TRAINED)
        if not head or len(over_seeds(results, **late)) < 2:
            continue
        sides = [{row["seed"]: row for row in results if side.items() <= row.items()} for side in (late, whole)]
        both = sorted(set(sides[0]) & set(sides[1]))
        cells = [f"{head[0]:.1%}".replace("%", " %"), interval(over_seeds(results, **late))]
        if len(both) > 1:
            accuracies = [np.array([side[seed]["accuracy"] for seed in both]) for side in sides]
            cells += [interval(accuracies[1]), difference(*accuracies)]
        else:
            cells += ["", ""]
        timed = [seed for seed in both if all("seconds" in side[seed] for side in sides)]
        shares = [sides[0][seed]["seconds"] / sides[1][seed]["seconds"] for seed in timed]
        cells.append(", ".join(f"{share:.2f}" for share in shares))
        cells += [kept(results, **late), kept(results, **whole), f"{len(sides[0])}, {len(sides[1])}"]
        lines.append(f"| {images}, {weights} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("late_layers", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
