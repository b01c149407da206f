"""Vectors, smooth steps and rotations. Points are arrays (3, n), angles are in degrees."""

import math

import numpy as np

F = np.float32


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
