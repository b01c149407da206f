"""What the animals are put together from: body parts, legs and clear wings."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recipes.renderer.animals.markings import rings
from recipes.renderer.animals.sails import Sail
from recipes.renderer.mathematics import towards, unit, vec
from recipes.renderer.shapes import Ellipsoid, Part, chain


@dataclass
class Wing:
    """A flat blade: `axes` rows are outward, chord (towards the leading edge) and normal."""

    root: np.ndarray
    axes: np.ndarray
    span: float
    width: float


@dataclass
class Animal:
    parts: list[Part]
    wings: list[Wing]
    abdomen: Ellipsoid  # stripes run around its first axis
    fuzz: list[float]  # hairs on head, thorax, waist and abdomen, 0..1
    hair: float  # their length
    stripes: float  # 0..1
    markings: Callable = rings
    sails: list[Sail] = field(default_factory=list)


HEAD, THORAX, WAIST, ABDOMEN = range(4)


def leg(rng, hip, yaw: float, lengths, radii, lift: float) -> Part:
    """Coxa, femur, tibia and tarsus; the tarsus lies on the ground. `lift` is the femur's pitch, degrees."""
    femur, tibia, tarsus = lengths
    shoulder = hip + 0.13 * femur * towards(yaw, -40)
    knee = shoulder + femur * towards(yaw, lift)
    knee[2] = min(knee[2], 0.93 * tibia)
    out = yaw + rng.uniform(-14, 14)
    ankle = knee + math.sqrt(tibia**2 - knee[2] ** 2 + 1e-6) * towards(out, 0)
    ankle[2] = 0.02
    middle = ankle + 0.5 * tarsus * towards(out + rng.uniform(-15, 15), 0) * vec(1, 1, 0)
    toe = middle + 0.5 * tarsus * towards(out + rng.uniform(-30, 30), 0)
    middle[2], toe[2] = 0.011, 0.008
    r = radii
    bulge = shoulder + 0.45 * (knee - shoulder)
    return Part(
        chain(
            [hip, shoulder, bulge, knee, knee + 0.6 * (ankle - knee), ankle, middle, toe],
            [r[0], r[0], r[0] * 1.1, r[0] * 0.7, r[1], r[1] * 0.7, r[2], r[2] * 0.8],
        ),
        0.01,
        "limb",
    )


def both(y: float) -> np.ndarray:
    """Multiply a point of the left side by it: y is 1 for the left side, -1 for the right one."""
    return vec(1, y, 1)


def blades(rng: np.random.Generator, root: np.ndarray, span: float, width: float, odds=(0.5, 0.35, 0.15)) -> list[Wing]:
    """Two pairs of wings, with these odds folded over the back, half open or spread; `root` is the left fore wing's."""
    spread = rng.choice([rng.uniform(4, 20), rng.uniform(20, 48), rng.uniform(55, 95)], p=odds)
    lift = rng.uniform(2, 12) + 0.22 * spread * rng.random()
    wings = []
    for y in (1, -1):
        own = spread + rng.uniform(-5, 5)
        for k, (share, turn) in enumerate([(0.72, -0.05), (1.0, 0.0)]):  # hind wing, then fore wing over it
            outward = towards(y * (180 - own * (1 - 0.25 * (k == 0))), lift - 4 * (k == 0))
            level = unit(np.cross(vec(0, 0, 1), outward)) * -y  # the leading edge looks forward and out
            chord = unit(level + vec(0, 0, rng.uniform(-0.1, 0.25)))
            chord = unit(chord - outward * (chord @ outward))
            at = (root + vec(turn, 0, -0.012 * (k == 0))) * both(y)
            wings.append(Wing(at, np.stack([outward, chord, np.cross(outward, chord)]), span * share, width * share))
    return wings
