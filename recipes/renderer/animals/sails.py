"""Butterflies' wings: flat, opaque, patterned, the same on both sides of the body.

A wing is described in polar coordinates around its root, as its veins run: `angle` in degrees from the
span towards the head, and `reach`, the distance over the wing's outline in that direction (0 root, 1 margin).
"""

from dataclasses import dataclass

import numpy as np

from recipes.renderer.mathematics import F, length, mix, ramp

ANGLES = np.arange(-180, 180, dtype=F)  # where an outline is tabulated


def smooth_outline(corners: list[tuple[float, float]], width: float = 4) -> np.ndarray:
    """A table (360,) of distances over ANGLES, through (angle, distance) corners, rounded over `width` degrees."""
    angles, distances = zip(*sorted(corners), strict=True)
    table = np.interp(ANGLES, angles, distances, left=0, right=0)
    kernel = np.exp(-((np.arange(-20, 21) / width) ** 2) / 2)
    return np.convolve(table, kernel / kernel.sum(), "same").astype(F)


@dataclass
class Pattern:
    """What both wings of a pair wear. Colours are linear RGB (3,); angles in degrees."""

    ground: np.ndarray
    root: np.ndarray  # colour near the body
    dark: np.ndarray  # of margin and veins
    light: np.ndarray  # of spots and bands
    under: np.ndarray  # colour of the underside
    veins: np.ndarray  # angles
    vein: float  # their width
    margin: float  # reach at which the dark margin begins
    tip: float  # angle above which the margin is broad; 180 for none
    spots: float  # 0..1, strength of the light spots along the margin
    band: tuple[float, float, float]  # reach where the light band begins and ends, and its strength
    eyes: list[tuple[float, float, float]]  # eyespots: distance from the root, angle, radius

    def albedo(self, angle, reach, far, grain, above) -> np.ndarray:
        """Colours (3, n) at angle, reach and distance `far` from the root, all (n,).

        `grain` is a fine noise (n,), `above` (n,) tells the upper from the lower side.
        """
        wavy = reach + 0.02 * grain
        colour = mix(self.root, self.ground, ramp(0.05, 0.45, wavy))
        colour = mix(colour, self.under[:, None] * (1 + 0.5 * grain), np.where(above, 0, 0.75))
        low, high, strength = self.band
        colour = mix(colour, self.light, strength * ramp(low, low + 0.03, wavy) * ramp(high, high - 0.03, wavy))
        off = np.abs(angle[:, None] - self.veins).min(1)
        vein = ramp(1.0, 0.4, np.radians(off) * reach / self.vein)
        colour = mix(colour, self.dark, 0.85 * vein)
        edge = self.margin - 0.3 * ramp(self.tip - 8, self.tip + 8, angle)
        colour = mix(colour, self.dark, 0.93 * ramp(edge, edge + 0.05, wavy + 0.015 * np.cos(np.radians(off) * 9)))
        if len(self.veins) > 1 and self.spots:
            cells = (self.veins[1:] + self.veins[:-1]) / 2
            away = np.radians(np.abs(angle[:, None] - cells).min(1)) * reach
            spot = np.hypot(away, reach - 0.92)
            colour = mix(colour, self.light, self.spots * ramp(0.038, 0.024, spot))
        for at, turn, radius in self.eyes:
            off = np.radians(angle - turn)
            ring = np.hypot(far * np.cos(off) - at, far * np.sin(off)) / radius
            colour = mix(colour, self.light, ramp(1.3, 1.15, ring))
            colour = mix(colour, self.dark, ramp(1.02, 0.9, ring))
            colour = mix(colour, self.light, 0.9 * ramp(0.38, 0.26, ring))
        return colour * (1 + 0.12 * grain)


@dataclass
class Sail:
    """One wing: `axes` rows are span, chord (towards the head) and normal (up); `outline` over ANGLES, in lengths."""

    root: np.ndarray
    axes: np.ndarray
    outline: np.ndarray
    pattern: Pattern

    def polar(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Angle, reach and distance from the root of points (3, n) of the wing's plane."""
        d = q - self.root[:, None]
        u, v = self.axes[0] @ d, self.axes[1] @ d
        angle = np.degrees(np.arctan2(v, u))
        edge = np.interp(angle, ANGLES, self.outline)
        far = np.hypot(u, v)
        return angle, far / np.maximum(edge, 1e-3), far

    def hull(self) -> tuple[np.ndarray, np.ndarray, float]:
        """A capsule (end, end, radius) around it."""
        middle = float(np.average(ANGLES, weights=self.outline**2))
        a = np.radians(middle)
        span = float(self.outline.max())
        tip = self.root + (self.axes[0] * np.cos(a) + self.axes[1] * np.sin(a)) * F(span * 0.8)
        return self.root, tip.astype(F), 0.55 * span

    def clearance(self, p: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the rays from p to the light pass it by, and how far from p that is."""
        slope = float(self.axes[2] @ light)
        t = (self.axes[2] @ (self.root[:, None] - p)) / (slope if abs(slope) > 1e-3 else 1e-3)
        _, reach, far = self.polar(p + light[:, None] * t)
        gap = far * (1 - 1 / np.maximum(reach, 1e-3))
        return np.where(t > 0.004, gap, 9).astype(F), np.maximum(t, 0).astype(F)

    def meet(self, eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Distance (n,) along the rays (3, n), inf where they miss the wing, and `polar` where they meet it."""
        slope = self.axes[2] @ rays
        t = ((self.root - eye) @ self.axes[2]) / np.where(np.abs(slope) < 1e-4, F(1e-4), slope)
        angle, reach, far = self.polar(eye[:, None] + rays * t)
        return np.where((reach < 1) & (t > 0), t, np.inf).astype(F), angle, reach, far

    def relief(self, angle: np.ndarray, reach: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Normals (3, n) on the side that is seen along the rays view (3, n): the wing is ribbed by its veins."""
        rib = np.sin(np.radians(angle) * 22) * 0.12 * ramp(0.1, 0.5, reach)
        n = self.axes[2][:, None] + self.axes[1][:, None] * rib + self.axes[0][:, None] * (0.25 * (reach - 0.6))
        n = n / length(n)
        return np.where(np.einsum("in,in->n", n, view) > 0, -n, n)
