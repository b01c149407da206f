"""Pictures, predictions and curves, in one style that reads without colour vision (lesson 05)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib_inline.config import InlineBackend
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms.v2.functional import rgb_to_grayscale

from helpers.checkpoints import History
from helpers.devices import to_device
from helpers.errors import LessonError
from helpers.models import forward_checked, labelled_batches
from helpers.transforms import denormalise
from helpers.weights import Preprocessing

Picture = Image.Image | np.ndarray | torch.Tensor

# Okabe and Ito's palette, 2008: distinct for all common kinds of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 80,
    "figure.facecolor": "white",
    "font.size": 11,
    "grid.alpha": 0.3,
}


def use_style() -> None:
    """Set the look of all figures of a notebook, and draw them with twice as many pixels: sharp on today's screens."""
    plt.rcParams.update(STYLE)
    if (shell := get_ipython()) is not None:
        InlineBackend.instance(parent=shell).figure_formats = {"retina"}


_OF_PYPLOT = ContextVar("of_pyplot", default=True)


@contextmanager
def without_pyplot() -> Iterator[None]:
    """Within it, the functions here make figures that are not among pyplot's.

    A cell that ends shows and closes all figures of pyplot: also one that an explorer is drawing beside it.
    """
    token = _OF_PYPLOT.set(False)
    try:
        yield
    finally:
        _OF_PYPLOT.reset(token)


def new_figure(**options: Any) -> Figure:
    """As `plt.figure`, of pyplot's figures or not."""
    return plt.figure(**options) if _OF_PYPLOT.get() else Figure(**options)


def imshow(image: Picture, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Show one image: a PIL image, or a float tensor (3, h, w) in 0..1, as `denormalise` makes it.

    Raises:
        LessonError: the tensor is still normalised.
    """
    ax = ax or plt.gca()
    if isinstance(image, torch.Tensor):
        if image.is_floating_point() and (image.min() < 0 or image.max() > 1):
            raise LessonError("This image is normalised; show denormalise(image, preprocessing).")
        image = image.cpu().permute(1, 2, 0).numpy()
    ax.imshow(image)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set(visible=True, color="lightgrey")  # a white image on a white page has an edge, too
    if title is not None:
        ax.set_title(title, fontsize=10)
    return ax


def show_images(
    images: Sequence[Picture] | torch.Tensor, titles: Sequence[str | None] | None = None, columns: int = 6
) -> Figure:
    """Show pictures side by side, `columns` in a row: anything that `imshow` takes."""
    rows = -(-len(images) // columns)
    figure = new_figure(figsize=(1.7 * columns, 2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    pairs = zip(images, titles or [None] * len(images), strict=True)
    for ax, (image, title) in zip(axes.flat, pairs, strict=False):  # the last row may have room left
        imshow(image, title, ax)
    for ax in axes.flat[len(images) :]:
        ax.axis("off")
    return figure


@torch.inference_mode()
def visualize_model(
    model: nn.Module,
    loader: DataLoader[Any],
    class_names: Sequence[str],
    preprocessing: Preprocessing,
    num_images: int = 6,
) -> Figure:
    """Show the first images of `loader` with the model's predictions, and the true class where that differs."""
    model.eval()
    x, y = (torch.cat(part)[:num_images] for part in zip(*_take(loader, num_images), strict=True))
    confidence, predicted = (
        part.tolist() for part in forward_checked(model, to_device(x, model)).float().softmax(1).max(1)
    )
    titles = [
        prediction_title(class_names[p], c, class_names[t]) for p, c, t in zip(predicted, confidence, y, strict=True)
    ]
    return show_images(list(denormalise(x, preprocessing)), titles, columns=min(num_images, 6))


def _take(loader: DataLoader[Any], num_images: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for x, y in labelled_batches(loader):
        yield x, y
        num_images -= len(y)
        if num_images <= 0:
            return


def prediction_title(predicted: str, confidence: float, truth: str) -> str:
    """`bees 93%` for a right answer; a wrong one says what it is in words, not by colour alone."""
    title = f"{predicted} {confidence:.0%}"
    return title if predicted == truth else f"{title}\nwrong: it is {truth}"


def show_maps(
    images: Sequence[torch.Tensor] | torch.Tensor, maps: torch.Tensor, titles: Sequence[str], columns: int = 6
) -> Figure:
    """Show images, and below each the same one in grey under its map; a white line surrounds the places above 0.5.

    Args:
        images: float (3, h, w) in 0..1, as `denormalise` makes them.
        maps: (n, h, w), from 0 (dark) to 1 (bright).
        titles: one for each image.
        columns: images in a row.
    """
    rows = -(-len(images) // columns)
    size = (1.7 * columns + 0.6, 3.9 * rows)
    figure = new_figure(figsize=size, layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for n, (image, places, title) in enumerate(zip(images, maps.cpu().numpy(), titles, strict=True)):
        above, below = axes[2 * (n // columns) : 2 * (n // columns) + 2, n % columns]
        imshow(image, title, above)
        imshow(rgb_to_grayscale(image, num_output_channels=3), ax=below)
        colours = below.imshow(places, cmap="inferno", alpha=0.6, vmin=0, vmax=1)  # even for all kinds of vision
        if places.max() > 0.5 > places.min():
            below.contour(places, [0.5], colors="white", linewidths=1.2)
    figure.colorbar(colours, ax=axes, shrink=0.6, label="share of the maximum")
    return figure


def plot_confusion(
    predicted: torch.Tensor | np.ndarray, labels: torch.Tensor | np.ndarray, class_names: Sequence[str]
) -> Figure:
    """Confusion matrix: how many pictures of each class (row) were taken for each class (column)."""
    from sklearn.metrics import ConfusionMatrixDisplay  # takes two seconds, which lessons without one need not wait

    side = 2.5 + 0.5 * len(class_names)
    figure, ax = plt.subplots(figsize=(side, side), layout="tight")
    classes = range(len(class_names))
    display = ConfusionMatrixDisplay.from_predictions(
        labels, predicted, labels=classes, display_labels=class_names, cmap="Blues", colorbar=False, ax=ax
    )
    shades = display.im_.to_rgba(display.confusion_matrix)[..., :3] @ (0.2126, 0.7152, 0.0722)
    for text, shade in zip(display.text_.ravel(), shades.ravel(), strict=True):
        text.set_color("black" if shade > 0.43 else "white")  # whichever has the greater contrast
    if len(class_names) > 2:
        ax.tick_params(axis="x", rotation=45)
    ax.grid(False)
    return figure


def plot_reliability(models: Mapping[str, torch.Tensor], labels: torch.Tensor, bins: int = 10) -> Figure:
    """Reliability diagram: accuracy against confidence in equal-width bins, and how many images are in each.

    Args:
        models: by the name of each model, its probabilities (images, classes) for the same images.
        labels: (images,), class indices.
        bins: as for `helpers.evaluation.calibration_error`; empty ones are left out.
    """
    from sklearn.calibration import calibration_curve  # as above

    figure, (above, below) = plt.subplots(
        2, 1, figsize=(5, 4.4), sharex=True, layout="constrained", gridspec_kw={"height_ratios": (3, 1)}
    )
    above.plot([0, 1], [0, 1], color="grey", linestyle="--", label="confidence = accuracy")
    for (name, probabilities), marker in zip(models.items(), cycle("os^D"), strict=False):
        confidence, predicted = probabilities.max(1)
        accuracy, mean_confidence = calibration_curve(predicted == labels, confidence, n_bins=bins)
        above.plot(mean_confidence, accuracy, marker=marker, label=name)
        below.hist(
            confidence, np.linspace(0, 1, bins + 1), histtype="step", linewidth=1.8, color=above.lines[-1].get_color()
        )
    above.set(ylabel="share that is right", ylim=(0, 1.05))
    above.legend()
    low = 1 / probabilities.shape[1]  # the most probable class cannot have less
    below.set(xlabel="confidence", ylabel="images", xlim=(low, 1.01))
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def plot_embedding(points: np.ndarray, labels: torch.Tensor | np.ndarray, class_names: Sequence[str], ax: Axes) -> Axes:
    """Scatter plot of (n, 2) points; each class has its colour and its marker. The legend is left to the caller."""
    for index, (name, marker) in enumerate(zip(class_names, cycle("os^DvP"), strict=False)):
        x, y = points[np.asarray(labels) == index].T
        ax.scatter(x, y, marker=marker, s=18, alpha=0.7, label=name)
    ax.set(xticks=[], yticks=[])
    return ax


def plot_history(history: History) -> Figure:
    """Loss and accuracy of both phases against the epochs, from `train_model`."""
    epochs = np.arange(1, len(history["lr"]) + 1)
    figure = new_figure(figsize=(9, 3), layout="tight")
    axes = figure.subplots(1, 2)
    for ax, key, label in zip(axes, ("loss", "acc"), ("loss", "accuracy"), strict=True):
        for phase, marker in (("train", "o"), ("val", "s")):
            ax.plot(epochs, history[f"{phase}_{key}"], marker=marker, markersize=4, label=phase)
        ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, max(len(epochs), 1) + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend()
    return figure
