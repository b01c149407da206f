"""Whether the probe's one C, 0.01, costs accuracy against a C that is chosen for each set of images.

    python -m benchmarks.probe

C is the inverse strength of the penalty. For each set of images and each network, the same features are given to probes
with seven values of C, and to one whose C cross-validation chooses on `train`. What counts are the images of `test` (of
the photographs, which have no test split, of `val`) that a probe has right. Nothing of it is random.
"""

import inspect
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from time import process_time

import torch
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.runs import measure_all, write_section
from helpers.data import image_datasets, make_dataloader, with_transform
from helpers.features import extract_features, linear_probe
from helpers.models import load_model
from helpers.tracks import IMAGES
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED, preprocessing_of

RESULTS = Path(__file__).with_suffix(".json")
WEIGHTS = ("embedded", "imagenet")
DEFAULT = inspect.signature(linear_probe).parameters["C"].default
STRENGTHS = (0.0001, 0.001, 0.003, DEFAULT, 0.03, 0.1, 1.0)


def probes(images: str, weights: str) -> dict:
    """How many images each probe has right, by its C; what cross-validation chooses; seconds of both ways."""
    preprocessing = EMBEDDED.at(160) if weights == "embedded" else preprocessing_of(weights)
    loaded = image_datasets(IMAGES[images], preprocessing)
    datasets = {split: with_transform(dataset, eval_transform(preprocessing)) for split, dataset in loaded.items()}
    model = load_model(weights).to(memory_format=torch.channels_last)
    measured = datasets.get("test", datasets["val"])
    (features, labels), (unseen, truth) = (
        extract_features(model, make_dataloader(dataset)) for dataset in (datasets["train"], measured)
    )
    right, seconds = {}, {}
    for strength in STRENGTHS:
        start = process_time()
        probe = linear_probe(features, labels, strength)
        seconds[strength] = process_time() - start
        right[str(strength)] = int((probe.predict(unseen) == truth).sum())
    start = process_time()
    options = {"scoring": "accuracy", "l1_ratios": (0,), "use_legacy_attributes": False}  # the last two: soon defaults
    chosen = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=STRENGTHS, cv=5, max_iter=1000, **options))
    with threadpool_limits(1, "blas"):
        chosen.fit(features, labels)
    return {
        "total": len(truth),
        "right": right,
        "chosen": float(chosen[-1].C_),
        "chosen_right": int((chosen.predict(unseen) == truth).sum()),
        "ratio": round((process_time() - start) / seconds[DEFAULT], 1),
    }


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """The runs; the photographs where `make photos` was run."""
    pairs = [pair for pair in product(IMAGES, WEIGHTS) if IMAGES[pair[0]].is_dir()]
    return [({"images": images, "weights": weights}, partial(probes, images, weights)) for images, weights in pairs]


def table(results: list[dict]) -> str:
    strengths = " | ".join(f"C = {strength:g}" for strength in STRENGTHS)
    lines = [
        f"| images, weights | of | {strengths} | chosen by cross-validation | its time : the default's |",
        "|---" * (len(STRENGTHS) + 4) + "|",
    ]
    for run in results:
        right = " | ".join(str(run["right"][str(strength)]) for strength in STRENGTHS)
        chosen = f"{run['chosen_right']} (C = {run['chosen']:g})"
        lines.append(f"| {run['images']}, {run['weights']} | {run['total']} | {right} | {chosen} | {run['ratio']:g} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    write_section("probe", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
