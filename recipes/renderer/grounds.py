"""Grounds (procedural colour and height over the plane) and the litter that lies on them."""

import numpy as np

from recipes.renderer.colours import linear, pick
from recipes.renderer.mathematics import F, frame, mix, ramp, towards, unit, vec
from recipes.renderer.shapes import Cone, Ellipsoid, Part


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


def cloth(rng, noise):
    """A plain weave of two threads."""
    warp, weft = (
        pick(rng, (176, 60, 52), (60, 84, 140), (210, 200, 180), (70, 110, 96), (60, 60, 66)),
        pick(rng, (216, 208, 190), (150, 140, 126), (190, 160, 90), (90, 96, 120)),
    )
    threads, check = rng.uniform(16, 26), rng.uniform(0.5, 1.1)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 1.5, foot, 4)
        u, v = x * threads + 0.15 * rough, y * threads + 0.15 * rough
        over = (np.floor(u) + np.floor(v)) % 2
        ridge = np.where(over > 0, np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5))
        plaid = 0.5 * (np.sin(x * np.pi / check) > 0) + 0.5 * (np.sin(y * np.pi / check) > 0)
        share = 0.6 * plaid + 0.4 * over * ramp(0.06, 0.02, foot)
        fade = ramp(0.05, 0.02, foot)
        return mix(warp, weft, share) * (1.05 - 0.5 * fade * ridge), -0.03 * fade * ridge + 0.01 * rough

    return surface


def tiles(rng, noise):
    """Paving: cast slabs with joints between them."""
    slab, joint = (
        pick(rng, (176, 170, 160), (150, 84, 64), (120, 128, 136), (196, 176, 140)),
        pick(rng, (90, 86, 80), (206, 200, 190), (70, 72, 60)),
    )
    wide, tall = rng.uniform(0.9, 1.8), rng.uniform(0.5, 0.9)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 3, foot, 6, 0.7)
        row = np.floor(y / tall)
        u, v = (x / wide + 0.5 * (row % 2)) % 1, (y / tall) % 1
        edge = np.minimum(np.minimum(u, 1 - u) * wide, np.minimum(v, 1 - v) * tall)
        gap = ramp(0.05, 0.025, edge + 0.012 * rough)
        speck, _, name = noise.cells(x, y, 22)
        albedo = slab[:, None] * (1 + 0.14 * rough + 0.3 * (name - 0.5) * ramp(0.4, 0.2, speck))
        return mix(albedo, joint, gap), 0.012 * rough - 0.06 * gap

    return surface


def gravel(rng, noise):
    """Chips of stone, close together."""
    dark, pale = (
        pick(rng, (84, 84, 90), (110, 92, 84), (70, 76, 84)),
        pick(rng, (190, 188, 186), (206, 180, 160), (160, 166, 176)),
    )
    often = rng.uniform(3.5, 7)

    def surface(x, y, foot):
        rough = noise.octaves(x, y, 4, foot, 5, 0.7)
        near, far, name = noise.cells(x + 0.02 * rough, y, often)
        gap = ramp(0.16, 0.04, far - near)
        albedo = mix(dark, pale, np.clip(name + 0.25 * rough, 0, 1)) * (1 - 0.7 * gap)
        return albedo, (0.7 * np.sqrt(np.clip(far - near, 0, 1)) + 0.3 * name) / often * 0.6 + 0.008 * rough

    return surface


# each ground with its odds; the built ones are met nowhere but in the shifted test images of the species
NATURAL = {soil: 0.19, sand: 0.13, leaf: 0.22, stone: 0.15, petal: 0.1, wood: 0.11, cushion: 0.1}
BUILT = {cloth: 0.34, tiles: 0.33, gravel: 0.33}


def litter(rng: np.random.Generator) -> list[tuple[Part, np.ndarray]]:
    """Pebbles, seeds and twigs that lie about, never under the animal's body, with their colours."""
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
