"""An ant."""

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, WAIST, Animal, blades, both, leg
from recipes.renderer.mathematics import F, frame, towards, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part, chain


def ant(rng: np.random.Generator) -> Animal:
    """Elbowed antennae, a large head with mandibles, a thin waist with one or two nodes, long legs."""
    winged = rng.random() < 0.1
    high = rng.uniform(0.17, 0.21)
    yaw, pitch = rng.uniform(-16, 16), rng.uniform(-22, 2)
    head_at, skull = vec(0.345, 0, high + 0.015), frame(yaw, pitch)
    size = rng.uniform(0.88, 1.18)

    def on_head(x, y, z):
        return head_at + size * (vec(x, y, z) @ skull)

    wide = rng.uniform(0.085, 0.105)
    shapes = [
        Ellipsoid(on_head(0, 0, 0), size * vec(0.11, wide, 0.078), skull, HEAD),
        Ellipsoid(on_head(-0.05, 0.035, 0), size * vec(0.06, 0.055, 0.062), skull, HEAD),
        Ellipsoid(on_head(-0.05, -0.035, 0), size * vec(0.06, 0.055, 0.062), skull, HEAD),
        Cone(on_head(-0.06, 0, -0.01), vec(0.2, 0, high), 0.028, 0.035, THORAX),
    ]
    chest = rng.uniform(0.9, 1.1) * (1.25 if winged else 1)
    shapes += [
        Ellipsoid(vec(0.155, 0, high + 0.005), vec(0.085, 0.06, 0.064) * chest, frame(0, 14), THORAX),
        Ellipsoid(vec(0.035, 0, high - 0.012), vec(0.1, 0.046, 0.05) * chest, frame(0, 10), THORAX),
    ]
    tail, rise = rng.uniform(-18, 18), rng.uniform(-14, 26)
    back = frame(tail, -rise)  # looks forward; the gaster extends behind
    waist = vec(-0.055, 0, high - 0.03)
    nodes = int(rng.integers(1, 3))
    gap = rng.uniform(0.055, 0.07)
    end = waist - back[0] * gap * (nodes + 0.7)
    shapes.append(Cone(waist + vec(0.03, 0, 0), end, 0.021, 0.021, WAIST))
    for node in range(nodes):
        at = waist - back[0] * gap * (node + 0.55)
        shapes.append(Ellipsoid(at + vec(0, 0, 0.014), vec(0.021, 0.028, 0.041) * rng.uniform(0.9, 1.1), back, WAIST))
    long, fat = rng.uniform(0.17, 0.215), rng.uniform(0.105, 0.14)
    middle = end - back[0] * (long - 0.02)
    abdomen = Ellipsoid(middle, vec(long, fat, fat * rng.uniform(0.88, 1)), back, ABDOMEN)
    shapes += [
        abdomen,
        Ellipsoid(middle - back[0] * long * 0.55, vec(0.6 * long, 0.6 * fat, 0.58 * fat), back, ABDOMEN),
    ]
    parts = [Part(shapes, 0.035, "body")]

    reach = rng.uniform(1.0, 1.2)
    stout = rng.uniform(0.85, 1.2)
    raise_knee = rng.uniform(22, 48)
    eye = rng.uniform(0.018, 0.032)
    jaw = rng.uniform(0.8, 1.4)
    for y in (1, -1):
        for k, (x, at, scale) in enumerate([(0.15, 52, 0.82), (0.07, 96, 0.9), (0.005, 138, 1.12)]):
            step = 11 if (k + (y > 0)) % 2 else -11  # the tripod gait: three feet forward, three back
            parts.append(
                leg(
                    rng,
                    vec(x, 0.035, high - 0.035) * both(y),
                    y * (at + step + rng.uniform(-10, 10)),
                    F([0.235, 0.235, 0.15]) * scale * reach,
                    F([0.0165, 0.0115, 0.0078]) * stout,
                    raise_knee + rng.uniform(-8, 8),
                )
            )
        scape = rng.uniform(34, 72)
        socket = on_head(0.085, 0.035 * y, 0.025)
        elbow = socket + rng.uniform(0.15, 0.2) * size * towards(yaw + y * scape, rng.uniform(2, 34))
        bend = rng.uniform(-32, 12)
        mid = elbow + 0.13 * towards(yaw + y * bend, rng.uniform(-30, 8))
        tip = mid + 0.13 * towards(yaw + y * (bend - 8), rng.uniform(-38, -5))
        tip[2] = max(tip[2], 0.02)
        parts.append(Part(chain([socket, elbow, mid, tip], [0.0095, 0.0085, 0.0095, 0.0125]), 0.006, "limb"))
        parts.append(
            Part(
                [Ellipsoid(on_head(0.025, y * (wide - 0.006), 0.024), vec(1.25, 0.8, 1) * eye, skull)],
                0.01,
                "eye",
            )
        )
        parts.append(
            Part(
                chain(
                    [
                        on_head(0.085, 0.05 * y, -0.03),
                        on_head(0.125 + 0.02 * jaw, 0.052 * y, -0.035),
                        on_head(0.125 + 0.05 * jaw, 0.01 * y, -0.04),
                    ],
                    [0.021, 0.019, 0.006],
                ),
                0.012,
                "limb",
            )
        )
    wings = blades(rng, vec(0.13, 0.045, high + 0.06), 0.95, 0.3) if winged else []
    bristly = rng.choice([0, 0.015, 0.05, 0.2], p=[0.4, 0.37, 0.2, 0.03])
    return Animal(
        parts,
        wings,
        abdomen,
        [bristly * 0.7, bristly * 0.7, 0, bristly],
        rng.uniform(0.03, 0.06),
        float(rng.choice([0, 0.4, 0.85], p=[0.62, 0.26, 0.12])),
    )
