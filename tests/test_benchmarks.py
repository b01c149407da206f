"""What the benchmarks have recorded holds over the seeds, and can be measured again."""

import json

import numpy as np
import pytest
from lesson_code import lesson_code

from benchmarks import does_it_help
from helpers.evaluation import mean_interval
from helpers.tracks import IMAGES

RECORDED = json.loads(does_it_help.RESULTS.read_text())


def shares(method: str, per_class: int) -> np.ndarray:
    runs = RECORDED[method][str(per_class)]
    return np.array([runs[str(seed)][0] / runs[str(seed)][1] for seed in does_it_help.SEEDS])


def test_all_has_been_measured():
    assert set(RECORDED) == set(does_it_help.METHODS)
    for runs in RECORDED.values():
        assert set(runs) == set(map(str, does_it_help.PER_CLASS))
        assert all(len(seeds) == len(does_it_help.SEEDS) >= 5 for seeds in runs.values())


@pytest.mark.parametrize("per_class", does_it_help.PER_CLASS)
def test_frozen_beats_from_scratch(per_class):
    _, low, _ = mean_interval(shares("frozen", per_class) - shares("from scratch", per_class))
    assert low > 0


def test_fine_tuning_beats_from_scratch():
    _, low, _ = mean_interval(shares("fine-tuned", 122) - shares("from scratch", 122))
    assert low > 0


def test_five_pictures_with_transfer_beat_all_from_scratch():
    _, low, _ = mean_interval(shares("frozen", 5) - shares("from scratch", 122))
    assert low > 0


@pytest.fixture(scope="module")
def datasets() -> does_it_help.Datasets:
    return does_it_help.load(IMAGES["embedded"], does_it_help.SIZE)


def test_a_record_can_be_measured_again(datasets):
    right, total = does_it_help.measure("frozen", datasets, does_it_help.SIZE, 2, seed=0)
    assert total == 400
    assert abs(right - RECORDED["frozen"]["2"]["0"][0]) <= 2  # another processor may round two pictures across


def test_few_pictures_are_drawn_by_class(datasets):
    part = does_it_help.few(datasets["train"], 5, seed=0)
    assert np.bincount(part.targets).tolist() == [5, 5]
    assert len({path for path, _ in part.samples}) == 10
    assert part.samples != does_it_help.few(datasets["train"], 5, seed=1).samples
    assert len(does_it_help.few(datasets["train"], 10_000, seed=0)) == len(datasets["train"]) == 244
    by_hand = lesson_code("06_does_it_help.ipynb")["few"]
    assert by_hand(datasets["train"], 5, 0).samples == part.samples
