"""The picture without the animal."""

import math

import numpy as np
from PIL import Image, ImageFilter

from recipes.renderer.camera import shrink
from recipes.renderer.colours import GREY, pick
from recipes.renderer.light import crowding, develop, shadow_of
from recipes.renderer.mathematics import F, frame, mix, ramp, towards, vec
from recipes.renderer.noise import Noise
from recipes.renderer.scene import Scene


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
    """The picture without the animal (h, w, 3), developed, blurred by distance; the mean albedo (3,)."""
    w, h, times = scene.width, scene.height, scene.rays[1]
    y, x = (np.mgrid[0 : h * times, 0 : w * times].astype(F).reshape(2, -1) + F(0.5)) / times
    rays = scene.camera.rays(x, y)
    eye = scene.camera.position
    t = np.where(rays[2] < -0.02, -eye[2] / np.minimum(rays[2], -0.02), 60).clip(0, 60).astype(F)
    p = eye[:, None] + rays * t
    foot = t / scene.camera.focal / np.maximum(-rays[2], 0.06) / F(times)

    turn, zoom = frame(rng.uniform(0, 360)), F(rng.uniform(0.75, 1.4))
    noise = Noise(rng)
    surface = list(scene.grounds)[rng.choice(len(scene.grounds), p=list(scene.grounds.values()))](rng, noise)

    u, v = turn[:2, :2] @ p[:2] * zoom + F(rng.uniform(-40, 40, (2, 1)))
    albedo, height = surface(u, v, foot * zoom)
    climb = slope(scene.light, p[0], p[1], height, (h * times, w * times)) / zoom
    facing = np.clip(scene.light[2] - rng.uniform(0.4, 1.2) * climb * ramp(0.3, 0.02, foot), 0.04, 1.3)
    mean = albedo[:, foot < 3 * foot.min()].mean(1)
    # what a photographer does: a calm ground, and one that the animal stands out from
    albedo = mix(mean, albedo, F(rng.uniform(0.35, 0.85)))
    apart = math.log(float(GREY @ mean) / float(GREY @ scene.colours["subject"]))
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
