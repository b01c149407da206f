"""Hairs, drawn as lines over the body."""

import numpy as np
from PIL import ImageDraw

from recipes.renderer.animals.anatomy import ABDOMEN
from recipes.renderer.camera import Camera
from recipes.renderer.light import develop, shade
from recipes.renderer.mathematics import F, length, mix, unit, vec
from recipes.renderer.shapes import Ellipsoid


def comb(rng, scene, animal, fine: Camera, picture, alpha, depth, shapes, floor) -> None:
    """Draw the hairs whose roots `depth` shows, on `picture` and its `alpha` (PIL, of the fine scale)."""
    h, w = depth.shape
    roots, normals, tags = [], [], []
    for shape in animal.parts[0].shapes:
        if isinstance(shape, Ellipsoid):
            radii = np.sort(shape.radii)
            count = int(animal.fuzz[shape.tag] * 80000 * radii[1] * radii[2])
            d = unit(rng.normal(size=(3, count)).astype(F))
            roots.append(shape.axes.T @ (d * shape.radii[:, None]) + shape.centre[:, None])
            normals.append(unit(shape.axes.T @ (d / shape.radii[:, None])))
            tags += [shape.tag] * count
    p, n, tags = np.concatenate(roots, 1), np.concatenate(normals, 1), np.array(tags)
    if not len(tags):
        return
    lean = rng.normal(0, 0.35, p.shape).astype(F) + vec(-0.45, 0, -0.12)[:, None]
    tip = p + unit(n + lean) * (animal.hair * rng.uniform(0.5, 1.15, len(tags)).astype(F))
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
    a = animal.abdomen
    ring = ((a.axes[0] @ p - a.axes[0] @ a.centre) / a.radii[0] + 1) / 2 * scene.bands
    dark = (tags == ABDOMEN) & (animal.stripes > 0) & (ring % 1 < 0.45)
    fair = mix(scene.colours["hair"], scene.colours["body"], F(0.25))
    albedo = mix(fair, scene.colours["abdomen"] * F(0.6), dark.astype(F) * animal.stripes)
    light = shade(scene, p, unit(n + vec(0, 0, 0.25)[:, None]), ray, albedo * tone[shown], 0.05, shapes, floor)
    colours = (develop(scene, light).T * 255).astype(int)
    brush, cover = ImageDraw.Draw(picture), ImageDraw.Draw(alpha)
    for i, c in zip(shown, colours, strict=True):
        line = (float(x[i]), float(y[i]), float(u[i]), float(v[i]))
        brush.line(line, fill=tuple(c))
        cover.line(line, fill=255)


# veins in wing coordinates: (u, s) along the span and across, 0 the leading and 1 the trailing edge
