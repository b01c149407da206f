"""The colours of the figures stay apart for all common kinds of colour vision (simulated; Machado et al., 2009)."""

from itertools import combinations

import pytest
from colorspacious import cspace_convert, deltaE
from matplotlib.colors import to_rgb

from helpers.plots import STYLE

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
