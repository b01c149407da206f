"""Signed-distance bodies: ellipsoids and tapered capsules, joined by a smooth minimum."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from recipes.renderer.mathematics import F, length, unit


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
