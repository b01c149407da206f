"""The colours and the fine relief of the animals' bodies."""

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, Animal
from recipes.renderer.mathematics import F, length, mix, ramp, unit
from recipes.renderer.noise import Noise
from recipes.renderer.scene import Scene
from recipes.renderer.shapes import Part


def skin(scene: Scene, animal: Animal, part: Part, noise: Noise, p, n) -> tuple[np.ndarray, np.ndarray, float]:
    """Albedo (3, n), bent normals (3, n) and gloss of an animal's part at its surface points."""
    grain = noise.octaves(p[0] * 9 + 6 * p[2], p[1] * 9 - 5 * p[2], 1.2, np.zeros_like(p[0]), 4, 0.7)
    c = scene.colours
    if part.skin != "body":
        shiny = {"eye": 1.0, "limb": 0.5 * scene.gloss, "ringed limb": 0.5 * scene.gloss, "pollen": 0.02}[part.skin]
        if part.skin == "ringed limb":
            phase = length(p - part.shapes[0].a[:, None]) * F(11)
            return mix(c["limb"], c["band"], 0.8 * ramp(0.3, 0.18, np.abs(phase - np.round(phase)))), n, shiny
        return c[part.skin][:, None] * (1 + 0.16 * grain), n, shiny
    distances = np.stack([shape.distance(p) for shape in part.shapes])
    share = np.exp(-(distances - distances.min(0)) / 0.012)
    share /= share.sum(0)
    tags = np.array([shape.tag for shape in part.shapes])
    behind = share[tags == ABDOMEN].sum(0)
    band, seam, bend = animal.markings(scene, animal, p, grain, behind)
    ahead = share[tags == HEAD].sum(0)
    albedo = mix(mix(mix(c["body"], c["head"], ahead), c["abdomen"], behind), c["band"], band)
    albedo = albedo * (1 + 0.2 * grain) * (1 - 0.5 * seam)
    n = unit(n + bend + 0.05 * grain)
    return albedo, n, scene.gloss
