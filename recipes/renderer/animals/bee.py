"""A bee."""

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, WAIST, Animal, blades, both, leg
from recipes.renderer.mathematics import F, frame, towards, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part, chain


def bee(rng: np.random.Generator, wool: tuple[float, float, float] = (0.08, 0.3, 0.62)) -> Animal:
    """Short antennae, large eyes, a round chest that meets the abdomen broadly, short stout legs.

    `wool` has the odds of a nearly bare, a hairy and a woolly one.
    """
    stout = rng.uniform(0.95, 1.3)
    high = 0.19 * stout + rng.uniform(0.0, 0.03)
    yaw, pitch = rng.uniform(-14, 14), rng.uniform(-34, -6)
    head_at, skull = vec(0.335, 0, high - 0.02), frame(yaw, pitch)
    size = rng.uniform(0.9, 1.1) * stout**0.5

    def on_head(x, y, z):
        return head_at + size * (vec(x, y, z) @ skull)

    tail, droop = rng.uniform(-14, 14), rng.uniform(-2, 16)
    back = frame(tail, droop)
    chest = vec(0.165, 0, high + 0.015)
    long, fat = rng.uniform(0.235, 0.275), rng.uniform(0.125, 0.145) * stout
    middle = vec(0.035, 0, high - 0.005) - back[0] * (long - 0.015)
    abdomen = Ellipsoid(middle, vec(long, fat, fat * 0.93), back, ABDOMEN)
    shapes = [
        Ellipsoid(on_head(0, 0, 0), size * vec(0.075, 0.118, 0.112), skull, HEAD),
        Ellipsoid(on_head(0.03, 0, -0.06), size * vec(0.05, 0.06, 0.06), skull, HEAD),
        Ellipsoid(chest, vec(0.148, 0.138 * stout, 0.135 * stout), frame(0), THORAX),
        Cone(vec(0.06, 0, high - 0.01), middle + back[0] * 0.6 * long, 0.055, 0.06, WAIST),
        abdomen,
        Ellipsoid(middle - back[0] * 0.5 * long, vec(0.6, 0.55, 0.55) * vec(long, fat, fat), back, ABDOMEN),
    ]
    parts = [Part(shapes, 0.03, "body")]
    reach = rng.uniform(0.85, 1.12)
    thick = rng.uniform(0.9, 1.2)
    raise_knee = rng.uniform(-8, 26)
    load = rng.random() < 0.15
    for y in (1, -1):
        for k, (x, at, scale) in enumerate([(0.24, 48, 0.78), (0.16, 98, 0.9), (0.08, 140, 1.15)]):
            hip = vec(x, 0.07 * stout, high - 0.1 * stout) * both(y)
            parts.append(
                leg(
                    rng,
                    hip,
                    y * (at + rng.uniform(-14, 14)),
                    F([0.15, 0.165, 0.12]) * scale * reach,
                    F([0.025, 0.034 if k == 2 else 0.02, 0.012]) * thick,
                    raise_knee + rng.uniform(-8, 8),
                )
            )
            if k == 2 and load:  # pollen on the hind legs
                shin = parts[-1].shapes[4].a
                parts.append(Part([Ellipsoid(shin, vec(0.055, 0.04, 0.045), frame(y * at))], 0.01, "pollen"))
        socket = on_head(0.065, 0.03 * y, 0.03)
        elbow = socket + 0.075 * towards(yaw + y * rng.uniform(25, 50), rng.uniform(5, 40))
        tip = elbow + rng.uniform(0.11, 0.15) * towards(yaw + y * rng.uniform(5, 40), rng.uniform(-40, 5))
        parts.append(Part(chain([socket, elbow, tip], [0.0115, 0.0115, 0.0125]), 0.006, "limb"))
        parts.append(
            Part(
                [Ellipsoid(on_head(0.018, 0.09 * y, 0.02), size * vec(0.046, 0.036, 0.085), skull)],
                0.01,
                "eye",
            )
        )
        parts.append(
            Part(
                chain([on_head(0.06, 0.035 * y, -0.1), on_head(0.085, 0.012 * y, -0.125)], [0.02, 0.01]),
                0.01,
                "limb",
            )
        )
    wings = blades(rng, vec(0.17, 0.085 * stout, high + 0.1 * stout), 0.66, 0.27) if rng.random() < 0.95 else []
    woolly = float(rng.choice([0.02, 0.3, 1], p=wool))
    return Animal(
        parts,
        wings,
        abdomen,
        [0.7 * woolly, woolly, woolly, woolly * rng.uniform(0.1, 0.9)],
        rng.uniform(0.032, 0.06),
        float(rng.choice([0, 0.4, 0.85], p=[0.2, 0.27, 0.53])),
    )
