"""The picture of the animal and the litter, with its opacity."""

import numpy as np
from PIL import Image

from recipes.renderer.animals.anatomy import Animal
from recipes.renderer.camera import Camera, shrink
from recipes.renderer.hairs import comb
from recipes.renderer.light import develop, shade
from recipes.renderer.marching import march, rays_near
from recipes.renderer.mathematics import F, mix
from recipes.renderer.noise import Noise
from recipes.renderer.scene import Scene
from recipes.renderer.shapes import Cone, Part
from recipes.renderer.skins import skin
from recipes.renderer.wings import glaze, sail_light


def paint_animal(rng, scene: Scene, animal: Animal, trash: list, floor) -> tuple[np.ndarray, np.ndarray]:
    """The animal and the litter: display values (h, w, 3) times opacity, and the opacity (h, w, 1)."""
    times = scene.rays[0]
    h, w = scene.height * times, scene.width * times
    camera = scene.camera
    fine = Camera(camera.position, camera.axes, camera.focal * times, tuple(times * s for s in camera.shift))
    y, x = np.mgrid[0:h, 0:w].astype(F).reshape(2, -1) + F(0.5)
    parts = animal.parts + [part for part, _ in trash]
    shapes = [shape for part in parts for shape in part.shapes] + animal.sails
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
            albedo, gloss = trash[number - len(animal.parts)][1][:, None] * (1 + 0.35 * grain), 0.08
        else:
            albedo, n, gloss = skin(scene, animal, part, noise, p, n)
        colour[:, where] = develop(scene, shade(scene, p, n, rays, albedo, gloss, shapes, floor))

    picture = Image.fromarray((colour.T.reshape(h, w, 3) * 255 + 0.5).astype(np.uint8))
    alpha = Image.fromarray((cover.reshape(h, w) * 255).astype(np.uint8))
    comb(rng, scene, animal, fine, picture, alpha, depth.reshape(h, w), shapes, floor)
    colour = np.asarray(picture, F).reshape(-1, 3).T / 255
    cover = np.asarray(alpha, F).reshape(-1) / 255
    colour = colour * cover

    for sail in animal.sails:
        where = rays_near(fine, Part([Cone(*sail.hull(), sail.hull()[2])], 0.01, "wing"), (h, w))
        rays = fine.rays(x[where], y[where])
        t, *polar = sail.meet(fine.position, rays)
        seen = np.flatnonzero(t < depth[where])
        where, rays, t, *polar = (values[..., seen] for values in (where, rays, t, *polar))
        others = [shape for shape in shapes if shape is not sail]
        light = sail_light(scene, sail, noise, fine.position, rays, t, polar, others, floor)
        colour[:, where], cover[where], depth[where] = develop(scene, light), 1, t

    for wing in animal.wings:
        outline = [wing.root + wing.axes[0] * F(k * wing.span) for k in (0.05, 0.95)]
        where = rays_near(fine, Part([Cone(*outline, 0.75 * wing.width, 0.75 * wing.width)], 0.01, "wing"), (h, w))
        t, light, opacity = glaze(scene, wing, fine.position, fine.rays(x[where], y[where]))
        opacity = np.where(t < depth[where] + 0.01, opacity, 0)
        colour[:, where] = mix(colour[:, where], develop(scene, light), opacity)
        cover[where] += (1 - cover[where]) * opacity

    return shrink(colour, scene.height, scene.width), shrink(cover, scene.height, scene.width)
