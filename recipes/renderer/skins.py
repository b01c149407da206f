"""The colours and the fine relief of the animals' bodies."""

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, Animal
from recipes.renderer.mathematics import mix, ramp, unit
from recipes.renderer.noise import Noise
from recipes.renderer.scene import Scene
from recipes.renderer.shapes import Part


def skin(scene: Scene, animal: Animal, part: Part, noise: Noise, p, n) -> tuple[np.ndarray, np.ndarray, float]:
    """Albedo (3, n), bent normals (3, n) and gloss of an animal's part at its surface points."""
    grain = noise.octaves(p[0] * 9 + 6 * p[2], p[1] * 9 - 5 * p[2], 1.2, np.zeros_like(p[0]), 4, 0.7)
    c = scene.colours
    if part.skin != "body":
        shiny = {"eye": 1.0, "limb": 0.5 * scene.gloss, "pollen": 0.02}[part.skin]
        return c[part.skin][:, None] * (1 + 0.16 * grain), n, shiny
    distances = np.stack([shape.distance(p) for shape in part.shapes])
    share = np.exp(-(distances - distances.min(0)) / 0.012)
    share /= share.sum(0)
    tags = np.array([shape.tag for shape in part.shapes])
    behind = share[tags == ABDOMEN].sum(0)
    a = animal.abdomen
    along = (a.axes[0] @ p - a.axes[0] @ a.centre) / a.radii[0]
    ring = (along + 1) / 2 * scene.bands + 0.08 * grain
    phase = ring - np.floor(ring)
    seam = behind * ramp(0.1, 0.02, np.minimum(phase, 1 - phase))
    band = behind * animal.stripes * ramp(0.34, 0.6, phase) * ramp(1.02, 0.9, phase) * (0.85 + 0.2 * grain)
    ahead = share[tags == HEAD].sum(0)
    albedo = mix(mix(mix(c["body"], c["head"], ahead), c["abdomen"], behind), c["band"], band)
    albedo = albedo * (1 + 0.2 * grain) * (1 - 0.5 * seam)
    # every ring overlaps the next one, like roof tiles
    n = unit(n + a.axes[0][:, None] * behind * 0.22 * (0.5 - phase) + 0.05 * grain)
    return albedo, n, scene.gloss
