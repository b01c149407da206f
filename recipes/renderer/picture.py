"""Ground, animal and lens put together."""

import numpy as np
from PIL import Image, ImageFilter

from recipes.renderer.animal_layer import paint_animal
from recipes.renderer.animals.anatomy import Animal
from recipes.renderer.ground_layer import paint_ground
from recipes.renderer.lens import grass, smear
from recipes.renderer.scene import Scene


def compose(scene: Scene, animal: Animal, trash: list, ground_rng, skin_rng, lens_rng) -> Image.Image:
    """The picture (RGB) of an animal in a scene; `trash` is the litter around it."""
    bulk = animal.parts[0].shapes
    blockers = [shape for part in animal.parts + [part for part, _ in trash] for shape in part.shapes]
    blockers += animal.sails
    ground, floor = paint_ground(ground_rng, scene, bulk, blockers)
    colour, cover = paint_animal(skin_rng, scene, animal, trash, floor)
    picture = ground * (1 - cover) + colour

    h, w = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    picture = picture * (1 - lens_rng.uniform(0, 0.2) * (x * x + y * y) / 2)[..., None]
    if any(scene.motion):
        picture = smear(picture, scene.motion)
    picture = Image.fromarray((picture * 255 + 0.5).clip(0, 255).astype(np.uint8))
    picture = grass(lens_rng, picture).filter(ImageFilter.GaussianBlur(lens_rng.uniform(0, 0.5)))
    grain = lens_rng.normal(0, lens_rng.uniform(0.5, 3), (h, w, 1))
    return Image.fromarray((np.asarray(picture) + grain + 0.5).clip(0, 255).astype(np.uint8))
