"""A pinhole camera, and how a finer grid of rays becomes its pixels."""

import math
from dataclasses import dataclass

import numpy as np

from recipes.renderer.mathematics import F, towards, unit, vec


@dataclass
class Camera:
    """`focal` in pixels; `shift` (x, y) is where the animal appears, in pixels from the top left corner."""

    position: np.ndarray
    axes: np.ndarray  # rows: right, down, forward
    focal: float
    shift: tuple[float, float]

    def rays(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Directions (3, n) through the pixel places x, y."""
        d = np.stack([(x - self.shift[0]) / self.focal, (y - self.shift[1]) / self.focal, np.ones_like(x)])
        return unit(self.axes.T @ d.astype(F))

    def project(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixel places x, y and the depth of points (3, n)."""
        q = self.axes @ (p - self.position[:, None])
        return q[0] / q[2] * self.focal + self.shift[0], q[1] / q[2] * self.focal + self.shift[1], q[2]


def aim(azimuth: float, elevation: float, roll: float, away: float, focal: float, shift) -> Camera:
    """A camera `away` from the animal, from `azimuth` and `elevation` degrees; `roll` in degrees tilts it."""
    forward = -towards(azimuth, elevation)
    roll = math.radians(roll)
    right = unit(np.cross(forward, vec(0, 0, 1)))
    down = np.cross(forward, right)
    right, down = (
        math.cos(roll) * right + math.sin(roll) * down,
        math.cos(roll) * down - math.sin(roll) * right,
    )
    return Camera(vec(0, 0, 0.14) - forward * away, np.stack([right, down, forward]).astype(F), focal, shift)


def shrink(values: np.ndarray, h: int, w: int) -> np.ndarray:
    """(c, n) or (n,) values of a finer grid, averaged to (h, w, c)."""
    times = math.isqrt(values.shape[-1] // (h * w))
    return values.reshape(-1, h, times, w, times).mean((2, 4)).transpose(1, 2, 0)
