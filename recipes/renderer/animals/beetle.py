"""A beetle: hard wing cases that meet in a straight seam, a broad shield behind the head, stout legs."""

from dataclasses import dataclass

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, Animal, both, leg
from recipes.renderer.animals.markings import elytra
from recipes.renderer.mathematics import F, frame, towards, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part, chain


@dataclass
class Build:
    """Half lengths, half widths and heights of the wing cases, the shield and the head."""

    cases: tuple[float, float, float]
    shield: tuple[float, float, float]
    head: tuple[float, float, float]
    legs: float
    antenna: float
    spots: tuple[float, float, float]  # odds of plain, spotted, striped


BUILDS = [
    Build((0.33, 0.185, 0.125), (0.125, 0.145, 0.09), (0.1, 0.085, 0.065), 1.12, 0.42, (0.85, 0.05, 0.1)),  # ground
    Build((0.33, 0.245, 0.18), (0.135, 0.2, 0.125), (0.085, 0.095, 0.07), 0.85, 0.24, (0.6, 0.15, 0.25)),  # chafer
    Build((0.34, 0.3, 0.24), (0.12, 0.2, 0.13), (0.075, 0.11, 0.075), 0.72, 0.16, (0.1, 0.85, 0.05)),  # ladybird
    Build((0.36, 0.145, 0.115), (0.11, 0.11, 0.095), (0.09, 0.08, 0.08), 1.0, 0.85, (0.5, 0.3, 0.2)),  # longhorn
    Build((0.31, 0.21, 0.16), (0.11, 0.155, 0.115), (0.085, 0.085, 0.07), 0.95, 0.34, (0.55, 0.15, 0.3)),  # leaf
]


def beetle(rng: np.random.Generator) -> Animal:
    build = BUILDS[rng.choice(len(BUILDS), p=[0.16, 0.26, 0.26, 0.12, 0.2])]
    own = rng.uniform(0.94, 1.06, 9)
    (long, wide, tall), (sx, sy, sz), (hx, hy, hz) = (
        np.array(values) * own[3 * i : 3 * i + 3] for i, values in enumerate((build.cases, build.shield, build.head))
    )
    high = rng.uniform(0.11, 0.14) + 0.35 * tall
    yaw = rng.uniform(-9, 9)
    turn = rng.uniform(-5, 5)  # the shield's share of that
    middle = vec(-0.14, 0, high)
    shield_at = vec(-0.14 + 0.9 * long + 0.72 * sx, 0, high - 0.01)
    shield_axes, skull = frame(turn, -3), frame(yaw, rng.uniform(-24, -6))
    head_at = shield_at + shield_axes[0] * F(0.9 * sx + 0.35 * hx) - vec(0, 0, 0.02)
    abdomen = Ellipsoid(middle, vec(long, wide, tall), frame(0), ABDOMEN)
    case = vec(long, 0.82 * wide, tall)
    shapes = [
        Ellipsoid(middle + vec(0, 0.18 * wide, 0), case, frame(0), ABDOMEN),
        Ellipsoid(middle + vec(0, -0.18 * wide, 0), case, frame(0), ABDOMEN),
        # the shoulders are broad: the cases begin as wide as they go on
        Ellipsoid(middle + vec(0.42 * long, 0, -0.01), vec(0.5 * long, 0.86 * wide, 0.84 * tall), frame(0), ABDOMEN),
        Ellipsoid(shield_at, vec(sx, sy, sz), shield_axes, THORAX),
        Ellipsoid(shield_at - shield_axes[0] * F(0.35 * sx), vec(0.7 * sx, 1.02 * sy, sz), shield_axes, THORAX),
        Ellipsoid(head_at, vec(hx, hy, hz), skull, HEAD),
        Cone(head_at, head_at + skull[0] * F(0.9 * hx) - skull[2] * F(0.3 * hz), 0.7 * hz, 0.5 * hz, HEAD),
    ]
    parts = [Part(shapes, 0.012, "body")]
    thick = rng.uniform(0.9, 1.2)
    arc = rng.uniform(-25, 25)

    def on_head(x, y, z):
        return head_at + vec(x * hx, y * hy, z * hz) @ skull

    for y in (1, -1):
        hips = [(shield_at[0], 0.55 * sy, 52, 0.86), (0.02, 0.6 * wide, 98, 0.92), (-0.12, 0.62 * wide, 136, 1.18)]
        for x, out, at, scale in hips:
            parts.append(
                leg(
                    rng,
                    vec(x, out, high - 0.06) * both(y),
                    y * (at + rng.uniform(-13, 13)),
                    F([0.19, 0.2, 0.15]) * scale * build.legs,
                    F([0.028, 0.019, 0.012]) * thick,
                    rng.uniform(2, 22),
                )
            )
        socket = on_head(0.7, 0.6 * y, 0.3)
        step = build.antenna * rng.uniform(0.85, 1.15) / 5
        points, heading = [socket], yaw + y * rng.uniform(30, 60)
        for joint in range(5):
            points.append(points[-1] + step * towards(heading, 24 - 9 * joint + 0.2 * arc))
            heading += y * (rng.uniform(6, 16) if build.antenna < 0.6 else rng.uniform(16, 26))
        club = 1.5 if build.antenna < 0.3 else 0.8
        parts.append(Part(chain(points, [0.012, 0.0105, 0.01, 0.01, 0.011, 0.011 * club]), 0.006, "limb"))
        parts.append(Part([Ellipsoid(on_head(0.35, 0.82 * y, 0.3), vec(0.026, 0.022, 0.026), skull)], 0.01, "eye"))
        jaw = [on_head(0.95, 0.45 * y, -0.35), on_head(1.45, 0.3 * y, -0.4), on_head(1.6, 0.02 * y, -0.4)]
        parts.append(Part(chain(jaw, [0.02, 0.016, 0.006]), 0.01, "limb"))
    bristly = float(rng.choice([0, 0.02], p=[0.85, 0.15]))
    return Animal(
        parts,
        [],
        abdomen,
        [0, bristly, 0, bristly],
        0.03,
        1.0,
        markings=elytra(rng, str(rng.choice(["plain", "spotted", "striped"], p=build.spots))),
    )
