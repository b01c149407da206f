"""Sun, sky and shadow, worked out analytically, and the film that records them."""

import numpy as np

from recipes.renderer.colours import GREY
from recipes.renderer.mathematics import F, length, mix, ramp, unit, vec
from recipes.renderer.scene import Scene
from recipes.renderer.shapes import Cone, Ellipsoid


def lit(scene: Scene, shapes: list, p: np.ndarray) -> np.ndarray:
    """Share (n,) of the sun's disc that is seen from points p (3, n)."""
    share = np.ones(p.shape[1], F)
    if not len(share):
        return share
    seen = sun_plane(scene.light)
    place = seen @ p
    lowest = place[2].min()
    for shape in shapes:
        near = slice(None)
        if isinstance(shape, Cone):  # most shapes are; few points are near the shadow of any one
            ends = seen @ np.stack([shape.a, shape.b], 1)
            reach = max(shape.ra, shape.rb) + scene.softness * max(ends[2].max() - lowest, 0) + 0.005
            low, high = ends.min(1) - reach, ends.max(1) + reach
            near = (place[0] > low[0]) & (place[0] < high[0]) & (place[1] > low[1]) & (place[1] < high[1])
            near = np.flatnonzero(near)
            if not len(near):
                continue
        gap, t = shape.clearance(p[:, near], scene.light)
        share[near] *= ramp(-1, 1, gap / (scene.softness * t + 0.004))
    return share


def sun_plane(light: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) whose last row points to the sun: what it takes to one place casts one shadow."""
    across = unit(np.cross(light, vec(0, 0, 1)))
    return np.stack([across, np.cross(light, across), light]).astype(F)


def shadow_of(scene: Scene, shapes: list, p: np.ndarray) -> np.ndarray:
    """`lit`, worked out only where the sphere around the shapes can be in the way."""
    ends = np.stack([e for shape in shapes for e in shape.hull()[:2]])
    centre = (ends.min(0) + ends.max(0)) / 2
    radius = np.linalg.norm(ends - centre, axis=1).max() + 0.15
    gap, t = Ellipsoid(centre, np.full(3, radius, F)).clearance(p, scene.light)
    near = np.flatnonzero(gap < scene.softness * t)
    share = np.ones(p.shape[1], F)
    share[near] = lit(scene, shapes, p[:, near])
    return share


def crowding(shapes: list, p: np.ndarray) -> np.ndarray:
    """Share (n,) of the sky over ground points that these bodies leave open."""
    free = np.ones(p.shape[1], F)
    for shape in shapes:
        a, b, r = shape.hull()
        q = ((a + b) / 2)[:, None] - p
        d = length(q)
        free *= 1 - np.clip(1.1 * r * (r + 0.4 * np.linalg.norm(b - a)) * q[2] / d**3, 0, 0.75)
    return free


def develop(scene: Scene, light: np.ndarray) -> np.ndarray:
    """Linear light (3, n) to display values 0..1, on a film-like curve (Narkowicz's fit of ACES)."""
    grey = (GREY @ light)[None]
    x = np.maximum(mix(grey, light, scene.vivid), 0) * scene.exposure
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1) ** F(1 / 2.2)


def shade(scene: Scene, p, n, view, albedo, gloss: float, shapes: list, floor: np.ndarray) -> np.ndarray:
    """Light (3, n) that points p with normals n send along -view (3, n)."""
    to_sun = scene.light @ n
    seen = lit(scene, shapes, p + n * F(0.012))
    facing = np.clip((to_sun + 0.12) / 1.12, 0, 1) * seen
    open_sky = ramp(-0.02, 0.22, p[2])
    up = 0.5 + 0.5 * n[2]
    ground = floor * (scene.sky * 0.4 + scene.sun * 0.32)
    ambient = scene.sky[:, None] * up * (0.45 + 0.55 * open_sky) + ground[:, None] * (1 - up) * open_sky
    colour = albedo * (scene.sun[:, None] * facing + ambient)
    # a shiny cuticle mirrors the sky, the ground and a broad sun
    cosine = np.clip(-np.einsum("in,in->n", n, view), 0, 1)
    mirror = view + 2 * cosine * n
    fresnel = (0.045 + 0.5 * (1 - cosine) ** 5) * gloss
    sky = mix(ground[:, None], scene.sky[:, None] * 1.5, ramp(-0.15, 0.35, mirror[2]))
    sun = np.clip(scene.light @ mirror, 0, 1)
    glint = (sun ** (12 + 70 * gloss)) * (0.25 + 1.6 * gloss) + 0.12 * sun**6
    return colour + sky * fresnel + scene.sun[:, None] * glint * seen * gloss * 0.35
