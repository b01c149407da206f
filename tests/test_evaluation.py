"""Figures and their intervals, against hand-made values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.evaluation import (
    Accuracy,
    accuracy,
    apply_temperature,
    calibration_error,
    choose_threshold,
    fit_temperature,
    holm,
    least_confident,
    mean_interval,
    paired_test,
    predict,
    prediction_interval,
    top_losses,
)

pytestmark = pytest.mark.quick


def test_wilson_interval():
    # Wilson's formula by hand for 8 of 10: centre (p + z^2/2n) / (1 + z^2/n), z = 1.959964
    a = Accuracy(8, 10)
    assert (a.low, a.high) == pytest.approx((0.49016, 0.94332), abs=1e-4)
    assert str(a) == "80.0% (49.0% to 94.3%, 8 of 10)"


@given(st.integers(1, 2000), st.data())
def test_every_interval_of_an_accuracy_is_scipy_s(total, data):
    right = data.draw(st.integers(0, total))
    a, theirs = Accuracy(right, total), binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert (a.low, a.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= a.low <= a.value + 1e-12 and a.value <= a.high + 1e-12 <= 1 + 2e-12


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20).filter(lambda values: np.std(values) > 1e-6))
def test_every_interval_of_a_mean_is_scipy_s(values):
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    theirs = t(df=len(values) - 1, loc=mean, scale=error).interval(0.95)
    assert mean_interval(values) == pytest.approx((mean, *theirs), abs=1e-9)


def test_153_images_carry_several_points():
    a = Accuracy(142, 153)
    assert a.high - a.low == pytest.approx(0.083, abs=0.002)


def test_accuracy_counts_images():
    assert accuracy(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0])) == Accuracy(2, 3)


def test_mean_interval_is_student_s():
    mean, low, high = mean_interval([0.8, 0.9, 1.0])
    assert (mean, low, high) == pytest.approx((0.9, 0.9 - 0.24841, 0.9 + 0.24841), abs=1e-4)
    assert mean_interval([0.9, 0.9]) == (0.9, 0.9, 0.9)


def test_a_prediction_interval_covers_the_next_run():
    generator = np.random.default_rng(0)
    runs = generator.normal(0.9, 0.02, (1000, 6))  # five are known, the sixth is the next
    covered = [low < last < high for *known, last in runs for _, low, high in [prediction_interval(known)]]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    mean, low, high = prediction_interval([0.8, 0.9, 1.0])
    assert (mean, low, high) == pytest.approx((0.9, 0.9 - 2 * 0.24841, 0.9 + 2 * 0.24841), abs=1e-4)


def test_only_the_images_on_which_two_models_differ_count():
    right = np.array([True] * 12 + [False] * 30 + [True] * 5)
    others = np.array([False] * 12 + [True] * 30 + [True] * 5)
    assert paired_test(right, others) == paired_test(torch.tensor(others), torch.tensor(right))
    # twice the sum of binomial(42, k) / 2^42 for k to 12
    assert paired_test(right, others) == pytest.approx(0.0078, abs=2e-4)
    assert paired_test(right, right) == 1


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # the example of R's p.adjust
        ([0.3], [0.3]),
        ([0.6, 0.9], [1.0, 1.0]),
    ],
)
def test_holm_s_correction(p_values, corrected):
    assert holm(p_values) == pytest.approx(corrected)


def test_predict_gives_probabilities_in_evaluation_mode():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 3)).train()
    images, labels = torch.rand(5, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    before = model[1].running_mean.clone()
    probabilities, truth = predict(model, DataLoader(TensorDataset(images, labels), batch_size=2))
    assert torch.equal(before, model[1].running_mean)
    torch.testing.assert_close(probabilities, model(images).softmax(1))
    assert truth.tolist() == labels.tolist()


PROBABILITIES = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.95, 0.05]])
LABELS = torch.tensor([0, 1, 1, 1])


def test_the_most_wrong_and_the_least_sure_come_first():
    assert top_losses(PROBABILITIES, LABELS).tolist() == [3, 2, 1, 0]
    assert least_confident(PROBABILITIES).tolist() == [2, 1, 0, 3]


def test_calibration_error_by_hand():
    # groups 0.8..0.9: one right at 0.8; 0.9..1: 0.9 right, 0.95 wrong; 0.5..0.6: 0.55 wrong
    by_hand = (abs(1 - 0.8) + abs(1 - 0.9 - 0.95) + abs(-0.55)) / 4
    assert calibration_error(PROBABILITIES, LABELS) == pytest.approx(by_hand, abs=1e-6)
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert calibration_error(certain, torch.tensor([0, 1])) == 0
    assert calibration_error(certain, torch.tensor([1, 0])) == 1


def test_the_temperature_undoes_overconfidence():
    generator = torch.Generator().manual_seed(0)
    scores = 2 * torch.randn(20_000, 3, generator=generator)
    labels = torch.multinomial(scores.softmax(1), 1, generator=generator).ravel()  # calibrated by construction
    too_sure = (2.5 * scores).softmax(1)
    temperature = fit_temperature(too_sure, labels)
    assert temperature == pytest.approx(2.5, rel=0.05)
    repaired = apply_temperature(too_sure, temperature)
    assert calibration_error(repaired, labels) < 0.02 < calibration_error(too_sure, labels)
    assert torch.equal(repaired.argmax(1), too_sure.argmax(1))
    torch.testing.assert_close(apply_temperature(too_sure, 2.5), scores.softmax(1), atol=1e-4, rtol=0)


def test_predict_may_look_into_the_mirror():
    images = DataLoader(TensorDataset(torch.rand(4, 3, 2, 5), torch.tensor([0, 1, 1, 0])), batch_size=3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 2))
    plain, labels = predict(model, images)
    mirrored = torch.cat([model(x.flip(3)).softmax(1) for x, _ in images]).detach()
    both, same_labels = predict(model, images, mirror=True)
    assert torch.allclose(both, (plain + mirrored) / 2) and not torch.allclose(both, plain)
    assert torch.equal(labels, same_labels)


# --- The threshold below which "not sure" is cheaper


def test_the_threshold_is_the_cheapest_one():
    """By trying all of them; 400 images of a model that is right as often as it says."""
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(400, generator=generator) / 2 + 0.5
    right = torch.rand(400, generator=generator) < confidence
    probabilities = torch.stack([confidence, 1 - confidence], 1)
    labels = (~right).long()

    def cost(threshold: float, wrong: float) -> float:
        answered = confidence >= threshold
        return float(wrong * (answered & ~right).sum() + (~answered).sum())

    for wrong in (1.5, 3, 10):  # an integer is a price, too
        chosen = choose_threshold(probabilities, labels, wrong)
        assert cost(chosen, wrong) == min(cost(t, wrong) for t in torch.linspace(0, 1, 5001).tolist())
        # Chow's rule, where probabilities can be trusted; of two classes, the better one has 0.5 at least.
        assert abs(chosen - max(0.5, 1 - 1 / wrong)) < 0.1


def test_a_threshold_answers_all_where_mistakes_are_cheap_and_nothing_where_all_is_wrong():
    probabilities = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert choose_threshold(probabilities, torch.tensor([0, 1, 0]), 0.5) == 0
    assert choose_threshold(probabilities, torch.tensor([1, 1, 1]), 2) > 0.9
    assert 0.6 < choose_threshold(probabilities, torch.tensor([0, 1, 1]), 2) < 0.9
