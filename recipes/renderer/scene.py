"""What does not depend on the animal: frame, camera, light and colours."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recipes.renderer.camera import Camera, aim
from recipes.renderer.colours import vary
from recipes.renderer.grounds import NATURAL
from recipes.renderer.mathematics import F, towards, vec


@dataclass
class Scene:
    """All that does not depend on the animal."""

    width: int
    height: int
    camera: Camera
    light: np.ndarray  # towards the sun
    sun: np.ndarray
    sky: np.ndarray
    softness: float  # of the shadows: the sun's apparent radius
    colours: dict[str, np.ndarray]  # of the animal; the ground keeps apart from "subject"
    gloss: float
    bands: int
    vivid: float  # saturation of the film
    grounds: dict[Callable, float] = field(default_factory=lambda: NATURAL)  # with their odds
    motion: tuple[float, float] = (0.0, 0.0)  # of the camera while the shutter was open, in pixels
    rays: tuple[int, int] = (3, 2)  # per pixel and axis, for the animal and for the ground
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


def draw_scene(rng: np.random.Generator) -> Scene:
    short = int(rng.integers(140, 191))
    long = min(int(short * rng.choice([1, 1.2, 1.33, 1.5])), 260)
    width, height = (long, short) if rng.random() < 0.6 else (short, long)

    azimuth, elevation = rng.uniform(0, 360), 90 * rng.beta(2.6, 2.4) * 0.82 + 12
    away = rng.uniform(2.4, 5.5)
    roll = rng.normal(0, 7)
    forward = -towards(azimuth, elevation)
    seen = max(math.sqrt(1 - float(forward[0]) ** 2), 0.62)  # share of the length that is not foreshortened
    focal = rng.uniform(0.5, 0.84) * short * away / seen
    place = rng.normal(0, 0.055, 2)
    if rng.random() < 0.07:  # partly out of the frame
        place[rng.integers(2)] += rng.choice([-1, 1]) * rng.uniform(0.15, 0.25)
    shift = (width * (0.5 + place[0]), height * (0.5 + place[1]))
    camera = aim(azimuth, elevation, roll, away, focal, shift)

    warmth = rng.uniform(-0.12, 0.2)
    sun = rng.uniform(1.2, 3.0) * vec(1 + warmth, 1, 1 - warmth)
    sky = rng.uniform(0.45, 0.95) * vec(1 - 0.5 * warmth, 1, 1.08 + 0.5 * warmth)
    base, other = (CUTICLE[i] for i in rng.choice(len(CUTICLE), 2, p=CUTICLE_ODDS))
    body = vary(rng, base)
    colours = {
        "subject": body,
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
