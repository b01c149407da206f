"""Where rays meet a body."""

import numpy as np

from recipes.renderer.camera import Camera
from recipes.renderer.mathematics import F
from recipes.renderer.shapes import Part

SEPARATE = 1e-3  # smallest distance, in lengths of the animal, that is told from zero


def rays_near(camera: Camera, part: Part, size: tuple[int, int]) -> np.ndarray:
    """Flat indices of the pixels of a picture (h, w) whose rays can meet the part."""
    h, w = size
    mask = np.zeros(size, bool)
    for a, b, r in (shape.hull() for shape in part.shapes):
        (xa, xb), (ya, yb), depth = camera.project(np.stack([a, b], 1))
        reach = (r + part.blend / 4) * camera.focal / (depth.min() - r) * 1.03 + 1
        x0, x1 = int(max(min(xa, xb) - reach, 0)), int(min(max(xa, xb) + reach + 1, w))
        y0, y1 = int(max(min(ya, yb) - reach, 0)), int(min(max(ya, yb) + reach + 1, h))
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = (
            np.arange(x0, x1, dtype=F)[None] + F(0.5) - xa,
            np.arange(y0, y1, dtype=F)[:, None] + F(0.5) - ya,
        )
        ux, uy = xb - xa, yb - ya
        s = np.clip((x * ux + y * uy) / (ux * ux + uy * uy + 1e-6), 0, 1)
        mask[y0:y1, x0:x1] |= (x - s * ux) ** 2 + (y - s * uy) ** 2 < reach * reach
    return np.flatnonzero(mask)


def march(part: Part, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Distance (n,) along the rays (3, n) to the part, inf where they miss it."""
    middle = (part.centre - eye) @ rays
    t, found = middle - F(part.radius), np.full(rays.shape[1], np.inf, F)
    live, end = np.arange(rays.shape[1]), middle + F(part.radius)
    for _ in range(40):
        d = part.distance(eye[:, None] + rays * t)
        hit = d < SEPARATE
        found[live[hit]] = t[hit]
        t = t + d
        go = ~hit & (t < end)
        live, rays, t, end = live[go], rays[:, go], t[go], end[go]
        if not len(live):
            break
    return found
