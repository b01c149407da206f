"""A spider: two body parts on a narrow stalk, eight legs from the front one, palps, eight small eyes, no wings."""

from dataclasses import dataclass

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, WAIST, Animal, both, leg
from recipes.renderer.animals.markings import folium
from recipes.renderer.mathematics import F, frame, towards, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part, chain


@dataclass
class Build:
    """Half axes of the front part and of the abdomen; the four pairs of legs, front to back."""

    front: tuple[float, float, float]
    abdomen: tuple[float, float, float]
    legs: tuple[float, float, float, float]
    yaws: tuple[float, float, float, float]
    thick: float
    fuzz: float
    big_eyes: bool = False


BUILDS = [
    Build((0.15, 0.12, 0.085), (0.24, 0.21, 0.19), (1.15, 1.1, 0.78, 1.1), (26, 58, 104, 150), 1.0, 0.1),  # orb weaver
    Build(
        (0.165, 0.125, 0.09), (0.215, 0.14, 0.125), (1.15, 1.05, 0.95, 1.3), (24, 60, 106, 148), 0.95, 0.5
    ),  # wolf spider
    Build((0.17, 0.14, 0.11), (0.19, 0.13, 0.12), (0.82, 0.72, 0.7, 0.85), (30, 62, 108, 146), 1.2, 0.8, True),
    Build((0.13, 0.125, 0.08), (0.19, 0.2, 0.13), (1.2, 1.2, 0.72, 0.75), (38, 68, 112, 146), 1.1, 0.05),  # crab spider
    Build(
        (0.13, 0.1, 0.07), (0.2, 0.135, 0.125), (1.45, 1.3, 1.05, 1.35), (22, 58, 108, 150), 0.6, 0.05
    ),  # house spider
]


def spider(rng: np.random.Generator) -> Animal:
    build = BUILDS[rng.choice(len(BUILDS), p=[0.26, 0.24, 0.16, 0.14, 0.2])]
    fx, fy, fz = np.array(build.front) * rng.uniform(0.93, 1.07, 3)
    ax, ay, az = np.array(build.abdomen) * rng.uniform(0.9, 1.1, 3)
    high = rng.uniform(0.14, 0.19)
    front, tail = vec(0.17, 0, high), rng.uniform(-10, 10)
    back = frame(tail, rng.uniform(-12, 6))
    stalk = front - vec(0.92 * fx, 0, 0.01)
    middle = stalk - back[0] * F(0.02 + 0.96 * ax) + vec(0, 0, 0.25 * az)
    abdomen = Ellipsoid(middle, vec(ax, ay, az), back, ABDOMEN)
    shapes = [
        Ellipsoid(front, vec(fx, fy, fz), frame(0), THORAX),
        Ellipsoid(front + vec(0.6 * fx, 0, 0.014), vec(0.5 * fx, 0.66 * fy, 0.8 * fz), frame(0), HEAD),
        Cone(stalk + vec(0.05, 0, 0), stalk - back[0] * F(0.05), 0.022, 0.022, WAIST),
        abdomen,
        Ellipsoid(middle - back[0] * F(0.5 * ax), vec(0.6 * ax, 0.68 * ay, 0.66 * az), back, ABDOMEN),
    ]
    parts = [Part(shapes, 0.016, "body")]
    reach, thick = rng.uniform(0.9, 1.04), build.thick * rng.uniform(0.88, 1.1)
    lift = rng.uniform(30, 58)
    ringed = "ringed limb" if rng.random() < 0.55 else "limb"
    for y in (1, -1):
        for k, (at, scale) in enumerate(zip(build.yaws, build.legs, strict=True)):
            hip = front + vec(fx * (0.42 - 0.3 * k), 0.72 * fy, -0.45 * fz) * both(y)
            parts.append(
                leg(
                    rng,
                    hip,
                    y * (at + rng.uniform(-8, 8)),
                    F([0.215, 0.29, 0.16]) * scale * reach,
                    F([0.024, 0.0165, 0.0085]) * thick,
                    lift + rng.uniform(-8, 8),
                )
            )
            parts[-1].skin = ringed
        mouth = front + vec(0.98 * fx, 0.3 * fy * y, -0.1 * fz)
        fang = chain([mouth, mouth + vec(0.035, -0.006 * y, -0.045)], [0.034, 0.018])
        parts.append(Part(fang, 0.012, "limb"))
        root = front + vec(0.85 * fx, 0.5 * fy * y, -0.3 * fz)
        knee = root + 0.1 * towards(y * 24, 26)
        palp = chain([root, knee, knee + 0.09 * towards(y * rng.uniform(-8, 16), -46)], [0.016, 0.015, 0.017])
        parts.append(Part(palp, 0.01, "limb"))
        for row, (x, out, up) in enumerate(
            [(1.06, 0.16, 0.36), (1.0, 0.4, 0.34), (0.92, 0.18, 0.68), (0.8, 0.42, 0.66)]
        ):
            size = 0.034 if build.big_eyes and row == 0 else 0.022 if build.big_eyes and row == 1 else 0.0115
            at = front + vec(x * fx, out * fy * y, up * fz + 0.01)
            parts.append(Part([Ellipsoid(at, vec(1, 1, 1) * F(size), frame(0))], 0.01, "eye"))
        spinner = middle - back[0] * F(0.98 * ax) + vec(0, 0.018 * y, -0.2 * az)
        parts.append(Part(chain([spinner, spinner - back[0] * F(0.018)], [0.016, 0.01]), 0.01, "limb"))
    fuzz = build.fuzz * rng.uniform(0.2, 0.7)
    return Animal(parts, [], abdomen, [fuzz, fuzz, 0, fuzz], rng.uniform(0.02, 0.045), 0.0, markings=folium(rng))
