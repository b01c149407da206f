"""Render the ants and bees that this repository carries (`make insects`).

    python data/recipes/render_insects.py [--out data/insects] [--strip docs/insects.jpg]

Every picture is one small 3D scene. The insect is a handful of signed-distance bodies (ellipsoids and
tapered capsules, joined by a smooth minimum), marched only along the rays that can meet them. The
ground is a plane with procedural noise; shadows are cast analytically, shape by shape. Hairs, wings,
grass and the lens's blur are laid over in that order.

A picture depends on its seed and its label alone. The scene (ground, light, camera, size, place,
colours) is drawn from the seed without looking at the label, so `render(7, "ants")` and
`render(7, "bees")` show two animals in the same place and light: colour says next to nothing about the
class, anatomy says all. Stripes, fuzz and wings occur in both classes, with different frequencies.

Units: the insect is about 1 long; x points out of its head, y to its left, z up; the ground is z = 0.
Points are arrays (3, n), colours are linear RGB unless said otherwise.
"""

import argparse
import colorsys
import io
import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

COUNTS = {
    "train": {"ants": 123, "bees": 121},
    "val": {"ants": 70, "bees": 83},
    "test": {"ants": 200, "bees": 200},
}
STRIP = [("ants", 6), ("bees", 6)]  # the rows of the strip: label, pictures
STRIP_SIDE = 160  # pixels
QUALITY = 80  # of the JPEG files
FINE = 3  # rays per pixel and axis, for the insect
COARSE = 2  # the same for the ground
SEPARATE = 1e-3  # smallest distance, in lengths of the insect, that is told from zero

F = np.float32
GREY = np.array([0.3, 0.59, 0.11], F)  # what linear red, green and blue weigh in brightness


# ---------------------------------------------------------------- small mathematics


def vec(*values) -> np.ndarray:
    return np.array(values, F)


def unit(v: np.ndarray) -> np.ndarray:
    """`v` (3,) or (3, n) at length 1."""
    return v / np.maximum(np.sqrt((v * v).sum(0)), 1e-9)


def length(v: np.ndarray) -> np.ndarray:
    """(3, n) to (n,)."""
    return np.sqrt(np.einsum("in,in->n", v, v))


def ramp(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    """`a` where t is 0, `b` where it is 1; colours (3,) are spread over t (n,)."""
    a, b = (np.reshape(c, (3, 1)) if np.shape(c) == (3,) else c for c in (a, b))
    return a + (b - a) * t


def linear(*srgb: float) -> np.ndarray:
    """sRGB bytes to linear RGB."""
    return (vec(*srgb) / 255) ** F(2.2)


def towards(yaw: float, pitch: float) -> np.ndarray:
    """The direction (3,) that looks `yaw` degrees to the left of x and `pitch` degrees up."""
    a, e = math.radians(yaw), math.radians(pitch)
    return vec(math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e))


def frame(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) whose rows are the axes of a body turned by these degrees."""
    forward = towards(yaw, pitch)
    left = unit(np.cross(vec(0, 0, 1), forward))
    up = np.cross(forward, left)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return np.stack([forward, c * left + s * up, c * up - s * left]).astype(F)


# ---------------------------------------------------------------- noise


class Noise:
    """Seeded noise on the plane. `foot` (n,) is a pixel's size: detail finer than that fades out."""

    def __init__(self, rng: np.random.Generator):
        self.table = rng.random((256, 256), dtype=F)
        self.other = rng.random((256, 256), dtype=F)

    def value(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """One octave with features of size 1, in -1..1."""
        i, j = np.floor(x), np.floor(y)
        u, v = x - i, y - j
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        i, j = i.astype(np.int32) & 255, j.astype(np.int32) & 255
        k, m = (i + 1) & 255, (j + 1) & 255
        low = self.table[i, j] * (1 - u) + self.table[k, j] * u
        high = self.table[i, m] * (1 - u) + self.table[k, m] * u
        return (low * (1 - v) + high * v) * 2 - 1

    def octaves(self, x, y, frequency: float, foot, count: int = 5, gain: float = 0.55) -> np.ndarray:
        """Sum of `count` octaves from `frequency` up, about -1..1."""
        total, weight = np.zeros_like(x), 1.0
        for octave in range(count):
            f = frequency * 2.03**octave
            fade = np.clip(1.6 - 1.6 * foot * f, 0, 1)
            if fade.max() <= 0:
                break
            total += weight * fade * self.value(x * f + 17.3 * octave, y * f - 9.1 * octave)
            weight *= gain
        return total

    def cells(self, x, y, frequency: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances to the nearest and to the second scattered point, and the nearest one's random number."""
        x, y = x * F(frequency), y * F(frequency)
        i, j = np.floor(x), np.floor(y)
        u, v = x - i, y - j
        i, j = i.astype(np.int32), j.astype(np.int32)
        first, second, name = np.full_like(x, 9), np.full_like(x, 9), np.zeros_like(x)
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                k, m = (i + a) & 255, (j + b) & 255
                d = np.hypot(a + self.table[k, m] - u, b + self.other[k, m] - v)
                nearer = d < first
                second = np.where(nearer, first, np.minimum(second, d))
                name = np.where(nearer, self.table[m, k], name)
                first = np.where(nearer, d, first)
        return first, second, name


# ---------------------------------------------------------------- shapes


@dataclass
class Ellipsoid:
    """`axes` (3, 3) has the ellipsoid's own axes as rows; `radii` (3,) belong to them."""

    centre: np.ndarray
    radii: np.ndarray
    axes: np.ndarray = field(default_factory=lambda: np.eye(3, dtype=F))
    tag: int = 0

    def __post_init__(self):
        self.to_unit = (self.axes / self.radii[:, None]).astype(F)

    def distance(self, p: np.ndarray) -> np.ndarray:
        """Signed distance (n,), to first order (Quilez, "ellipsoid distance")."""
        q = self.to_unit @ p - (self.to_unit @ self.centre)[:, None]
        k = length(q)
        return k * (k - 1) / np.maximum(length(q / self.radii[:, None]), 1e-6)

    def hull(self) -> tuple[np.ndarray, np.ndarray, float]:
        """A capsule (end, end, radius) around it."""
        order = np.argsort(self.radii)
        half = self.axes[order[2]] * (self.radii[order[2]] - self.radii[order[1]])
        return self.centre - half, self.centre + half, float(self.radii[order[1]])

    def clearance(self, p: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the rays from p to the light pass it by, and how far from p that is."""
        q = self.to_unit @ p - (self.to_unit @ self.centre)[:, None]
        e = self.to_unit @ light
        t = np.maximum(-(e @ q) / (e @ e), 0)
        return (length(q + e[:, None] * t) - 1) * self.radii.min(), t


@dataclass
class Cone:
    """A capsule from `a` to `b` whose radius goes from `ra` to `rb`."""

    a: np.ndarray
    b: np.ndarray
    ra: float
    rb: float
    tag: int = 0

    def __post_init__(self):
        self.ab = self.b - self.a
        self.square = float(self.ab @ self.ab) + 1e-9

    def distance(self, p: np.ndarray) -> np.ndarray:
        q = p - self.a[:, None]
        t = np.clip((self.ab / self.square) @ q, 0, 1)
        return length(q - self.ab[:, None] * t) - (self.ra + (self.rb - self.ra) * t)

    def hull(self) -> tuple[np.ndarray, np.ndarray, float]:
        return self.a, self.b, max(self.ra, self.rb)

    def clearance(self, p: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = p - self.a[:, None]
        along = float(light @ self.ab)
        s = (self.ab @ q - along * (light @ q)) / max(self.square - along * along, 1e-6)
        s = np.clip(s, 0, 1)
        t = np.maximum(s * along - light @ q, 0)
        return length(q + light[:, None] * t - self.ab[:, None] * s) - (self.ra + (self.rb - self.ra) * s), t


@dataclass
class Part:
    """Shapes that flow into each other over the length `blend`; `skin` names their colouring."""

    shapes: list
    blend: float
    skin: str

    def __post_init__(self):
        ends = np.stack([e for shape in self.shapes for e in shape.hull()[:2]])
        self.centre = (ends.min(0) + ends.max(0)) / 2
        self.radius = (
            max(max(np.linalg.norm(e - self.centre) for e in (a, b)) + r for a, b, r in (s.hull() for s in self.shapes))
            + self.blend / 4
        )

    def distance(self, p: np.ndarray) -> np.ndarray:
        d = self.shapes[0].distance(p)
        for shape in self.shapes[1:]:
            e = shape.distance(p)
            h = np.maximum(self.blend - np.abs(d - e), 0)
            d = np.minimum(d, e) - h * h / (4 * self.blend)
        return d

    def normal(self, p: np.ndarray) -> np.ndarray:
        """Outward normals (3, n), from four distances on a tetrahedron."""
        corners = F([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
        return unit(sum(c[:, None] * self.distance(p + c[:, None] * F(2e-3)) for c in corners))


def chain(points: list[np.ndarray], radii: list[float]) -> list[Cone]:
    """Cones along a polyline; radii: one for each point."""
    joints = list(zip(points, radii, strict=True))
    return [Cone(a, b, ra, rb) for (a, ra), (b, rb) in pairwise(joints)]


# ---------------------------------------------------------------- the animals


@dataclass
class Wing:
    """A flat blade: `axes` rows are outward, chord (towards the leading edge) and normal."""

    root: np.ndarray
    axes: np.ndarray
    span: float
    width: float


@dataclass
class Insect:
    parts: list[Part]
    wings: list[Wing]
    abdomen: Ellipsoid  # stripes run around its first axis
    fuzz: list[float]  # hairs on head, thorax, waist and abdomen, 0..1
    hair: float  # their length
    stripes: float  # 0..1


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


def ant(rng: np.random.Generator) -> Insect:
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
    return Insect(
        parts,
        wings,
        abdomen,
        [bristly * 0.7, bristly * 0.7, 0, bristly],
        rng.uniform(0.03, 0.06),
        float(rng.choice([0, 0.4, 0.85], p=[0.62, 0.26, 0.12])),
    )


def bee(rng: np.random.Generator) -> Insect:
    """Short antennae, large eyes, a round chest that meets the abdomen broadly, short stout legs."""
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
    woolly = float(rng.choice([0.02, 0.3, 1], p=[0.08, 0.3, 0.62]))
    return Insect(
        parts,
        wings,
        abdomen,
        [0.7 * woolly, woolly, woolly, woolly * rng.uniform(0.1, 0.9)],
        rng.uniform(0.032, 0.06),
        float(rng.choice([0, 0.4, 0.85], p=[0.2, 0.27, 0.53])),
    )


def blades(rng: np.random.Generator, root: np.ndarray, span: float, width: float) -> list[Wing]:
    """Two pairs of wings: folded over the back, half open, or spread. `root` is the left fore wing's."""
    spread = rng.choice([rng.uniform(4, 20), rng.uniform(20, 48), rng.uniform(55, 95)], p=[0.5, 0.35, 0.15])
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


# ---------------------------------------------------------------- the scene


@dataclass
class Camera:
    """`focal` in pixels; `shift` (x, y) is where the insect appears, in pixels from the top left corner."""

    position: np.ndarray
    axes: np.ndarray  # rows: right, down, forward
    focal: float
    shift: tuple[float, float]

    def rays(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Directions (3, n) through the pixel places x, y."""
        d = np.stack([(x - self.shift[0]) / self.focal, (y - self.shift[1]) / self.focal, np.ones_like(x)])
        return unit(self.axes.T @ d.astype(F))

    def project(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixel places x, y and the depth of points (3, n)."""
        q = self.axes @ (p - self.position[:, None])
        return q[0] / q[2] * self.focal + self.shift[0], q[1] / q[2] * self.focal + self.shift[1], q[2]


@dataclass
class Scene:
    """All that does not depend on the label."""

    width: int
    height: int
    camera: Camera
    light: np.ndarray  # towards the sun
    sun: np.ndarray
    sky: np.ndarray
    softness: float  # of the shadows: the sun's apparent radius
    colours: dict[str, np.ndarray]
    gloss: float
    bands: int
    vivid: float  # saturation of the film
    exposure: float = 1.0  # set once the ground is known


# sRGB, each varied a little; insects of both classes wear all of them
CUTICLE = [
    (22, 19, 20),
    (30, 24, 24),
    (52, 33, 24),
    (84, 48, 28),
    (118, 62, 32),
    (150, 72, 36),
    (176, 98, 40),
    (196, 138, 56),
    (206, 168, 92),
    (92, 84, 70),
    (38, 52, 58),
    (52, 74, 52),
]
CUTICLE_ODDS = [0.2, 0.14, 0.14, 0.12, 0.1, 0.08, 0.07, 0.05, 0.03, 0.03, 0.02, 0.02]
BANDS = [(214, 166, 62), (232, 206, 140), (198, 120, 44), (226, 222, 208), (24, 20, 20), (80, 44, 26)]
HAIRS = [(196, 156, 84), (222, 200, 150), (214, 210, 200), (150, 104, 56), (46, 38, 34), (178, 120, 44)]


def vary(rng: np.random.Generator, srgb, hue: float = 0.02, rest: float = 0.12) -> np.ndarray:
    """The sRGB colour, shifted a little in hue, saturation and value; linear."""
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in srgb))
    h, s, v = (
        h + rng.uniform(-hue, hue),
        s * rng.uniform(1 - 2 * rest, 1 + rest),
        v * rng.uniform(1 - rest, 1 + rest),
    )
    return vec(*colorsys.hsv_to_rgb(h % 1, min(s, 1), min(v, 1))) ** F(2.2)


def draw_scene(rng: np.random.Generator) -> Scene:
    short = int(rng.integers(140, 191))
    long = min(int(short * rng.choice([1, 1.2, 1.33, 1.5])), 260)
    width, height = (long, short) if rng.random() < 0.6 else (short, long)

    azimuth, elevation = rng.uniform(0, 360), 90 * rng.beta(2.6, 2.4) * 0.82 + 12
    away = rng.uniform(2.4, 5.5)
    forward = -towards(azimuth, elevation)
    roll = math.radians(rng.normal(0, 7))
    right = unit(np.cross(forward, vec(0, 0, 1)))
    down = np.cross(forward, right)
    right, down = (
        math.cos(roll) * right + math.sin(roll) * down,
        math.cos(roll) * down - math.sin(roll) * right,
    )
    seen = max(math.sqrt(1 - float(forward[0]) ** 2), 0.62)  # share of the length that is not foreshortened
    focal = rng.uniform(0.5, 0.84) * short * away / seen
    place = rng.normal(0, 0.055, 2)
    if rng.random() < 0.07:  # partly out of the frame
        place[rng.integers(2)] += rng.choice([-1, 1]) * rng.uniform(0.15, 0.25)
    camera = Camera(
        vec(0, 0, 0.14) - forward * away,
        np.stack([right, down, forward]).astype(F),
        focal,
        (width * (0.5 + place[0]), height * (0.5 + place[1])),
    )

    warmth = rng.uniform(-0.12, 0.2)
    sun = rng.uniform(1.2, 3.0) * vec(1 + warmth, 1, 1 - warmth)
    sky = rng.uniform(0.45, 0.95) * vec(1 - 0.5 * warmth, 1, 1.08 + 0.5 * warmth)
    base, other = (CUTICLE[i] for i in rng.choice(len(CUTICLE), 2, p=CUTICLE_ODDS))
    body = vary(rng, base)
    colours = {
        "body": body,
        "abdomen": vary(rng, other) if rng.random() < 0.45 else body * F(rng.uniform(0.7, 1.2)),
        "limb": body * F(rng.uniform(0.55, 1.3)),
        "head": body * F(rng.uniform(0.55, 1.25)),
        "band": vary(rng, BANDS[rng.integers(len(BANDS))]),
        "hair": vary(rng, HAIRS[rng.integers(len(HAIRS))]),
        "eye": vary(rng, [(18, 14, 14), (48, 22, 18), (30, 34, 30)][rng.integers(3)]),
        "pollen": vary(rng, [(224, 160, 40), (214, 120, 30), (220, 206, 120)][rng.integers(3)]),
        "wing": vary(rng, [(224, 220, 206), (200, 172, 120), (120, 104, 84)][rng.choice(3, p=[0.6, 0.25, 0.15])]),
    }
    return Scene(
        width,
        height,
        camera,
        towards(rng.uniform(0, 360), rng.uniform(26, 72)),
        sun,
        sky,
        rng.choice([rng.uniform(0.03, 0.1), rng.uniform(0.12, 0.3)]),
        colours,
        rng.uniform(0.25, 1),
        int(rng.integers(4, 7)),
        rng.uniform(0.6, 0.92),
    )


# ---------------------------------------------------------------- the ground


def pick(rng, *choices) -> np.ndarray:
    return vary(rng, choices[rng.integers(len(choices))], hue=0.025, rest=0.15)


def soil(rng, noise):
    dark, pale = (
        pick(rng, (62, 46, 34), (84, 62, 44), (70, 64, 58), (98, 58, 38)),
        pick(rng, (128, 102, 76), (150, 124, 96), (120, 112, 100), (160, 108, 74)),
    )
    stone, share = pick(rng, (150, 142, 130), (176, 160, 140), (110, 104, 100)), rng.uniform(0.04, 0.2)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 2.5, foot, 7, 0.68)
        near, _, name = noise.cells(x + 0.05 * rough, y, 8)
        clod = np.sqrt(np.clip(1 - near * near * 1.3, 0, 1))
        pebble = ramp(0, 0.02, share - name) * ramp(0.5, 0.38, near + 0.06 * rough)
        albedo = mix(dark, pale, np.clip(0.42 + 0.3 * rough + 0.25 * (clod - 0.6), 0, 1))
        return mix(albedo, stone, pebble * 0.85), 0.03 * rough + 0.06 * clod * (0.4 + pebble)

    return surface


def sand(rng, noise):
    dark, pale = (
        pick(rng, (164, 132, 92), (150, 130, 104), (136, 116, 96)),
        pick(rng, (222, 198, 158), (214, 202, 180), (226, 206, 150)),
    )
    turn, wave = frame(rng.uniform(0, 360))[0], rng.uniform(0, 0.05)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 1.2, foot, 8, 0.62)
        grain, _, name = noise.cells(x, y, 26)
        ripple = np.sin((turn[0] * x + turn[1] * y) * 9 + 2 * rough)
        albedo = mix(dark, pale, np.clip(0.55 + 0.25 * rough + 0.5 * (name - 0.5), 0, 1))
        return albedo * (0.75 + 0.25 * ramp(0, 0.06, name)), 0.025 * rough + wave * ripple - 0.02 * grain

    return surface


def leaf(rng, noise):
    blade = pick(
        rng,
        (70, 110, 48),
        (96, 134, 60),
        (52, 88, 50),
        (124, 140, 62),
        (160, 132, 56),
        (150, 86, 50),
        (112, 82, 54),
    )
    vein = mix(blade, linear(214, 214, 150), 0.35)[:, 0]
    spot, age = pick(rng, (96, 70, 40), (60, 48, 34)), rng.uniform(0.2, 0.95)
    side, every, slant = rng.uniform(-0.9, 0.9), rng.uniform(1.4, 2.6), rng.uniform(0.5, 1.1)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 1.3, foot, 6)
        across = y - side + 0.06 * np.sin(1.3 * x)
        thick = np.maximum(foot, 0.012)
        rib = ramp(2.6, 1, np.abs(across) / (thick + 0.014))
        run = (x - np.abs(across) * slant + 0.04 * rough) * every
        second = ramp(2.2, 0.8, np.abs(run - np.round(run)) / every / thick)
        near, far, name = noise.cells(x, y, 11)
        net = ramp(0.16, 0.02, far - near) * 0.35 * ramp(0.03, 0.012, foot)
        line = np.maximum(np.maximum(rib, 0.8 * second), net)
        albedo = blade[:, None] * (0.94 + 0.16 * rough + 0.16 * (name - 0.5))
        albedo = mix(albedo, spot, 0.8 * ramp(age, age + 0.25, rough))
        return mix(albedo, vein, 0.7 * line), 0.02 * rough - 0.035 * line

    return surface


def stone(rng, noise):
    dark, pale = (
        pick(rng, (94, 90, 86), (112, 98, 84), (84, 88, 92), (120, 90, 74)),
        pick(rng, (168, 162, 152), (186, 172, 150), (150, 150, 148), (190, 150, 122)),
    )
    lichen, share = (
        pick(rng, (158, 164, 120), (196, 168, 84), (190, 196, 184), (84, 96, 62)),
        rng.uniform(0.05, 0.8),
    )

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 1.1, foot, 8, 0.66)
        fine = noise.octaves(x + 40, y, 9, foot, 4, 0.7)
        near, far, _ = noise.cells(x + 0.15 * rough, y + 0.1 * fine, 0.7)
        crack = ramp(0.05, 0.0, far - near)
        patch = ramp(share, share + 0.12, noise.octaves(x - 30, y + 11, 1.6, foot, 6, 0.6))
        albedo = mix(mix(dark, pale, np.clip(0.5 + 0.3 * rough + 0.3 * fine, 0, 1)), lichen, 0.75 * patch)
        return albedo * (1 - 0.6 * crack), 0.03 * rough + 0.012 * fine - 0.08 * crack + 0.012 * patch

    return surface


def petal(rng, noise):
    tip = pick(
        rng,
        (224, 150, 170),
        (236, 226, 214),
        (230, 194, 84),
        (170, 132, 186),
        (214, 116, 92),
        (214, 198, 222),
    )
    heart = mix(tip, pick(rng, (232, 214, 150), (150, 70, 100), (240, 236, 220), (200, 130, 60)), 0.65)[:, 0]
    from_x, from_y = towards(rng.uniform(0, 360), 0)[:2] * rng.uniform(1.6, 3)

    def surface(x, y, foot):
        far = np.hypot(x - from_x, y - from_y)
        angle = np.arctan2(y - from_y, x - from_x)
        streak = noise.octaves(angle * 3, far * 0.25, 4, foot, 4, 0.7)
        rough = noise.octaves(x, y, 0.9, foot, 6, 0.5)
        albedo = mix(heart, tip, ramp(1.0, 3.2, far + 0.4 * streak))
        return albedo * (1 + 0.1 * rough + 0.09 * streak), 0.016 * streak + 0.02 * rough

    return surface


def wood(rng, noise):
    dark, pale = (
        pick(rng, (72, 52, 38), (88, 72, 58), (84, 50, 34)),
        pick(rng, (164, 128, 90), (154, 142, 124), (190, 148, 98)),
    )
    turn, fine = frame(rng.uniform(0, 360)), rng.uniform(2.5, 5)

    def surface(x, y, foot):
        u, v = turn[0, 0] * x + turn[0, 1] * y, turn[1, 0] * x + turn[1, 1] * y
        bend = noise.octaves(u, v, 0.7, foot, 2)
        grain = noise.octaves(u * 0.35, (v + 0.12 * bend) * fine, 1.5, foot * fine, 5, 0.75)
        split = ramp(0.55, 0.8, -noise.octaves(u * 0.25 + 9, v * fine, 0.9, foot, 3))
        rough = noise.octaves(x, y, 5, foot, 4, 0.7)
        albedo = mix(dark, pale, np.clip(0.5 + 0.4 * grain + 0.12 * rough, 0, 1)) * (1 - 0.65 * split)
        return albedo, 0.022 * grain + 0.008 * rough - 0.05 * split

    return surface


def cushion(rng, noise):
    """Moss, or the florets of a flower's disc."""
    top = pick(rng, (120, 136, 60), (86, 110, 54), (206, 164, 62), (150, 140, 78), (196, 176, 150), (140, 96, 60))
    gap = top * F(rng.uniform(0.12, 0.3)) * pick(rng, (220, 190, 150), (190, 220, 170))
    often = rng.uniform(9, 18)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 1.4, foot, 6, 0.6)
        near, _, name = noise.cells(x + 0.04 * rough, y + 0.03 * rough, often)
        dome = np.sqrt(np.clip(1 - 1.5 * near * near, 0, 1))
        albedo = mix(gap, top, np.clip(dome * (0.75 + 0.4 * name) + 0.2 * rough, 0, 1.1))
        return albedo, (0.55 * dome + 0.3 * name) / often + 0.02 * rough

    return surface


GROUNDS = [soil, sand, leaf, stone, petal, wood, cushion]
GROUND_ODDS = [0.19, 0.13, 0.22, 0.15, 0.1, 0.11, 0.1]


def litter(rng: np.random.Generator) -> list[tuple[Part, np.ndarray]]:
    """Pebbles, seeds and twigs that lie about, never under the insect's body, with their colours."""
    things = []
    for _ in range(int(rng.choice([0, 2, 4, 8], p=[0.4, 0.25, 0.2, 0.15]))):
        away = rng.uniform(0.75, 2.2)
        at = towards(rng.uniform(0, 360), 0) * F(away)
        colour = pick(rng, (140, 130, 118), (96, 84, 70), (176, 152, 116), (110, 74, 50), (70, 84, 50), (60, 50, 44))
        if rng.random() < 0.72:
            radii = rng.uniform(0.03, 0.11) * F([1.3, 1, 0.7]) * rng.uniform(0.8, 1.2, 3).astype(F)
            shape = Ellipsoid(at + vec(0, 0, 0.5 * radii[2]), radii, frame(rng.uniform(0, 360), rng.uniform(-9, 9)))
        else:
            r = rng.uniform(0.012, 0.035)
            along = unit(np.cross(at, vec(0, 0, 1))) + towards(rng.uniform(0, 360), 0) * F(0.4)
            shape = Cone(at + vec(0, 0, r), at + along * F(rng.uniform(0.3, 1.2)) + vec(0, 0, r), r, 0.7 * r)
        things.append((Part([shape], 0.01, "litter"), colour))
    return things


# ---------------------------------------------------------------- light


def lit(scene: Scene, shapes: list, p: np.ndarray) -> np.ndarray:
    """Share (n,) of the sun's disc that is seen from points p (3, n)."""
    share = np.ones(p.shape[1], F)
    for shape in shapes:
        gap, t = shape.clearance(p, scene.light)
        share *= ramp(-1, 1, gap / (scene.softness * t + 0.004))
    return share


def shadow_of(scene: Scene, shapes: list, p: np.ndarray) -> np.ndarray:
    """`lit`, worked out only where the sphere around the shapes can be in the way."""
    ends = np.stack([e for shape in shapes for e in shape.hull()[:2]])
    centre = (ends.min(0) + ends.max(0)) / 2
    radius = np.linalg.norm(ends - centre, axis=1).max() + 0.15
    gap, t = Ellipsoid(centre, np.full(3, radius, F)).clearance(p, scene.light)
    near = np.flatnonzero(gap < scene.softness * t)
    share = np.ones(p.shape[1], F)
    share[near] = lit(scene, shapes, p[:, near])
    return share


def crowding(shapes: list, p: np.ndarray) -> np.ndarray:
    """Share (n,) of the sky over ground points that these bodies leave open."""
    free = np.ones(p.shape[1], F)
    for shape in shapes:
        a, b, r = shape.hull()
        q = ((a + b) / 2)[:, None] - p
        d = length(q)
        free *= 1 - np.clip(1.1 * r * (r + 0.4 * np.linalg.norm(b - a)) * q[2] / d**3, 0, 0.75)
    return free


def develop(scene: Scene, light: np.ndarray) -> np.ndarray:
    """Linear light (3, n) to display values 0..1, on a film-like curve (Narkowicz's fit of ACES)."""
    grey = (GREY @ light)[None]
    x = np.maximum(mix(grey, light, scene.vivid), 0) * scene.exposure
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1) ** F(1 / 2.2)


def shrink(values: np.ndarray, h: int, w: int) -> np.ndarray:
    """(c, n) or (n,) values of a finer grid, averaged to (h, w, c)."""
    times = math.isqrt(values.shape[-1] // (h * w))
    return values.reshape(-1, h, times, w, times).mean((2, 4)).transpose(1, 2, 0)


def slope(direction, x, y, height, size: tuple[int, int]) -> np.ndarray:
    """How steeply `height` (n,) climbs towards `direction`; the ground places x, y fill a picture (h, w)."""
    (xi, xj), (yi, yj), (hi, hj) = (np.gradient(values.reshape(size)) for values in (x, y, height))
    area = xi * yj - xj * yi
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    climb = (direction[0] * (yj * hi - yi * hj) + direction[1] * (xi * hj - xj * hi)) / area
    return climb.reshape(-1).astype(F)


def defocus(picture: Image.Image, blur: np.ndarray) -> np.ndarray:
    """Display values (h, w, 3) of the picture, blurred by a Gaussian of `blur` (h, w) pixels."""
    sigmas = [0, 1, 2, 4, 8]
    levels = np.stack([np.asarray(picture.filter(ImageFilter.GaussianBlur(s)) if s else picture) for s in sigmas])
    place = np.interp(blur.clip(0, 7.99), sigmas, range(len(sigmas)))
    low = place.astype(int)
    rows, columns = np.indices(blur.shape)
    sharp, soft = levels[low, rows, columns], levels[low + 1, rows, columns]
    return (sharp + (soft - sharp.astype(F)) * (place - low)[..., None]) / F(255)


def paint_ground(rng, scene: Scene, shapes: list, blockers: list) -> tuple[np.ndarray, np.ndarray]:
    """The picture without the insect (h, w, 3), developed, blurred by distance; the mean albedo (3,)."""
    w, h = scene.width, scene.height
    y, x = (np.mgrid[0 : h * COARSE, 0 : w * COARSE].astype(F).reshape(2, -1) + F(0.5)) / COARSE
    rays = scene.camera.rays(x, y)
    eye = scene.camera.position
    t = np.where(rays[2] < -0.02, -eye[2] / np.minimum(rays[2], -0.02), 60).clip(0, 60).astype(F)
    p = eye[:, None] + rays * t
    foot = t / scene.camera.focal / np.maximum(-rays[2], 0.06) / F(COARSE)

    turn, zoom = frame(rng.uniform(0, 360)), F(rng.uniform(0.75, 1.4))
    noise = Noise(rng)
    surface = GROUNDS[rng.choice(len(GROUNDS), p=GROUND_ODDS)](rng, noise)

    u, v = turn[:2, :2] @ p[:2] * zoom + F(rng.uniform(-40, 40, (2, 1)))
    albedo, height = surface(u, v, foot * zoom)
    climb = slope(scene.light, p[0], p[1], height, (h * COARSE, w * COARSE)) / zoom
    facing = np.clip(scene.light[2] - rng.uniform(0.4, 1.2) * climb * ramp(0.3, 0.02, foot), 0.04, 1.3)
    mean = albedo[:, foot < 3 * foot.min()].mean(1)
    # what a photographer does: a calm ground, and one that the animal stands out from
    albedo = mix(mean, albedo, F(rng.uniform(0.35, 0.85)))
    apart = math.log(float(GREY @ mean) / float(GREY @ scene.colours["body"]))
    lighter = F(math.exp(math.copysign(max(math.log(2.5) - abs(apart), 0), apart)))
    albedo, mean = np.minimum(albedo * lighter, 0.9), np.minimum(mean * lighter, 0.9)

    bright = float((GREY * mean) @ (scene.sun * scene.light[2] + scene.sky))
    scene.exposure = F(0.62 * (0.45 / bright) ** 0.55)  # the camera meters the ground
    sun = scene.sun[:, None] * facing * shadow_of(scene, blockers, p)
    colour = albedo * (sun + scene.sky[:, None] * crowding(shapes, p))

    # far away, and beyond the edge of a leaf or stone, the ground dissolves into a backdrop
    backs = [(74, 92, 50), (110, 122, 84), (60, 58, 46), (134, 122, 98), (150, 160, 160), (44, 54, 40)]
    back = pick(rng, *backs)
    cloud = noise.octaves(x / h, y / h, 2.2, np.zeros_like(x), 3, 0.6)
    backdrop = 1.3 * back[:, None] * (1 + 0.55 * cloud) * (scene.sky + 0.35 * scene.sun)[:, None]
    gone = ramp(3.5, 11, t - np.linalg.norm(eye))
    if rng.random() < 0.3:
        edge = towards(rng.uniform(0, 360), 0)
        beyond = edge[0] * p[0] + edge[1] * p[1] - rng.uniform(0.75, 1.5) + 0.12 * noise.value(p[0] * 2, p[1] * 2)
        gone = np.maximum(gone, ramp(0, 0.06, beyond))
    colour = mix(colour, backdrop, gone)

    picture = Image.fromarray((shrink(develop(scene, colour), h, w) * 255 + 0.5).astype(np.uint8))
    depth = np.abs(t - np.linalg.norm(eye - vec(0, 0, 0.1)))
    blur = rng.uniform(1, 4) * np.maximum(depth - 0.35, 0) + 4 * gone
    return defocus(picture, shrink(blur, h, w)[..., 0] * h / 180), mean


# ---------------------------------------------------------------- the insect's picture


def rays_near(camera: Camera, part: Part, size: tuple[int, int]) -> np.ndarray:
    """Flat indices of the pixels of a picture (h, w) whose rays can meet the part."""
    h, w = size
    mask = np.zeros(size, bool)
    for a, b, r in (shape.hull() for shape in part.shapes):
        (xa, xb), (ya, yb), depth = camera.project(np.stack([a, b], 1))
        reach = (r + part.blend / 4) * camera.focal / (depth.min() - r) * 1.03 + 1
        x0, x1 = int(max(min(xa, xb) - reach, 0)), int(min(max(xa, xb) + reach + 1, w))
        y0, y1 = int(max(min(ya, yb) - reach, 0)), int(min(max(ya, yb) + reach + 1, h))
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = (
            np.arange(x0, x1, dtype=F)[None] + F(0.5) - xa,
            np.arange(y0, y1, dtype=F)[:, None] + F(0.5) - ya,
        )
        ux, uy = xb - xa, yb - ya
        s = np.clip((x * ux + y * uy) / (ux * ux + uy * uy + 1e-6), 0, 1)
        mask[y0:y1, x0:x1] |= (x - s * ux) ** 2 + (y - s * uy) ** 2 < reach * reach
    return np.flatnonzero(mask)


def march(part: Part, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Distance (n,) along the rays (3, n) to the part, inf where they miss it."""
    middle = (part.centre - eye) @ rays
    t, found = middle - F(part.radius), np.full(rays.shape[1], np.inf, F)
    live, end = np.arange(rays.shape[1]), middle + F(part.radius)
    for _ in range(40):
        d = part.distance(eye[:, None] + rays * t)
        hit = d < SEPARATE
        found[live[hit]] = t[hit]
        t = t + d
        go = ~hit & (t < end)
        live, rays, t, end = live[go], rays[:, go], t[go], end[go]
        if not len(live):
            break
    return found


def skin(scene: Scene, insect: Insect, part: Part, noise: Noise, p, n) -> tuple[np.ndarray, np.ndarray, float]:
    """Albedo (3, n), bent normals (3, n) and gloss of an insect's part at its surface points."""
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
    a = insect.abdomen
    along = (a.axes[0] @ p - a.axes[0] @ a.centre) / a.radii[0]
    ring = (along + 1) / 2 * scene.bands + 0.08 * grain
    phase = ring - np.floor(ring)
    seam = behind * ramp(0.1, 0.02, np.minimum(phase, 1 - phase))
    band = behind * insect.stripes * ramp(0.34, 0.6, phase) * ramp(1.02, 0.9, phase) * (0.85 + 0.2 * grain)
    ahead = share[tags == HEAD].sum(0)
    albedo = mix(mix(mix(c["body"], c["head"], ahead), c["abdomen"], behind), c["band"], band)
    albedo = albedo * (1 + 0.2 * grain) * (1 - 0.5 * seam)
    # every ring overlaps the next one, like roof tiles
    n = unit(n + a.axes[0][:, None] * behind * 0.22 * (0.5 - phase) + 0.05 * grain)
    return albedo, n, scene.gloss


def shade(scene: Scene, p, n, view, albedo, gloss: float, shapes: list, floor: np.ndarray) -> np.ndarray:
    """Light (3, n) that points p with normals n send along -view (3, n)."""
    to_sun = scene.light @ n
    seen = lit(scene, shapes, p + n * F(0.012))
    facing = np.clip((to_sun + 0.12) / 1.12, 0, 1) * seen
    open_sky = ramp(-0.02, 0.22, p[2])
    up = 0.5 + 0.5 * n[2]
    ground = floor * (scene.sky * 0.4 + scene.sun * 0.32)
    ambient = scene.sky[:, None] * up * (0.45 + 0.55 * open_sky) + ground[:, None] * (1 - up) * open_sky
    colour = albedo * (scene.sun[:, None] * facing + ambient)
    # a shiny cuticle mirrors the sky, the ground and a broad sun
    cosine = np.clip(-np.einsum("in,in->n", n, view), 0, 1)
    mirror = view + 2 * cosine * n
    fresnel = (0.045 + 0.5 * (1 - cosine) ** 5) * gloss
    sky = mix(ground[:, None], scene.sky[:, None] * 1.5, ramp(-0.15, 0.35, mirror[2]))
    sun = np.clip(scene.light @ mirror, 0, 1)
    glint = (sun ** (12 + 70 * gloss)) * (0.25 + 1.6 * gloss) + 0.12 * sun**6
    return colour + sky * fresnel + scene.sun[:, None] * glint * seen * gloss * 0.35


def comb(rng, scene, insect, fine: Camera, picture, alpha, depth, shapes, floor) -> None:
    """Draw the hairs whose roots `depth` shows, on `picture` and its `alpha` (PIL, of the fine scale)."""
    h, w = depth.shape
    roots, normals, tags = [], [], []
    for shape in insect.parts[0].shapes:
        if isinstance(shape, Ellipsoid):
            radii = np.sort(shape.radii)
            count = int(insect.fuzz[shape.tag] * 80000 * radii[1] * radii[2])
            d = unit(rng.normal(size=(3, count)).astype(F))
            roots.append(shape.axes.T @ (d * shape.radii[:, None]) + shape.centre[:, None])
            normals.append(unit(shape.axes.T @ (d / shape.radii[:, None])))
            tags += [shape.tag] * count
    p, n, tags = np.concatenate(roots, 1), np.concatenate(normals, 1), np.array(tags)
    if not len(tags):
        return
    lean = rng.normal(0, 0.35, p.shape).astype(F) + vec(-0.45, 0, -0.12)[:, None]
    tip = p + unit(n + lean) * (insect.hair * rng.uniform(0.5, 1.15, len(tags)).astype(F))
    tone = rng.uniform(0.75, 1.2, len(tags)).astype(F)
    x, y, _ = fine.project(p)
    u, v, _ = fine.project(tip)
    ray = p - fine.position[:, None]
    away = length(ray)
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    surface = depth[np.where(inside, y, 0).astype(int), np.where(inside, x, 0).astype(int)]
    shown = np.flatnonzero(inside & (away < surface + 0.02) & np.isfinite(surface))
    shown = shown[np.argsort(-away[shown])]
    p, n, tags, ray = p[:, shown], n[:, shown], tags[shown], ray[:, shown] / away[shown]
    a = insect.abdomen
    ring = ((a.axes[0] @ p - a.axes[0] @ a.centre) / a.radii[0] + 1) / 2 * scene.bands
    dark = (tags == ABDOMEN) & (insect.stripes > 0) & (ring % 1 < 0.45)
    fair = mix(scene.colours["hair"], scene.colours["body"], F(0.25))
    albedo = mix(fair, scene.colours["abdomen"] * F(0.6), dark.astype(F) * insect.stripes)
    light = shade(scene, p, unit(n + vec(0, 0, 0.25)[:, None]), ray, albedo * tone[shown], 0.05, shapes, floor)
    colours = (develop(scene, light).T * 255).astype(int)
    brush, cover = ImageDraw.Draw(picture), ImageDraw.Draw(alpha)
    for i, c in zip(shown, colours, strict=True):
        line = (float(x[i]), float(y[i]), float(u[i]), float(v[i]))
        brush.line(line, fill=tuple(c))
        cover.line(line, fill=255)


# veins in wing coordinates: (u, s) along the span and across, 0 the leading and 1 the trailing edge
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


def paint_insect(rng, scene: Scene, insect: Insect, trash: list, floor) -> tuple[np.ndarray, np.ndarray]:
    """The insect and the litter: display values (h, w, 3) times opacity, and the opacity (h, w, 1)."""
    h, w = scene.height * FINE, scene.width * FINE
    camera = scene.camera
    fine = Camera(camera.position, camera.axes, camera.focal * FINE, tuple(FINE * s for s in camera.shift))
    y, x = np.mgrid[0:h, 0:w].astype(F).reshape(2, -1) + F(0.5)
    parts = insect.parts + [part for part, _ in trash]
    shapes = [shape for part in parts for shape in part.shapes]
    noise = Noise(rng)

    depth, owner = np.full(h * w, np.inf, F), np.full(h * w, -1, np.int16)
    for number, part in enumerate(parts):
        where = rays_near(fine, part, (h, w))
        t = march(part, fine.position, fine.rays(x[where], y[where]))
        nearer = t < depth[where]
        depth[where[nearer]], owner[where[nearer]] = t[nearer], number

    colour, cover = np.zeros((3, h * w), F), (owner >= 0).astype(F)
    for number, part in enumerate(parts):
        where = np.flatnonzero(owner == number)
        if not len(where):
            continue
        rays = fine.rays(x[where], y[where])
        p = fine.position[:, None] + rays * depth[where]
        n = part.normal(p)
        if part.skin == "litter":
            grain = noise.octaves(p[0] * 12 + 5 * p[2], p[1] * 12 - 4 * p[2], 1, np.zeros_like(p[0]), 4, 0.7)
            albedo, gloss = trash[number - len(insect.parts)][1][:, None] * (1 + 0.35 * grain), 0.08
        else:
            albedo, n, gloss = skin(scene, insect, part, noise, p, n)
        colour[:, where] = develop(scene, shade(scene, p, n, rays, albedo, gloss, shapes, floor))

    picture = Image.fromarray((colour.T.reshape(h, w, 3) * 255 + 0.5).astype(np.uint8))
    alpha = Image.fromarray((cover.reshape(h, w) * 255).astype(np.uint8))
    comb(rng, scene, insect, fine, picture, alpha, depth.reshape(h, w), shapes, floor)
    colour = np.asarray(picture, F).reshape(-1, 3).T / 255
    cover = np.asarray(alpha, F).reshape(-1) / 255
    colour = colour * cover

    for wing in insect.wings:
        outline = [wing.root + wing.axes[0] * F(k * wing.span) for k in (0.05, 0.95)]
        where = rays_near(fine, Part([Cone(*outline, 0.75 * wing.width, 0.75 * wing.width)], 0.01, "wing"), (h, w))
        t, light, opacity = glaze(scene, wing, fine.position, fine.rays(x[where], y[where]))
        opacity = np.where(t < depth[where] + 0.01, opacity, 0)
        colour[:, where] = mix(colour[:, where], develop(scene, light), opacity)
        cover[where] += (1 - cover[where]) * opacity

    return shrink(colour, scene.height, scene.width), shrink(cover, scene.height, scene.width)


def grass(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Out-of-focus blades in front of the lens, on about a third of the pictures."""
    w, h = picture.size
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.66, 0.17, 0.11, 0.06]))):
        colour = pick(rng, (96, 124, 52), (70, 98, 48), (150, 146, 84), (124, 140, 70), (178, 160, 110))
        foot = rng.choice([rng.uniform(-0.1, 0.3), rng.uniform(0.7, 1.1)]) * w
        top = foot + rng.normal(0, 0.3) * w
        thick, bow = rng.uniform(0.012, 0.035) * max(w, h), rng.normal(0, 0.12) * w
        k = np.linspace(0, 1, 24)
        reach = rng.uniform(0.7, 1.15)
        x, y = foot + (top - foot) * k + bow * np.sin(np.pi * k), h * (1.02 - reach * k)
        half = thick * (1 - 0.9 * k**2) / 2
        mask, shine = Image.new("L", (w * 2, h * 2)), Image.new("L", (w * 2, h * 2))
        left, ridge, right = (np.stack([2 * at, 2 * y], 1) for at in (x - half, x, x + half))
        ImageDraw.Draw(mask).polygon(np.concatenate([left, right[::-1]]).ravel().tolist(), fill=230)
        ImageDraw.Draw(shine).polygon(np.concatenate([left, ridge[::-1]]).ravel().tolist(), fill=70)
        blur = ImageFilter.GaussianBlur(rng.uniform(0.8, 4.5))
        mask, shine = (m.filter(blur).resize((w, h), Image.Resampling.BOX) for m in (mask, shine))
        picture.paste(tuple(int(255 * c ** (1 / 2.2)) for c in colour), mask=mask)
        picture.paste((240, 244, 210), mask=shine)
    return picture


def render(seed: int, label: str) -> Image.Image:
    """The picture (RGB) of this seed with an ant (`label` "ants") or a bee ("bees") in it."""
    makers = {"ants": ant, "bees": bee}
    if label not in makers:
        raise ValueError(f"label is {label!r}; it can be {' or '.join(makers)}")
    # one stream for each subject: a change of anatomy must not move the rest of the scene
    scene_rng, insect_rng, trash_rng, ground_rng, skin_rng, lens_rng = (
        np.random.default_rng([seed, stream]) for stream in range(6)
    )
    scene = draw_scene(scene_rng)
    insect = makers[label](insect_rng)
    trash = litter(trash_rng)
    bulk = insect.parts[0].shapes
    blockers = [shape for part in insect.parts + [part for part, _ in trash] for shape in part.shapes]
    ground, floor = paint_ground(ground_rng, scene, bulk, blockers)
    colour, cover = paint_insect(skin_rng, scene, insect, trash, floor)
    picture = ground * (1 - cover) + colour

    h, w = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    picture = picture * (1 - lens_rng.uniform(0, 0.2) * (x * x + y * y) / 2)[..., None]
    picture = Image.fromarray((picture * 255 + 0.5).clip(0, 255).astype(np.uint8))
    picture = grass(lens_rng, picture).filter(ImageFilter.GaussianBlur(lens_rng.uniform(0, 0.5)))
    grain = lens_rng.normal(0, lens_rng.uniform(0.5, 3), (h, w, 1))
    return Image.fromarray((np.asarray(picture) + grain + 0.5).clip(0, 255).astype(np.uint8))


# ---------------------------------------------------------------- the set


def encode(picture: Image.Image) -> bytes:
    """The picture as the JPEG file that is committed."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def plan() -> list[tuple[str, str, int]]:
    """(split, label, seed) of every picture; the seeds count up, so no two pictures share one."""
    places = [(split, label) for split, labels in COUNTS.items() for label, n in labels.items() for _ in range(n)]
    return [(split, label, seed) for seed, (split, label) in enumerate(places)]


def write(job: tuple[Path, str, int]) -> None:
    path, label, seed = job
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(render(seed, label)))


def write_strip(path: Path, folder: Path) -> None:
    """Rows of square cuts from the train split, evenly spread over the files."""
    sheet = Image.new("RGB", (STRIP_SIDE * max(n for _, n in STRIP), STRIP_SIDE * len(STRIP)))
    for row, (label, count) in enumerate(STRIP):
        files = sorted((folder / "train" / label).glob("*.jpg"))
        for column in range(count):
            with Image.open(files[column * len(files) // count]) as picture:
                side = min(picture.size)
                left, top = (picture.width - side) // 2, (picture.height - side) // 2
                cut = picture.crop((left, top, left + side, top + side)).resize((STRIP_SIDE, STRIP_SIDE))
            sheet.paste(cut, (column * STRIP_SIDE, row * STRIP_SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=90)


def main() -> None:
    here = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=here / "insects")
    parser.add_argument("--strip", type=Path, help="also write a strip of twelve pictures here")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    jobs = [(args.out / split / label / f"{label}_{seed:06d}.jpg", label, seed) for split, label, seed in plan()]
    with ProcessPoolExecutor(args.workers) as pool:
        for _ in tqdm(pool.map(write, jobs, chunksize=4), total=len(jobs), desc="insects"):
            pass
    if args.strip:
        write_strip(args.strip, args.out)


if __name__ == "__main__":
    main()
