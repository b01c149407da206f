"""Measure how much a random split over series flatters the validation accuracy (`data/species`).

    python -m recipes.measure_bursts

The pool is every picture of `train` and `val` that belongs to a series. It is split in two ways, ten times each:
picture by picture, so that other pictures of the same animal are trained on, and series by series. Both leave the
same share for validation. The same probe on the same frozen features learns from each, and both are judged on one
and the same test set of new animals. The leak is what validation promises beyond that. The table is written into
`data/README.md`.
"""

from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from helpers import ROOT
from helpers.data import ImageDataset, make_dataloader
from helpers.evaluation import mean_interval
from helpers.features import extract_features, linear_probe
from helpers.models import load_model
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED
from recipes.species import series_of

SPECIES = ROOT / "data" / "species"
DATASHEET = ROOT / "data" / "README.md"
START, END = "<!-- bursts -->\n", "<!-- /bursts -->"
SIZE = 160  # pixels
SEEDS = range(10)
FOLDS = 3  # one of them is val


def features_of(model, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 512), labels (n,) and the series (n,) of a split; -1 where a picture stands alone."""
    dataset = ImageDataset(SPECIES / split, eval_transform(EMBEDDED.at(SIZE)))
    features, labels = extract_features(model, make_dataloader(dataset))
    series = [series_of(Path(path)) for path, _ in dataset.samples]
    return features, labels, np.array([-1 if number is None else number for number in series])


def measure(train, test, splitter, seed: int) -> tuple[float, float]:
    """The probe's accuracy on the validation part of the pool and on the test set."""
    features, labels, series = train
    fold = splitter(FOLDS, shuffle=True, random_state=seed)
    learn, val = next(fold.split(features, labels, series if splitter is StratifiedGroupKFold else None))
    probe = linear_probe(features[learn], labels[learn])
    return probe.score(features[val], labels[val]), probe.score(*test)


def table(results: dict[str, np.ndarray]) -> str:
    """`results` (seeds, 2), val and test of each split, as a Markdown table with 95 % intervals over the seeds."""

    def cell(values, unit: str) -> str:
        mean, low, high = (100 * value for value in mean_interval(values))
        return f"{mean:.1f} {unit} ({low:.1f} to {high:.1f})"

    lines = ["| split of the series | val | test, new animals | val promises too much by |", "|---|---|---|---|"]
    for title, runs in results.items():
        val, test = runs.T
        lines.append(f"| {title} | {cell(val, '%')} | {cell(test, '%')} | {cell(val - test, 'points')} |")
    lines += [
        "",
        f"The leak, the difference of the last column in pairs of {len(SEEDS)} seeds: {cell(leak(results), 'points')}.",
    ]
    return "\n".join(lines) + "\n"


def leak(results: dict[str, np.ndarray]) -> np.ndarray:
    """(seeds,): by how much more the first split's validation exceeds the test set than the second one's."""
    first, second = (runs[:, 0] - runs[:, 1] for runs in results.values())
    return first - second


def measure_both(seeds) -> dict[str, np.ndarray]:
    """{split: (seeds, 2)}, accuracies on val and test."""
    model = load_model("embedded")
    parts = [features_of(model, split) for split in ("train", "val")]
    pool = [np.concatenate(values) for values in zip(*parts, strict=True)]
    pool = [values[pool[2] >= 0] for values in pool]
    test = features_of(model, "test")[:2]
    splitters = {"picture by picture (leaks)": StratifiedKFold, "series by series": StratifiedGroupKFold}
    return {title: np.array([measure(pool, test, s, seed) for seed in seeds]) for title, s in splitters.items()}


def main() -> None:
    results = measure_both(SEEDS)
    text = DATASHEET.read_text()
    DATASHEET.write_text(text[: text.index(START) + len(START)] + table(results) + text[text.index(END) :])
    print(table(results))


if __name__ == "__main__":
    main()
