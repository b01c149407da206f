"""The colours of the figures stay apart for all common kinds of colour vision (simulated; Machado et al., 2009).

And no figure speaks by colours alone.
"""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D

from helpers.plots import STYLE, plot_embedding, plot_history, plot_reliability
from helpers.widgets import HATCHES, _draw_class_counts

pytestmark = pytest.mark.quick

CLEARLY_APART = 7  # hundredths in Oklab, where about 2 are just noticeable
PALETTE = STYLE["axes.prop_cycle"].by_key()["color"]

# What somebody sees who lacks one kind of cone altogether, in linear RGB: Machado et al., 2009, table 1, severity 1.
DEFICIENCIES = {
    "protanomaly": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranomaly": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanomaly": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
# From linear RGB to Oklab, where distances are as the eye judges them: Ottosson, 2020.
TO_CONES = [
    [0.41222147, 0.53633254, 0.05144599],
    [0.2119035, 0.6806995, 0.10739696],
    [0.08830246, 0.28171884, 0.62997870],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def smallest_difference(colors: list[str], deficiency: str) -> float:
    """Between any two colours, in hundredths in Oklab."""
    rgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.transpose(DEFICIENCIES[deficiency])).clip(0, 1)
    oklab = np.cbrt(seen @ np.transpose(TO_CONES)) @ np.transpose(TO_OKLAB)
    return 100 * min(np.linalg.norm(one - other) for one, other in combinations(oklab, 2))


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_palette_stays_apart(deficiency):
    assert smallest_difference(PALETTE, deficiency) > CLEARLY_APART


def test_red_and_green_would_not():
    assert smallest_difference(["tab:red", "tab:green"], "deuteranomaly") < CLEARLY_APART


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
    return plot_reliability({"one": probabilities, "other": probabilities}, torch.tensor([0, 1, 0, 0, 1])).axes[0]


def embedding() -> plt.Axes:
    return plot_embedding(np.zeros((6, 2)), [0, 1, 2, 3, 4, 5], list("abcdef"), plt.figure().subplots())


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
