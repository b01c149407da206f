"""What `fine_tune` takes beyond the passes through the network that it must do.

    python -m benchmarks.overhead

The seconds of the passes are those within the very run: forward and backward ones of the training, the probe's over
the training images, and those over `val`. What `fine_tune` adds is cropping, the probe's fit, the optimizer, and its
book-keeping. The import of scikit-learn does not count.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.runs import PREPROCESSING, SEEDS, load, measure_all, over_seeds, processor_seconds, write_section
from helpers.models import freeze_norms, load_model, replace_head
from helpers.training import fine_tune

RESULTS = Path(__file__).with_suffix(".json")
WAYS = {  # how `fine_tune` is called
    "the default": {},
    "val at the end only": {"curve": False},
    "all layers": {"all_layers": True},
    "all layers, val at the end only": {"all_layers": True, "curve": False},
}


@contextmanager
def clocked(model: nn.Module) -> Iterator[dict[str, float]]:
    """Within it, the seconds of the model's passes are added up: all of them, and those of training alone."""
    seconds = {"passes": 0.0, "training": 0.0}
    starts: list[float] = []
    backward = torch.Tensor.backward

    def add(training: bool) -> None:
        spent = processor_seconds() - starts.pop()
        seconds["passes"] += spent
        seconds["training"] += spent * training

    def clocked_backward(loss: torch.Tensor) -> None:
        starts.append(processor_seconds())
        backward(loss)
        add(training=True)

    handles = (
        model.register_forward_pre_hook(lambda _, __: starts.append(processor_seconds())),
        model.register_forward_hook(lambda _, __, ___: add(training=torch.is_grad_enabled())),
    )
    torch.Tensor.backward = clocked_backward  # type: ignore[method-assign]
    try:
        yield seconds
    finally:
        torch.Tensor.backward = backward  # type: ignore[method-assign]
        for handle in handles:
            handle.remove()


def run(options: dict, seed: int) -> dict:
    """`fine_tune` on images decoded beforehand, as lesson 07 has them."""
    torch.manual_seed(seed)
    datasets = load()
    model = freeze_norms(replace_head(load_model("embedded"), len(datasets["train"].classes)))
    with clocked(model) as seconds:
        start = processor_seconds()
        fine_tune(model, datasets, PREPROCESSING, seed=seed, **options)
        whole = processor_seconds() - start
    return {"seconds": round(whole, 2)} | {part: round(spent, 2) for part, spent in seconds.items()}


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    return [
        ({"way": way, "seed": seed}, partial(run, options, seed)) for seed in SEEDS for way, options in WAYS.items()
    ]


def ratios(results: list[dict], way: str, part: str) -> np.ndarray:
    """How many times the seconds of that part `fine_tune` takes, for each seed."""
    return over_seeds(results, "seconds", way=way) / over_seeds(results, part, way=way)


def table(results: list[dict]) -> str:
    lines = ["| `fine_tune` | times all its passes | times its training passes | runs |", "|---|---|---|---|"]
    for way in WAYS:
        own, training = (ratios(results, way, part) for part in ("passes", "training"))
        if len(own):
            shown = (f"{np.median(r):.2f} ({r.min():.2f} to {r.max():.2f})" for r in (own, training))
            lines.append(f"| {way} | {' | '.join(shown)} | {len(own)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    import_module("sklearn.linear_model")
    write_section("overhead", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
