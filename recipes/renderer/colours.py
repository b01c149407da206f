"""Linear RGB from sRGB, and colours that vary a little from picture to picture."""

import colorsys

import numpy as np

from recipes.renderer.mathematics import F, vec

GREY = np.array([0.3, 0.59, 0.11], F)  # what linear red, green and blue weigh in brightness


def linear(*srgb: float) -> np.ndarray:
    """sRGB bytes to linear RGB."""
    return (vec(*srgb) / 255) ** F(2.2)


def vary(rng: np.random.Generator, srgb, hue: float = 0.02, rest: float = 0.12) -> np.ndarray:
    """The sRGB colour, shifted a little in hue, saturation and value; linear."""
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in srgb))
    h, s, v = (
        h + rng.uniform(-hue, hue),
        s * rng.uniform(1 - 2 * rest, 1 + rest),
        v * rng.uniform(1 - rest, 1 + rest),
    )
    return vec(*colorsys.hsv_to_rgb(h % 1, min(s, 1), min(v, 1))) ** F(2.2)


def pick(rng, *choices) -> np.ndarray:
    return vary(rng, choices[rng.integers(len(choices))], hue=0.025, rest=0.15)
