"""The light of wings: clear ones with veins, as bees have them, and the patterned ones of butterflies."""

import numpy as np

from recipes.renderer.animals.anatomy import Wing
from recipes.renderer.animals.sails import Sail
from recipes.renderer.light import shade
from recipes.renderer.mathematics import F, mix, ramp, unit, vec
from recipes.renderer.noise import Noise
from recipes.renderer.scene import Scene

VEINS = [
    (0, 0.3, 0.95, 0.06),
    (0, 0.35, 0.45, 0.4),
    (0.45, 0.4, 0.85, 0.5),
    (0.1, 0.38, 0.4, 0.78),
    (0.4, 0.78, 0.75, 0.85),
    (0.45, 0.4, 0.4, 0.78),
    (0.62, 0.44, 0.66, 0.83),
    (0.6, 0.1, 0.55, 0.42),
    (0.8, 0.08, 0.84, 0.5),
]


def glaze(scene: Scene, wing: Wing, eye, rays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (n,), light (3, n) and opacity (n,) of a wing along the rays (3, n)."""
    slope = wing.axes[2] @ rays
    t = ((wing.root - eye) @ wing.axes[2]) / np.where(np.abs(slope) < 1e-4, F(1e-4), slope)
    q = eye[:, None] + rays * t - wing.root[:, None]
    u = (wing.axes[0] @ q) / wing.span
    across = (wing.axes[1] @ q) / wing.width
    v = np.clip(u, 0.001, 0.999)
    chord = 1.25 * v**0.62 * np.sqrt(1 - v**5) * (1 - 0.25 * v)
    s = 0.5 - across / chord + 0.22 * (1 - v)
    inside = (u > 0) & (u < 1) & (s > 0) & (s < 1) & (t > 0)
    line = np.minimum(np.abs(s) * chord, 1.2)  # the leading edge is a vein too
    for a, b, c, d in VEINS:
        k = np.clip(((u - a) * (c - a) + (s - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2), 0, 1)
        line = np.minimum(line, np.hypot((u - a - k * (c - a)) * 2, (s - b - k * (d - b)) * chord))
    vein = ramp(0.045, 0.02, line)
    fold = unit(
        wing.axes[2][:, None]
        + wing.axes[1][:, None] * (0.25 * np.sin(s * 14))
        + wing.axes[0][:, None] * (0.2 - 0.3 * u)
    )
    cosine = np.abs(np.einsum("in,in->n", fold, rays))
    mirror = rays - 2 * np.einsum("in,in->n", fold, rays) * fold
    glint = np.clip(np.abs(scene.light @ mirror), 0, 1) ** 18
    sheen = 0.25 + 0.2 * np.cos(6.3 * (vec(0, 0.33, 0.67)[:, None] + u + s))  # thin-film colours
    light = scene.colours["wing"][:, None] * (scene.sky[:, None] * 0.75 + scene.sun[:, None] * 0.3)
    light = light + scene.sun[:, None] * glint * sheen * 1.6
    opacity = np.clip(0.27 + 0.3 * (1 - cosine) ** 3 + 0.5 * glint, 0, 0.85)
    light = mix(light, scene.colours["limb"][:, None] * 0.8 * (scene.sky + 0.5 * scene.sun)[:, None], 0.8 * vein)
    return np.where(inside, t, np.inf), light, np.where(inside, np.maximum(opacity, 0.72 * vein), 0)


def sail_light(
    scene: Scene, sail: Sail, noise: Noise, eye, rays, t, polar: list, others: list, floor: np.ndarray
) -> np.ndarray:
    """Light (3, n) of a butterfly's wing where the rays (3, n) meet it at t (n,); `others` shade it."""
    p = eye[:, None] + rays * t
    n = sail.relief(polar[0], polar[1], rays)
    above = np.einsum("in,i->n", n, sail.axes[2]) > 0
    grain = noise.octaves(p[0] * 20, p[1] * 20 + 7 * p[2], 1, np.zeros_like(p[0]), 3, 0.7)
    albedo = sail.pattern.albedo(*polar, grain, above)
    through = np.clip(-(scene.light @ n), 0, 1)  # the sun shines through a little
    light = shade(scene, p, n, rays, albedo, 0.06, others, floor)
    return light + 0.3 * albedo * scene.sun[:, None] * through
