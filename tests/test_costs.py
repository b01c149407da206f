"""The cost model: what it says of the textbook's cases, and how it is fitted to steps."""

import pytest
import torch
from support.helper_runs import PREPROCESSING, network, small_datasets
from support.training import tiny_loaders, tiny_model

from benchmarks import scaling
from helpers.costs import Costs, duration, measure_steps, peak_memory
from helpers.training import fine_tuning, fine_tuning_epochs

pytestmark = pytest.mark.quick

CPU = torch.device("cpu")
COSTS = Costs(
    seconds_per_image=0.01,
    seconds_per_step=0.02,
    loading_seconds=0.004,
    gradient_bytes=4e7,
    bandwidth=1e9,
    latency=1e-3,
)


def test_one_process_exchanges_nothing():
    assert COSTS.all_reduce_seconds(1) == 0
    assert COSTS.step_seconds(32) == pytest.approx(32 * 0.014 + 0.02)
    assert COSTS.epoch_seconds(320, 32) == pytest.approx(10 * COSTS.step_seconds(32))


def test_around_a_ring_each_process_sends_nearly_twice_the_gradients():
    assert COSTS.all_reduce_seconds(2) == pytest.approx(4e7 / 1e9 + 2 * 1e-3)
    assert COSTS.all_reduce_seconds(1000) == pytest.approx(2 * 0.999 * 4e7 / 1e9 + 1998 * 1e-3)


def test_workers_load_while_the_network_computes():
    assert COSTS.step_seconds(32, workers=4) == pytest.approx(32 * 0.01 + 0.02)
    slow = Costs(0.01, 0.02, 0.1, 4e7, 1e9, 1e-3)
    assert slow.step_seconds(32, workers=4) == pytest.approx(32 * 0.1 / 4)


def test_the_same_batch_on_more_processes_gains_less_and_less():
    gains = [COSTS.speed_up(64, processes) / processes for processes in (1, 2, 4, 8, 16)]
    assert gains[0] == 1 and gains == sorted(gains, reverse=True)


def test_it_agrees_with_imagenet_in_an_hour():
    """Goyal et al., 2017: 256 GPUs, 50 Gbit/s between machines of eight, one hour, about 90 % of the ideal speed."""
    per_image = 0.9 * 3600 * 256 / (90 * 1_281_167)
    costs = Costs(per_image, 0, 0, 4 * 25.6e6, 50e9 / 8, 0)
    assert costs.speed_up(8192, 256) / 256 == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0.2 s"), (9.96, "10 s"), (40, "40 s"), (600, "10 min"), (9000, "2.5 h"), (2e6, "23.1 days")],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


def test_steps_are_measured(tmp_path):
    datasets, model = small_datasets(tmp_path), network(CPU)
    with fine_tuning(model, datasets, PREPROCESSING, batch_size=4) as (loaders, optimizer):
        measured = measure_steps(model, model, loaders, optimizer, steps=2)
    assert 0 < measured.val_step < 5 and 0 < measured.train_step < 5
    assert 50e6 < measured.memory <= peak_memory(CPU) < 100e9


@pytest.mark.parametrize(("images", "batch_size", "full"), [(6, 8, 6), (12, 8, 8)])
def test_only_full_batches_are_measured(images, batch_size, full):
    model, loaders, seen = tiny_model(), tiny_loaders(images, batch_size), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    measured = measure_steps(model, model, loaders, torch.optim.SGD(model.parameters(), 0.1), steps=3)
    assert measured.train_step > 0 and seen == [full] * 8, "one warms up, three are timed, of each kind"


@pytest.mark.parametrize(("batches", "epochs"), [(1, 48), (4, 12), (8, 6), (1000, 6)])
def test_few_images_get_more_epochs(batches, epochs):
    assert fine_tuning_epochs(batches) == epochs


def test_the_model_that_is_fitted_predicts_the_steps_of_two_processes():
    """The benchmark's way, on steps that follow the model."""
    true = Costs(0.01, 0.02, 0, 4 * 11_177_538, 1e9, 1e-3)
    results = [
        {"processes": processes} | {f"step {batch}": true.step_seconds(batch, processes) for batch in scaling.BATCHES}
        for processes in scaling.PROCESSES
    ]
    results[1] |= {f"exchange {size}": size * 4 / 1e9 + 2e-3 for size in scaling.SIZES}
    fitted = scaling.costs(results)
    assert fitted.step_seconds(32) == pytest.approx(true.step_seconds(32), rel=0.01)
    assert fitted.all_reduce_seconds(2) == pytest.approx(true.all_reduce_seconds(2), rel=0.05)
