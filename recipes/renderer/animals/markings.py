"""What the abdomen wears. A marking says where its band colour lies, where it is dark, how it bends the light.

Each gets the scene, the animal, points (3, n), a fine noise (n,) and the share (n,) of the abdomen at each
point; it returns the shares (n,) of the band colour and of a dark seam, and what is added to the normals (3, n).
"""

import numpy as np

from recipes.renderer.mathematics import ramp


def rings(scene, animal, p, grain, behind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rings that overlap like roof tiles, each with a band of the strength `animal.stripes`."""
    a = animal.abdomen
    along = (a.axes[0] @ p - a.axes[0] @ a.centre) / a.radii[0]
    ring = (along + 1) / 2 * scene.bands + 0.08 * grain
    phase = ring - np.floor(ring)
    seam = behind * ramp(0.1, 0.02, np.minimum(phase, 1 - phase))
    band = behind * animal.stripes * ramp(0.34, 0.6, phase) * ramp(1.02, 0.9, phase) * (0.85 + 0.2 * grain)
    return band, seam, a.axes[0][:, None] * behind * 0.22 * (0.5 - phase)


def across(animal, p) -> tuple[np.ndarray, np.ndarray]:
    """Where points lie on the abdomen: -1..1 from its end to its front, and -1..1 from right to left."""
    a = animal.abdomen
    q = p - a.centre[:, None]
    return (a.axes[0] @ q) / a.radii[0], (a.axes[1] @ q) / a.radii[1]


def elytra(rng: np.random.Generator, kind: str):
    """Two wing cases: a seam between them, fine grooves along them, and nothing, spots or stripes on them."""
    grooves = rng.uniform(0.15, 1) if rng.random() < 0.6 else 0.0
    rows, count = rng.uniform(8, 13), int(rng.integers(2, 5))
    spots = [(rng.uniform(-0.7, 0.6), rng.uniform(0.22, 0.66), rng.uniform(0.12, 0.24)) for _ in range(count)]
    first, width = rng.uniform(-0.4, 0.1), rng.uniform(0.14, 0.26)
    lengthwise = rng.random() < 0.4

    def markings(scene, animal, p, grain, behind):
        x, y = across(animal, p)
        side = np.abs(y)
        band = np.zeros_like(x)
        if kind == "spotted":  # the same on the left and on the right
            for at, out, radius in spots:
                band = np.maximum(band, ramp(radius, radius - 0.05, np.hypot(x - at, side - out)))
        elif kind == "striped" and lengthwise:
            band = ramp(0.1, 0.06, np.abs(side - 0.45)) * ramp(-0.95, -0.85, x)
        elif kind == "striped":
            for at in (first, first + 0.5):
                band = np.maximum(
                    band, ramp(width, width - 0.06, np.abs(x - at + 0.08 * grain + 0.1 * np.cos(side * 5)))
                )
        midline = ramp(0.045, 0.015, side)
        shoulder = 4 * behind * (1 - behind)  # where the cases meet the shield
        triangle = ramp(0.02, -0.02, side - 0.55 * (x - 0.66))
        groove = np.sin(y * np.pi * rows)
        bend = (
            animal.abdomen.axes[1][:, None]
            * behind
            * (0.2 * grooves * groove - 0.7 * np.sign(y) * ramp(0.14, 0.03, side))
        )
        seam = np.clip(behind * (1.5 * midline + 0.4 * grooves * ramp(0.5, 1, -groove)) + 1.4 * shoulder, 0, 1.8)
        return behind * band * (1 - triangle), seam + 0.6 * behind * triangle, bend

    return markings


def folium(rng: np.random.Generator):
    """A spider's abdomen: a leaf-shaped field, chevrons, a cross of spots, or nothing."""
    kind = rng.choice(4, p=[0.3, 0.3, 0.2, 0.2])
    often, strength = rng.uniform(3.5, 6), rng.uniform(0.5, 0.95)

    def markings(scene, animal, p, grain, behind):
        x, y = across(animal, p)
        top = ramp(-0.1, 0.35, (p[2] - animal.abdomen.centre[2]) / animal.abdomen.radii[2])
        side = np.abs(y) + 0.05 * grain
        if kind == 0:
            edge = 0.42 * np.sqrt(np.clip(1 - x * x, 0, 1)) * (1 + 0.18 * np.cos(x * often * 4))
            band = ramp(0.05, 0, side - edge) * (0.5 + 0.5 * ramp(0.06, 0.14, np.abs(side - edge)))
        elif kind == 1:
            phase = (x + 0.7 * side) * often
            band = ramp(0.28, 0.16, np.abs(phase - np.round(phase))) * ramp(0.6, 0.5, side)
        elif kind == 2:  # drops in a row and beside it, as on a garden spider
            band = np.zeros_like(x)
            for at, out, radius in [(0.55, 0, 0.1), (0.28, 0, 0.12), (0.0, 0, 0.1), (-0.25, 0, 0.08), (0.28, 0.3, 0.1)]:
                band = np.maximum(band, ramp(radius, radius - 0.05, np.hypot(x - at, side - out)))
        else:
            band = np.zeros_like(x)
        return behind * top * strength * band, np.zeros_like(x), np.zeros_like(p)

    return markings
