"""Figures and their intervals, against hand-made values."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.evaluation import Accuracy, accuracy, mean_interval, predict


def test_wilson_interval():
    # Wilson's formula by hand for 8 of 10: centre (p + z^2/2n) / (1 + z^2/n), z = 1.959964
    a = Accuracy(8, 10)
    assert (a.low, a.high) == pytest.approx((0.49016, 0.94332), abs=1e-4)
    assert str(a) == "80.0% (49.0% to 94.3%, 8 of 10)"


def test_153_images_carry_several_points():
    a = Accuracy(142, 153)
    assert a.high - a.low == pytest.approx(0.083, abs=0.002)


def test_accuracy_counts_images():
    assert accuracy(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0])) == Accuracy(2, 3)


def test_mean_interval_is_student_s():
    mean, low, high = mean_interval([0.8, 0.9, 1.0])
    assert (mean, low, high) == pytest.approx((0.9, 0.9 - 0.24841, 0.9 + 0.24841), abs=1e-4)
    assert mean_interval([0.9, 0.9]) == (0.9, 0.9, 0.9)


def test_predict_gives_probabilities_in_evaluation_mode():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 3)).train()
    images, labels = torch.rand(5, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    before = model[1].running_mean.clone()
    probabilities, truth = predict(model, DataLoader(TensorDataset(images, labels), batch_size=2))
    assert torch.equal(before, model[1].running_mean)
    torch.testing.assert_close(probabilities, model(images).softmax(1))
    assert truth.tolist() == labels.tolist()
