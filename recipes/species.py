"""Render six classes of small animals, `data/species` (`make species`).

    python -m recipes.species [--out data/species] [--strip docs/species.jpg]

A picture depends on its seed, its label and its number in a series. The seed stands for an individual: place,
light, animal and coat are drawn from it. The pictures of a series show one individual from moved cameras.
"""

import argparse
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import ROOT
from recipes.files import evenly, write_all, write_strip
from recipes.renderer.animals.ant import ant
from recipes.renderer.animals.bee import bee
from recipes.renderer.animals.beetle import beetle
from recipes.renderer.animals.butterfly import butterfly
from recipes.renderer.animals.spider import spider
from recipes.renderer.animals.wasp import wasp
from recipes.renderer.field import draw_coat, draw_field
from recipes.renderer.grounds import litter
from recipes.renderer.picture import compose

MAKERS = {
    "ants": ant,
    "bees": partial(bee, wool=(0.3, 0.45, 0.25)),  # less woolly than the insects' bees: wasps are downy, too
    "beetles": beetle,
    "butterflies": butterfly,
    "spiders": spider,
    "wasps": wasp,
}
SINGLES = {"train": 24, "val": 12, "test": 100, "test_shifted": 17}  # pictures of each class
BURSTS = {"train": 8, "val": 4}  # series of each class
LENGTHS = (3, 4, 5, 6)  # pictures in a series, in turn
QUALITY = 78  # of the JPEG files


def render(seed: int, label: str, number: int = 0, shifted: bool = False) -> Image.Image:
    """The picture (RGB) of an individual.

    Args:
        seed: the individual.
        label: one of MAKERS.
        number: which picture of a series; 0 is the only one of those that come alone.
        shifted: whether it is from the shifted test set.
    """
    if label not in MAKERS:
        raise ValueError(f"label is {label!r}; it can be {', '.join(MAKERS)}")

    # one stream for each subject: a change of anatomy must not move the rest of the scene
    coat_rng, field_rng, animal_rng, trash_rng, ground_rng, skin_rng = (
        np.random.default_rng([seed, stream]) for stream in range(6)
    )
    view_rng, lens_rng = (np.random.default_rng([seed, stream, number]) for stream in (6, 7))
    scene, view = draw_field(field_rng, draw_coat(coat_rng, label), shifted)
    if number:
        scene = replace(scene, camera=view.moved(view_rng).camera(scene.width, scene.height))
    animal, trash = MAKERS[label](animal_rng), litter(trash_rng)
    scene.colours["subject"] = animal.sails[0].pattern.ground if animal.sails else scene.colours["body"]
    return compose(scene, animal, trash, ground_rng, skin_rng, lens_rng)


def series_of(path: Path) -> int | None:
    """The number of the series that a file belongs to; None where its picture stands alone."""
    found = re.search(r"_burst(\d+)_\d+$", path.stem)
    return int(found[1]) if found else None


def plan(out: Path) -> dict[Path, tuple[int, str, int, bool]]:
    """What each file is made from. Seeds and series count up through the whole set: none is in two splits."""
    jobs, seed, burst = {}, 0, 0
    for split, singles in SINGLES.items():
        for label in MAKERS:
            folder, shifted = out / split / label, split == "test_shifted"
            for _ in range(singles):
                jobs[folder / f"{label}_{seed:06d}.jpg"] = (seed, label, 0, shifted)
                seed += 1
            for series in range(BURSTS.get(split, 0)):
                for number in range(LENGTHS[series % len(LENGTHS)]):
                    jobs[folder / f"{label}_{seed:06d}_burst{burst:02d}_{number}.jpg"] = (seed, label, number, shifted)
                seed, burst = seed + 1, burst + 1
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "species")
    parser.add_argument("--strip", type=Path, help="also write a strip of six pictures of each class here")
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    write_all(render, QUALITY, plan(args.out), args.workers)
    if args.strip:
        folders = [args.out / "train" / label for label in MAKERS]
        write_strip(args.strip, [evenly(sorted(folder.glob("*[0-9][0-9].jpg")), 6) for folder in folders])


if __name__ == "__main__":
    main()
