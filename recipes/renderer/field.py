"""Scenes for animals that are photographed in the field, once or as a series: place, light, coat and views.

Place, light and views are drawn without a look at the label. Of the colours each class has a
tendency of its own, as in nature, but every class wears nearly all of them.
"""

from dataclasses import dataclass, replace

import numpy as np

from recipes.renderer.camera import Camera, aim
from recipes.renderer.colours import vary
from recipes.renderer.grounds import BUILT, NATURAL
from recipes.renderer.mathematics import F, towards, vec
from recipes.renderer.scene import BANDS, CUTICLE, CUTICLE_ODDS, HAIRS, Scene

LONG_SIDE = 256  # pixels
RAYS = (2, 1)  # per pixel and axis, for the animal and for the ground
TENDENCY = 0.55  # how often a class wears colours of its own instead of anyone's


@dataclass
class Coat:
    """sRGB colours that a class prefers, and its gloss."""

    body: list
    abdomen: list
    band: list
    limb: list
    gloss: tuple[float, float]


BLACK, BROWN, GOLD, AMBER = (24, 20, 20), (64, 42, 30), (222, 168, 50), (190, 120, 44)
COATS = {
    "ants": Coat(
        [BLACK, BROWN, (120, 56, 34)], [BLACK, BROWN, (96, 50, 30)], BANDS, [BROWN, (130, 74, 44)], (0.3, 0.9)
    ),
    "bees": Coat([BROWN, BLACK], [BROWN, BLACK, (120, 74, 34)], [GOLD, AMBER, (226, 206, 150)], [BROWN], (0.2, 0.7)),
    "beetles": Coat(
        [BLACK, (44, 84, 56), (38, 58, 92), BROWN, (96, 60, 36)],
        [(186, 44, 28), (52, 116, 60), (40, 70, 120), BLACK, (112, 66, 36), (196, 110, 36), (120, 96, 50)],
        [BLACK, GOLD, (226, 220, 200), (200, 80, 36)],
        [BLACK, BROWN],
        (0.7, 1.2),
    ),
    "butterflies": Coat([BLACK, BROWN, (90, 76, 60)], [BROWN, (90, 76, 60)], BANDS, [BLACK, BROWN], (0.1, 0.3)),
    "spiders": Coat(
        [BROWN, (110, 84, 56), (120, 110, 96), (150, 104, 60)],
        [(120, 92, 62), (150, 130, 100), (96, 72, 52), (170, 120, 60), (200, 196, 150)],
        [(40, 30, 26), (228, 220, 200), (70, 50, 36)],
        [(120, 90, 60), BROWN, (160, 120, 76)],
        (0.1, 0.5),
    ),
    "wasps": Coat(
        [BLACK, (36, 28, 24)],
        [BLACK, (36, 28, 24)],
        [(230, 190, 40), GOLD, (236, 216, 120)],
        [GOLD, AMBER, BLACK],
        (0.5, 1),
    ),
}


def draw_coat(rng: np.random.Generator, label: str) -> tuple[dict[str, np.ndarray], float, int]:
    """Colours, gloss and the number of rings of an individual."""
    coat = COATS[label]

    def choose(own: list, anyones: list, odds=None) -> np.ndarray:
        colours, odds = (own, None) if rng.random() < TENDENCY else (anyones, odds)
        return vary(rng, colours[rng.choice(len(colours), p=odds)])

    body = choose(coat.body, CUTICLE, CUTICLE_ODDS)
    abdomen = choose(coat.abdomen, CUTICLE, CUTICLE_ODDS) if rng.random() < 0.7 else body * F(rng.uniform(0.7, 1.2))
    limb = choose(coat.limb, CUTICLE, CUTICLE_ODDS) if rng.random() < 0.4 else body * F(rng.uniform(0.55, 1.3))
    colours = {
        "body": body,
        "abdomen": abdomen,
        "limb": limb,
        "head": body * F(rng.uniform(0.55, 1.25)),
        "band": choose(coat.band, BANDS),
        "hair": vary(rng, HAIRS[rng.integers(len(HAIRS))]),
        "eye": vary(rng, [(18, 14, 14), (48, 22, 18), (30, 34, 30)][rng.integers(3)]),
        "pollen": vary(rng, [(224, 160, 40), (214, 120, 30), (220, 206, 120)][rng.integers(3)]),
        "wing": vary(rng, [(224, 220, 206), (200, 172, 120), (120, 104, 84)][rng.choice(3, p=[0.5, 0.3, 0.2])]),
    }
    return colours, rng.uniform(*coat.gloss), int(rng.integers(4, 7))


@dataclass(frozen=True)
class View:
    """Where the camera stands and what it makes of the animal. Angles in degrees, places in shares of the frame."""

    azimuth: float
    elevation: float
    roll: float
    away: float
    size: float  # the animal's length in shares of the short side
    place: tuple[float, float]

    def moved(self, rng: np.random.Generator) -> "View":
        """The view of the next picture of a series: the photographer has walked a little around the animal."""
        return replace(
            self,
            azimuth=self.azimuth + rng.choice([-1, 1]) * rng.uniform(15, 70),
            elevation=float(np.clip(self.elevation + rng.normal(0, 10), 22, 84)),
            roll=rng.normal(0, 7),
            size=self.size * rng.uniform(0.85, 1.18),
            place=tuple(rng.normal(0, 0.06, 2)),
        )

    def camera(self, width: int, height: int) -> Camera:
        focal = self.size * min(width, height) * self.away
        shift = (width * (0.5 + self.place[0]), height * (0.5 + self.place[1]))
        return aim(self.azimuth, self.elevation, self.roll, self.away, focal, shift)


def draw_view(rng: np.random.Generator) -> View:
    place = rng.normal(0, 0.05, 2)
    if rng.random() < 0.08:  # partly out of the frame
        place[rng.integers(2)] += rng.choice([-1, 1]) * rng.uniform(0.15, 0.25)
    return View(
        azimuth=rng.uniform(0, 360),
        elevation=22 + 62 * rng.beta(2.2, 2),
        roll=rng.normal(0, 8),
        away=rng.uniform(2.4, 5.5),
        size=rng.uniform(0.5, 0.86),
        place=tuple(place),
    )


def draw_field(rng: np.random.Generator, coat: tuple, shifted: bool) -> tuple[Scene, View]:
    """An individual's place and light, with the first view of it.

    `shifted` has grounds that are built by people, a low, hard sun, smaller animals and a hand that shakes.
    """
    short = round(LONG_SIDE / rng.choice([1, 1.2, 1.33], p=[0.25, 0.4, 0.35]))
    width, height = (LONG_SIDE, short) if rng.random() < 0.6 else (short, LONG_SIDE)
    view = draw_view(rng)
    warmth = rng.uniform(-0.12, 0.2)
    sun = rng.uniform(1.2, 3.0) * vec(1 + warmth, 1, 1 - warmth)
    sky = rng.uniform(0.45, 0.95) * vec(1 - 0.5 * warmth, 1, 1.08 + 0.5 * warmth)
    light, softness = towards(rng.uniform(0, 360), rng.uniform(26, 72)), rng.uniform(0.03, 0.25)
    vivid = rng.uniform(0.6, 0.92)
    colours, gloss, bands = coat
    scene = Scene(
        width,
        height,
        view.camera(width, height),
        light,
        sun,
        sky,
        softness,
        colours,
        gloss,
        bands,
        vivid,
        NATURAL,
        rays=RAYS,
    )
    if shifted:
        view = replace(view, size=view.size * 0.75)
        angle, pixels = rng.uniform(0, 2 * np.pi), rng.uniform(2, 5)
        scene = replace(
            scene,
            camera=view.camera(width, height),
            light=towards(rng.uniform(0, 360), rng.uniform(16, 34)),
            sun=sun * F(1.7),
            sky=sky * F(0.5),
            softness=0.02,
            grounds=BUILT,
            motion=(pixels * np.cos(angle), pixels * np.sin(angle)),
        )
    return scene, view
