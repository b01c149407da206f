"""Predictions, and metrics with their confidence intervals (lesson 05)."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, sem
from scipy.stats import t as student
from torch import nn
from torch.utils.data import DataLoader

from helpers.devices import to_device
from helpers.distributed import gather_rows
from helpers.errors import LessonError
from helpers.models import forward_checked, labelled_batches


@dataclass(frozen=True)
class Accuracy:
    """An accuracy with its 95 % confidence interval (Wilson, 1927, as scipy computes it).

    Attributes:
        right: how many predictions were right.
        total: how many there were.
        value, low, high: in 0..1.
    """

    right: int
    total: int

    @property
    def value(self) -> float:
        return self.right / self.total if self.total else math.nan

    @property
    def low(self) -> float:
        return float(binomtest(self.right, self.total).proportion_ci(method="wilson").low)

    @property
    def high(self) -> float:
        return float(binomtest(self.right, self.total).proportion_ci(method="wilson").high)

    def __str__(self) -> str:
        if not self.total:
            return "none (0 of 0)"
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}, {self.right} of {self.total})"

    __repr__ = __str__


def accuracy(predicted: torch.Tensor | np.ndarray, labels: torch.Tensor | np.ndarray) -> Accuracy:
    """The accuracy of predicted class indices (images,) against the true ones (tensors or arrays).

    Raises:
        LessonError: their shapes are not the same, or not (images,).
    """
    shapes = tuple(predicted.shape), tuple(labels.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != 1:
        raise LessonError(
            f"The predictions have the shape {shapes[0]} and the labels {shapes[1]}; both are class indices, "
            "(images,), as from probabilities.argmax(1) and labels.ravel()."
        )
    right: Any = predicted == labels
    return Accuracy(int(right.sum()), len(labels))


@torch.no_grad()  # what inference mode makes could take part in no gradient: neither in Grad-CAM nor in a fit
def predict(model: nn.Module, loader: DataLoader[Any], mirror: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The probabilities that `model` gives each class: (images, classes) float, and the labels (images,).

    With `mirror` they are the mean over each image and its mirror image (test-time augmentation: lesson 07). They are
    in the order of the loader: that of its dataset, unless it shuffles.

    Raises:
        LessonError: there are no images, they do not fit the model, or its answers are no numbers.
    """
    if not isinstance(model, nn.Module):
        raise LessonError(f"A {type(model).__name__} is no network; of a saved model, it is `.network`.")
    model.eval()
    probabilities, labels = [], []
    for x, y in labelled_batches(loader):
        views = [x, x.flip(-1)] if mirror else [x]
        logits = [forward_checked(model, to_device(view, model)).float() for view in views]
        probabilities.append(sum(of_view.softmax(1) for of_view in logits).cpu() / len(views))
        labels.append(y.cpu())
    if not labels:
        raise LessonError("The loader has no batches: its dataset has no images.")
    answers = gather_rows(torch.cat(probabilities))
    if lost := int(answers.isnan().any(1).sum()):
        raise LessonError(
            f"The model answers {lost} of {len(answers)} images with NaN: an image or a weight holds NaN, or half "
            "precision overflows; train it anew with a smaller learning rate, in float32."
        )
    return answers, gather_rows(torch.cat(labels))


def top_losses(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Indices of the images, those first whose true class got the smallest probability."""
    return probabilities[torch.arange(len(labels)), labels].argsort()


def least_confident(probabilities: torch.Tensor) -> torch.Tensor:
    """Indices of the images, the one with the smallest confidence first."""
    return probabilities.amax(1).argsort()


def calibration_error(probabilities: torch.Tensor, labels: torch.Tensor, bins: int = 10) -> float:
    """Expected calibration error (ECE: Naeini et al., 2015): confidence against accuracy in equal-width bins.

    Args:
        probabilities: (images, classes).
        labels: (images,), class indices.
        bins: how many equal-width bins divide 0..1; each is weighted with its number of images.

    Returns:
        In 0..1. With few images it is above 0 even for a perfectly calibrated model.
    """
    confidence, predicted = probabilities.max(1)
    gap = (predicted == labels).float() - confidence
    part = (confidence * bins).long().clamp(max=bins - 1)
    return float(torch.zeros(bins).index_add(0, part, gap).abs().sum() / len(labels))


def fit_temperature(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """The temperature that fits `probabilities` best (Guo et al., 2017). Above 1: the model is over-confident.

    Args:
        probabilities: (images, classes), of held-out images.
        labels: (images,), class indices.

    Returns:
        The temperature; 1, with a warning, where every image is right: the smaller, the better it would fit.
    """
    if bool((probabilities.argmax(1) == labels).all()):
        warnings.warn("Every image is right, which fits no temperature; it stays at 1. Take more images.", stacklevel=2)
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, np.exp(log_temperature))
        return -float(scaled[torch.arange(len(labels)), labels].clamp(min=1e-12).log().mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def apply_temperature(probabilities: torch.Tensor, temperature: float) -> torch.Tensor:
    """Divide the logits behind `probabilities` by `temperature`; the predicted class never changes."""
    return (probabilities.clamp(min=1e-12).log() / temperature).softmax(1)


def paired_test(right: torch.Tensor | np.ndarray, others_right: torch.Tensor | np.ndarray) -> float:
    """The p-value of McNemar's exact test (1947): two models on the same images, which must be independent.

    Only images on which just one of them is right count; without a difference each would win half of those.

    Args:
        right, others_right: (images,), whether each prediction is right.
    """
    right, others_right = (np.asarray(each, dtype=bool) for each in (right, others_right))
    only, others_only = int((right & ~others_right).sum()), int((others_right & ~right).sum())
    return float(binomtest(only, only + others_only).pvalue) if only + others_only else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, corrected for their number (Holm, 1979), in the order given."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def choose_threshold(probabilities: torch.Tensor, labels: torch.Tensor, wrong: float) -> float:
    """The threshold below which "not sure" is the cheaper answer (the reject option: Chow, 1970).

    Args:
        probabilities: (images, classes), of held-out images: `val`, not `test`.
        labels: (images,), class indices.
        wrong: what a wrong answer costs, where "not sure" costs 1 and a right answer 0.

    Returns:
        In 0..1: answer where the best class has at least this probability. Of equally cheap ones, the smallest.
    """
    confidence, predicted = probabilities.max(1)
    levels = torch.from_numpy(np.unique(confidence))
    candidates = torch.cat([torch.zeros(1), (levels[1:] + levels[:-1]) / 2, (levels[-1:] + 1) / 2])
    answered = confidence >= candidates[:, None]
    costs = (float(wrong) * (answered & (predicted != labels)) + ~answered).mean(1)
    return float(candidates[costs.argmin()])


def mean_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """The mean of repeated measurements, as over seeds, and its 95 % interval (Student, 1908).

    Args:
        values: at least two figures.

    Returns:
        mean, low, high.
    """
    mean, error = float(np.mean(values)), float(sem(values))
    low, high = student.interval(0.95, len(values) - 1, mean, error) if error else (mean, mean)
    return mean, float(low), float(high)


def prediction_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """The mean of repeated measurements, and the 95 % interval for the next single one (lesson 06).

    It is wider than the interval of the mean by the root of `len(values) + 1`, and holds for values that scatter as a
    normal distribution.

    Args:
        values: at least two figures.

    Returns:
        mean, low, high.
    """
    mean, low, _ = mean_interval(values)
    half = (mean - low) * (len(values) + 1) ** 0.5
    return mean, mean - half, mean + half
