"""A wasp: a thread of a waist, a smooth pointed abdomen, long antennae, slim folded wings."""

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, WAIST, Animal, blades, both, leg
from recipes.renderer.mathematics import F, frame, towards, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part, chain


def wasp(rng: np.random.Generator) -> Animal:
    high = rng.uniform(0.22, 0.26)
    yaw, pitch = rng.uniform(-16, 16), rng.uniform(-30, -4)
    head_at, skull = vec(0.345, 0, high + 0.005), frame(yaw, pitch)
    size = rng.uniform(0.9, 1.1)

    def on_head(x, y, z):
        return head_at + size * (vec(x, y, z) @ skull)

    stout = rng.uniform(0.92, 1.2)
    tail, droop = rng.uniform(-18, 18), rng.uniform(0, 24)
    back = frame(tail, droop)  # looks forward; the abdomen extends behind
    thread = rng.choice([rng.uniform(0.025, 0.05), rng.uniform(0.07, 0.13)], p=[0.75, 0.25])
    hinge = vec(-0.045, 0, high - 0.02)
    neck = hinge - back[0] * thread
    long, fat = rng.uniform(0.2, 0.24), rng.uniform(0.09, 0.108) * stout
    middle = neck - back[0] * (long + 0.015)
    abdomen = Ellipsoid(middle, vec(long, fat, fat * 0.92), back, ABDOMEN)
    shapes = [
        Ellipsoid(on_head(0, 0, 0), size * vec(0.062, 0.112, 0.095), skull, HEAD),
        Ellipsoid(on_head(0.02, 0, -0.055), size * vec(0.045, 0.06, 0.062), skull, HEAD),
        Cone(on_head(-0.03, 0, 0), vec(0.22, 0, high + 0.005), 0.026, 0.034, THORAX),
        Ellipsoid(vec(0.155, 0, high + 0.015), vec(0.125, 0.084 * stout, 0.088 * stout), frame(0, 6), THORAX),
        Ellipsoid(vec(0.03, 0, high - 0.005), vec(0.082, 0.066 * stout, 0.07 * stout), frame(0, 20), THORAX),
        Cone(hinge + vec(0.02, 0, 0), neck, 0.024, 0.017, WAIST),
        Cone(neck, middle + back[0] * 0.35 * long, 0.02, 0.7 * fat, ABDOMEN),
        abdomen,
        Cone(middle - back[0] * 0.35 * long, middle - back[0] * (1.12 * long), 0.72 * fat, 0.006, ABDOMEN),
    ]
    parts = [Part(shapes, 0.022, "body")]
    reach, thick = rng.uniform(0.95, 1.15), rng.uniform(0.85, 1.1)
    raise_knee = rng.uniform(12, 40)
    for y in (1, -1):
        for x, at, scale in [(0.22, 48, 0.82), (0.13, 98, 0.92), (0.05, 142, 1.2)]:
            parts.append(
                leg(
                    rng,
                    vec(x, 0.045, high - 0.06) * both(y),
                    y * (at + rng.uniform(-12, 12)),
                    F([0.2, 0.24, 0.17]) * scale * reach,
                    F([0.019, 0.0135, 0.0085]) * thick,
                    raise_knee + rng.uniform(-8, 8),
                )
            )
        socket = on_head(0.055, 0.024 * y, 0.03)
        elbow = socket + 0.06 * towards(yaw + y * rng.uniform(20, 45), rng.uniform(20, 50))
        bend = rng.uniform(18, 48)
        mid = elbow + rng.uniform(0.12, 0.15) * towards(yaw + y * bend, rng.uniform(-5, 25))
        tip = mid + rng.uniform(0.11, 0.15) * towards(yaw + y * (bend + rng.uniform(10, 40)), rng.uniform(-40, -5))
        parts.append(Part(chain([socket, elbow, mid, tip], [0.0105, 0.0095, 0.012, 0.0125]), 0.006, "limb"))
        eye = Ellipsoid(on_head(0.018, 0.088 * y, 0.012), size * vec(0.042, 0.033, 0.074), skull)
        parts.append(Part([eye], 0.01, "eye"))
        jaw = chain([on_head(0.05, 0.04 * y, -0.085), on_head(0.075, 0.01 * y, -0.115)], [0.02, 0.008])
        parts.append(Part(jaw, 0.01, "limb"))
    wings = blades(
        rng, vec(0.16, 0.06 * stout, high + 0.085 * stout), rng.uniform(0.58, 0.68), 0.17, odds=(0.62, 0.24, 0.14)
    )
    downy = float(rng.choice([0, 0.08, 0.4], p=[0.3, 0.35, 0.35]))
    return Animal(
        parts,
        wings,
        abdomen,
        [downy * 0.5, downy, 0, 0.12 * downy],
        rng.uniform(0.02, 0.04),
        float(rng.choice([0.1, 0.5, 0.95], p=[0.15, 0.2, 0.65])),
    )
