"""A butterfly: four large patterned wings, a slender body, antennae that end in clubs, a coiled tongue."""

import math

import numpy as np

from recipes.renderer.animals.anatomy import ABDOMEN, HEAD, THORAX, Animal, both, leg
from recipes.renderer.animals.sails import Pattern, Sail, smooth_outline
from recipes.renderer.colours import pick, vary
from recipes.renderer.mathematics import F, frame, towards, unit, vec
from recipes.renderer.shapes import Ellipsoid, Part, chain

GROUNDS = [
    (218, 120, 34),  # orange
    (232, 228, 210),  # white
    (226, 196, 70),  # yellow
    (72, 104, 178),  # blue
    (122, 82, 48),  # brown
    (58, 42, 36),  # dark
    (186, 70, 40),  # red
    (200, 164, 112),  # sandy
]
GROUND_ODDS = [0.2, 0.16, 0.12, 0.12, 0.14, 0.1, 0.06, 0.1]
LIGHTS = [(240, 234, 214), (236, 196, 96), (220, 120, 50), (150, 180, 220)]
FORE_VEINS = np.array([50, 39, 29, 19, 9, -1, -12, -24], F)
HIND_VEINS = np.array([18, 2, -14, -30, -46, -62, -78], F)


def draw_pattern(rng: np.random.Generator) -> tuple[Pattern, Pattern]:
    """What the fore and the hind wings wear: colours in common, eyespots and margins of their own."""
    ground = vary(rng, GROUNDS[rng.choice(len(GROUNDS), p=GROUND_ODDS)])
    dark = pick(rng, (26, 20, 20), (48, 34, 28), (84, 58, 40))
    light = pick(rng, *LIGHTS)
    if rng.random() < 0.2:
        dark, light = dark, ground * F(0.3) + light * F(0.7)
    root = ground * F(rng.uniform(0.35, 1))
    under = pick(rng, (150, 120, 84), (190, 176, 140), (110, 92, 76), (160, 150, 110))
    vein = rng.choice([rng.uniform(0.004, 0.008), rng.uniform(0.014, 0.024)], p=[0.65, 0.35])
    margin = rng.uniform(0.76, 0.95)
    spots = float(rng.choice([0, rng.uniform(0.5, 1)]))
    band = float(rng.choice([0, rng.uniform(0.5, 1)], p=[0.6, 0.4]))
    low = rng.uniform(0.45, 0.62)
    eyed = rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])  # none, fore wings, hind wings, both
    size = rng.uniform(0.09, 0.16)
    fore_eyes = [(rng.uniform(0.32, 0.38), rng.uniform(22, 36), 0.4 * size)] if eyed in (1, 3) else []
    hind_eyes = [(rng.uniform(0.23, 0.28), rng.uniform(-40, -4), 0.45 * size)] if eyed in (2, 3) else []
    tip = rng.choice([180, rng.uniform(26, 40)], p=[0.55, 0.45])
    shared = {
        "ground": ground,
        "root": root,
        "dark": dark,
        "light": light,
        "under": under,
        "vein": vein,
        "spots": spots,
    }
    fore = Pattern(
        **shared,
        veins=FORE_VEINS,
        margin=margin,
        tip=tip,
        band=(low, low + rng.uniform(0.08, 0.2), band),
        eyes=fore_eyes,
    )
    low += 0.04
    hind = Pattern(
        **shared,
        veins=HIND_VEINS,
        margin=margin,
        tip=180,
        band=(low, low + rng.uniform(0.08, 0.2), band),
        eyes=hind_eyes,
    )
    return fore, hind


def outlines(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fore and hind wing, in lengths: pointed or blunt tips, sometimes scalloped, sometimes with tails."""
    point, full = rng.uniform(0.9, 1.06), rng.uniform(0.92, 1.1)
    fore = [(62, 0), (57, 0.3), (52, 0.62), (46, 0.9 * point), (39, 1.0 * point), (31, 0.97), (18, 0.84 * full)]
    fore += [(2, 0.74 * full), (-12, 0.7 * full), (-24, 0.62), (-34, 0.42), (-42, 0.16), (-48, 0)]
    hind = [(50, 0), (42, 0.3), (30, 0.58), (14, 0.68 * full), (-4, 0.72 * full), (-24, 0.76 * full)]
    hind += [(-44, 0.76 * full), (-60, 0.7), (-74, 0.58), (-88, 0.4), (-98, 0.16), (-104, 0)]
    fore, hind = (smooth_outline(corners) for corners in (fore, hind))
    wave = rng.choice([0, rng.uniform(0.01, 0.035)])
    degrees = np.arange(-180, 180)
    fore, hind = (
        fore * (1 + 0.6 * wave * np.cos(np.radians(degrees) * 36)),
        hind * (1 + wave * np.cos(np.radians(degrees + 6) * 22.5)),
    )
    if rng.random() < 0.2:
        hind = hind + 0.3 * np.exp(-(((degrees + 52) / 4.5) ** 2))
    span = rng.uniform(0.5, 0.56)
    return (fore * span).astype(F), (hind * span).astype(F)


def butterfly(rng: np.random.Generator) -> Animal:
    high = rng.uniform(0.13, 0.19)
    yaw = rng.uniform(-8, 8)
    head_at, skull = vec(0.185, 0, high + 0.005), frame(yaw, rng.uniform(-15, 5))
    droop = rng.uniform(-4, 8)
    back = frame(rng.uniform(-6, 6), droop)
    long = rng.uniform(0.16, 0.2)
    middle = vec(0.0, 0, high - 0.005) - back[0] * F(long * 0.85)
    abdomen = Ellipsoid(middle, vec(long, 0.036, 0.038), back, ABDOMEN)
    shapes = [
        Ellipsoid(head_at, vec(0.04, 0.042, 0.04), skull, HEAD),
        Ellipsoid(vec(0.085, 0, high + 0.005), vec(0.095, 0.052, 0.056), frame(0), THORAX),
        abdomen,
    ]
    parts = [Part(shapes, 0.02, "body")]
    apart, rise = rng.uniform(18, 34), rng.uniform(10, 34)
    for y in (1, -1):
        for x, at in [(0.14, 42), (0.09, 96), (0.05, 140)]:
            hip = vec(x, 0.03, high - 0.035) * both(y)
            yaw_of = y * (at + rng.uniform(-12, 12))
            parts.append(leg(rng, hip, yaw_of, F([0.13, 0.16, 0.1]), F([0.009, 0.007, 0.005]), rng.uniform(0, 20)))
        socket = head_at + vec(0.025, 0.014 * y, 0.03) @ skull
        mid = socket + 0.17 * towards(yaw + y * apart, rise)
        tip = mid + 0.16 * towards(yaw + y * (apart + rng.uniform(-4, 10)), rise - 8)
        along = unit(tip - mid)
        antenna = chain(
            [socket, mid, tip, tip + 0.012 * along, tip + 0.05 * along], [0.0045, 0.0045, 0.005, 0.0125, 0.013]
        )
        parts.append(Part(antenna, 0.006, "limb"))
        parts.append(
            Part(
                [Ellipsoid(head_at + vec(0.012, 0.03 * y, 0.008) @ skull, vec(1, 1, 1) * F(0.024), skull)], 0.01, "eye"
            )
        )
    coil = [
        head_at + vec(0.045 + r * math.cos(a), 0, -0.035 + r * math.sin(a)) @ skull
        for a, r in zip(np.linspace(1.6, -7, 12), np.linspace(0.03, 0.008, 12), strict=True)
    ]
    parts.append(Part(chain(coil, [0.006] * len(coil)), 0.004, "limb"))

    fore, hind = outlines(rng)
    patterns = draw_pattern(rng)
    raised = rng.choice([rng.uniform(2, 22), rng.uniform(22, 50), rng.uniform(50, 68)], p=[0.55, 0.33, 0.12])
    swept = rng.uniform(-10, 12)
    sails = []
    for y in (1, -1):
        own = raised + rng.uniform(-3, 3)
        for outline, pattern, x, sweep, lower in [
            (hind, patterns[1], 0.05, 0.3 * swept, 0.012),
            (fore, patterns[0], 0.1, swept, 0),
        ]:
            span = towards(y * (90 - sweep), own - 40 * lower)
            chord = vec(1, 0, 0) - span * span[0]
            chord = unit(chord)
            normal = np.cross(span, chord) * y
            normal = normal if normal[2] > 0 else -normal
            root = vec(x, 0.026, high + 0.04 - lower) * both(y)
            sails.append(Sail(root, np.stack([span, chord, normal]).astype(F), outline, pattern))
    woolly = float(rng.choice([0.15, 0.5, 0.9]))
    return Animal(
        parts, [], abdomen, [0.5 * woolly, woolly, 0, 0.3 * woolly], rng.uniform(0.02, 0.045), 0.12, sails=sails
    )
