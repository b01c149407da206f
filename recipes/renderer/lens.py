"""What stands in front of the lens, and what lens and sensor add."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from recipes.renderer.colours import pick


def smear(picture: np.ndarray, motion: tuple[float, float]) -> np.ndarray:
    """The picture (h, w, 3) as a camera sees it that moves by these pixels to the right and down."""
    steps = 2 * math.ceil(math.hypot(*motion)) + 1
    reach = math.ceil(max(map(abs, motion)))
    h, w = picture.shape[:2]
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), "edge")
    places = np.linspace(-0.5, 0.5, steps)[:, None] * motion
    columns, rows = (np.rint(places) + reach).astype(int).T
    return np.mean([padded[j : j + h, i : i + w] for i, j in zip(columns, rows, strict=True)], axis=0)


def grass(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Out-of-focus blades in front of the lens, on about a third of the pictures."""
    w, h = picture.size
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.66, 0.17, 0.11, 0.06]))):
        colour = pick(rng, (96, 124, 52), (70, 98, 48), (150, 146, 84), (124, 140, 70), (178, 160, 110))
        foot = rng.choice([rng.uniform(-0.1, 0.3), rng.uniform(0.7, 1.1)]) * w
        top = foot + rng.normal(0, 0.3) * w
        thick, bow = rng.uniform(0.012, 0.035) * max(w, h), rng.normal(0, 0.12) * w
        k = np.linspace(0, 1, 24)
        reach = rng.uniform(0.7, 1.15)
        x, y = foot + (top - foot) * k + bow * np.sin(np.pi * k), h * (1.02 - reach * k)
        half = thick * (1 - 0.9 * k**2) / 2
        mask, shine = Image.new("L", (w * 2, h * 2)), Image.new("L", (w * 2, h * 2))
        left, ridge, right = (np.stack([2 * at, 2 * y], 1) for at in (x - half, x, x + half))
        ImageDraw.Draw(mask).polygon(np.concatenate([left, right[::-1]]).ravel().tolist(), fill=230)
        ImageDraw.Draw(shine).polygon(np.concatenate([left, ridge[::-1]]).ravel().tolist(), fill=70)
        blur = ImageFilter.GaussianBlur(rng.uniform(0.8, 4.5))
        mask, shine = (m.filter(blur).resize((w, h), Image.Resampling.BOX) for m in (mask, shine))
        picture.paste(tuple(int(255 * c ** (1 / 2.2)) for c in colour), mask=mask)
        picture.paste((240, 244, 210), mask=shine)
    return picture
