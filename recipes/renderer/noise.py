"""Seeded noise on the plane: octaves and cells."""

import numpy as np

from recipes.renderer.mathematics import F


class Noise:
    """Seeded noise on the plane. `foot` (n,) is a pixel's size: detail finer than that fades out."""

    def __init__(self, rng: np.random.Generator):
        self.table = rng.random((256, 256), dtype=F)
        self.other = rng.random((256, 256), dtype=F)

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """One octave with features of size 1, in -1..1."""
        i, j = np.floor(x), np.floor(y)
        u, v = x - i, y - j
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        i, j = i.astype(np.int32) & 255, j.astype(np.int32) & 255
        k, m = (i + 1) & 255, (j + 1) & 255
        low = self.table[i, j] * (1 - u) + self.table[k, j] * u
        high = self.table[i, m] * (1 - u) + self.table[k, m] * u
        return (low * (1 - v) + high * v) * 2 - 1

    def octaves(self, x, y, frequency: float, foot, count: int = 5, gain: float = 0.55) -> np.ndarray:
        """Sum of `count` octaves from `frequency` up, about -1..1."""
        total, weight = np.zeros_like(x), 1.0
        for octave in range(count):
            f = frequency * 2.03**octave
            fade = np.clip(1.6 - 1.6 * foot * f, 0, 1)
            if fade.max() <= 0:
                break
            total += weight * fade * self.value(x * f + 17.3 * octave, y * f - 9.1 * octave)
            weight *= gain
        return total

    def cells(self, x, y, frequency: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances to the nearest and to the second scattered point, and the nearest one's random number."""
        x, y = x * F(frequency), y * F(frequency)
        i, j = np.floor(x), np.floor(y)
        u, v = x - i, y - j
        i, j = i.astype(np.int32), j.astype(np.int32)
        first, second, name = np.full_like(x, 9), np.full_like(x, 9), np.zeros_like(x)
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                k, m = (i + a) & 255, (j + b) & 255
                d = np.hypot(a + self.table[k, m] - u, b + self.other[k, m] - v)
                nearer = d < first
                second = np.where(nearer, first, np.minimum(second, d))
                name = np.where(nearer, self.table[m, k], name)
                first = np.where(nearer, d, first)
        return first, second, name
