"""The colours of the figures stay apart for all common kinds of colour vision (simulated; Machado et al., 2009).

And no figure speaks by colours alone.
"""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from colorspacious import cspace_convert, deltaE
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D

from helpers.plots import STYLE, plot_embedding, plot_history, plot_reliability
from helpers.widgets import HATCHES, _draw_class_counts

pytestmark = pytest.mark.quick

CLEARLY_APART = 10  # in CAM02-UCS, where about 1 is just noticeable
PALETTE = STYLE["axes.prop_cycle"].by_key()["color"]


def smallest_difference(colors: list[str], deficiency: str) -> float:
    """Between any two colours, as somebody sees them who lacks one kind of cone altogether."""
    space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
    seen = [cspace_convert(to_rgb(color), space, "sRGB1").clip(0, 1) for color in colors]
    return min(deltaE(*pair, input_space="sRGB1") for pair in combinations(seen, 2))


@pytest.mark.parametrize("deficiency", ["protanomaly", "deuteranomaly", "tritanomaly"])
def test_the_palette_stays_apart(deficiency):
    assert smallest_difference(PALETTE, deficiency) > CLEARLY_APART


def test_red_and_green_would_not():
    assert smallest_difference(["red", "green"], "protanomaly") < CLEARLY_APART


# --- What tells one thing from another beside its colour


def without_colour(artist) -> tuple:
    """How a thing in a legend is drawn: its marker and its line, or its hatch."""
    if isinstance(artist, BarContainer):
        return tuple({bar.get_hatch() for bar in artist})
    if isinstance(artist, Line2D):
        return artist.get_marker(), artist.get_linestyle()
    return tuple(artist.get_paths()[0].vertices.ravel())  # the marker of a scatter plot


def history() -> plt.Axes:
    keys = ("train_loss", "train_acc", "val_loss", "val_acc", "lr")
    return plot_history({key: [0.1, 0.2] for key in keys}).axes[0]


def reliability() -> plt.Axes:
    probabilities = torch.tensor([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])
    return plot_reliability(probabilities, torch.tensor([0, 1, 0, 0, 1]), plt.figure().subplots())


def embedding() -> plt.Axes:
    return plot_embedding(np.zeros((5, 2)), [0, 1, 2, 3, 4], list("abcde"), plt.figure().subplots())


def class_counts() -> plt.Axes:
    ax = plt.figure().subplots()
    _draw_class_counts(ax, [torch.arange(len(HATCHES))] * 2, list("abcde"), chosen=1)
    return ax


@pytest.mark.parametrize("draw", [history, reliability, embedding, class_counts])
def test_a_legend_can_be_read_without_colours(draw):
    ax = draw()
    artists, labels = ax.get_legend_handles_labels()
    looks = [without_colour(artist) for artist in artists]
    assert len(labels) > 1
    assert len(set(looks)) == len(labels)
    plt.close(ax.figure)
