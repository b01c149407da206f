"""How good a model is, and how sure that figure is (lesson 05)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import binomtest, sem
from scipy.stats import t as student
from torch import nn
from torch.utils.data import DataLoader


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers with its 95 % interval (Wilson, 1927, as scipy computes it).

    Attributes:
        right: how many predictions were right.
        total: how many there were.
        value, low, high: in 0..1.
    """

    right: int
    total: int

    @property
    def value(self) -> float:
        return self.right / self.total

    @property
    def low(self) -> float:
        return float(binomtest(self.right, self.total).proportion_ci(method="wilson").low)

    @property
    def high(self) -> float:
        return float(binomtest(self.right, self.total).proportion_ci(method="wilson").high)

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}, {self.right} of {self.total})"

    __repr__ = __str__


def accuracy(predicted, labels) -> Accuracy:
    """Compare two equally long rows of class indices (tensors or arrays)."""
    return Accuracy(int((predicted == labels).sum()), len(labels))


@torch.inference_mode()
def predict(model: nn.Module, images: DataLoader) -> tuple[torch.Tensor, torch.Tensor]:
    """The probabilities that `model` gives each class: (images, classes) float, and the labels (images,)."""
    device = next(model.parameters()).device
    model.eval()
    batches = [(model(x.to(device)).float().softmax(1).cpu(), y) for x, y in images]
    return torch.cat([p for p, _ in batches]), torch.cat([y for _, y in batches])


def mean_interval(values) -> tuple[float, float, float]:
    """The mean of repeated measurements, as over seeds, and its 95 % interval (Student, 1908).

    Args:
        values: at least two figures.

    Returns:
        mean, low, high.
    """
    mean, error = float(np.mean(values)), float(sem(values))
    low, high = student.interval(0.95, len(values) - 1, mean, error) if error else (mean, mean)
    return mean, float(low), float(high)
