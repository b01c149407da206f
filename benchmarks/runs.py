"""What the benchmarks share: pictures decoded once, results kept run by run, tables in README.md."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from helpers.data import CachedDataset, image_datasets
from helpers.devices import autocast, best_device
from helpers.evaluation import mean_interval
from helpers.tracks import IMAGES
from helpers.weights import EMBEDDED, Preprocessing

README = Path(__file__).with_name("README.md")
SIZE = 96  # in pixels: the five seeds of all methods take an hour, not a night
PREPROCESSING = EMBEDDED.at(SIZE)
SEEDS = range(5)

Datasets = dict[str, CachedDataset]


def processor_seconds() -> float:
    """The processor's time so far, of this process and of the workers that it had; what else runs counts little."""
    return sum(os.times()[:4])


def load(preprocessing: Preprocessing = PREPROCESSING) -> Datasets:
    """The splits of the embedded images, each picture decoded once."""
    return {
        split: CachedDataset(dataset) for split, dataset in image_datasets(IMAGES["insects"], preprocessing).items()
    }


def measure_all(path: Path, runs: list[tuple[dict, Callable[[], dict]]]) -> list[dict]:
    """Do the runs that the file lacks, and store each as soon as it is there. Returns all of them.

    Args:
        path: a JSON file, one run in a line.
        runs: what tells a run from the others, and what measures its figures. Each takes one core: seconds of
            the processor then mean the same whatever else the machine does.
    """
    torch.set_num_threads(1)
    results = json.loads(path.read_text()) if path.is_file() else []
    for run, measure in runs:
        if not any(run.items() <= result.items() for result in results):
            with autocast(best_device()):
                results.append(run | measure())
            print(results[-1], flush=True)
            write(path, "[\n" + ",\n".join(json.dumps(result) for result in results) + "\n]\n")
    return results


def over_seeds(results: list[dict], figure: str = "accuracy", **run) -> np.ndarray:
    """A figure of the runs that are so, as in `method="frozen"`, one for each seed, in the order of the seeds."""
    rows = [result for result in results if run.items() <= result.items()]
    return np.array([row[figure] for row in sorted(rows, key=lambda row: row["seed"])])


def interval(values) -> str:
    """`91.0 % (89.5 to 92.5)`: the mean over seeds and its 95 % interval."""
    mean, low, high = (100 * value for value in mean_interval(values))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f})"


def difference(values, others) -> str:
    """`+2.0 (+1.5 to +2.5)`: how many points `values` are above `others`, paired by seed, with its 95 % interval."""
    mean, low, high = (100 * value for value in mean_interval(np.subtract(values, others)))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def write_section(name: str, text: str) -> None:
    """Put `text` between the marks of the benchmark in README.md."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    readme = README.read_text()
    before, rest = readme.split(start)
    write(README, before + start + text + end + rest.split(end)[1])


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
