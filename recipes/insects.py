"""Render the ants and bees of `data/insects` (`make insects`).

    python -m recipes.insects [--out data/insects] [--strip docs/insects.jpg]

A picture depends on its seed and its label alone. The scene (ground, light, camera, size, place,
colours) is drawn from the seed without looking at the label, so `render(7, "ants")` and
`render(7, "bees")` show two animals in the same place and light: colour says next to nothing about the
class, anatomy says all. Stripes, fuzz and wings occur in both classes, with different frequencies.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import ROOT
from recipes.files import evenly, write_all, write_strip
from recipes.renderer.animals.ant import ant
from recipes.renderer.animals.bee import bee
from recipes.renderer.grounds import litter
from recipes.renderer.picture import compose
from recipes.renderer.scene import draw_scene

MAKERS = {"ants": ant, "bees": bee}
COUNTS = {
    "train": {"ants": 123, "bees": 121},
    "val": {"ants": 70, "bees": 83},
    "test": {"ants": 200, "bees": 200},
}
QUALITY = 80  # of the JPEG files


def render(seed: int, label: str) -> Image.Image:
    """The picture (RGB) of this seed with an ant (`label` "ants") or a bee ("bees") in it."""
    if label not in MAKERS:
        raise ValueError(f"label is {label!r}; it can be {' or '.join(MAKERS)}")
    # one stream for each subject: a change of anatomy must not move the rest of the scene
    scene_rng, animal_rng, trash_rng, ground_rng, skin_rng, lens_rng = (
        np.random.default_rng([seed, stream]) for stream in range(6)
    )
    scene, animal, trash = draw_scene(scene_rng), MAKERS[label](animal_rng), litter(trash_rng)
    return compose(scene, animal, trash, ground_rng, skin_rng, lens_rng)


def plan(out: Path) -> dict[Path, tuple[int, str]]:
    """The seed and label of every file; the seeds count up, so no two pictures share one."""
    jobs = {}
    for split, labels in COUNTS.items():
        for label, count in labels.items():
            for seed in range(len(jobs), len(jobs) + count):
                jobs[out / split / label / f"{label}_{seed:06d}.jpg"] = (seed, label)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "insects")
    parser.add_argument("--strip", type=Path, help="also write a strip of twelve pictures here")
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    write_all(render, QUALITY, plan(args.out), args.workers)
    if args.strip:
        folders = [args.out / "train" / label for label in MAKERS]
        write_strip(args.strip, [evenly(sorted(folder.glob("*.jpg")), 6) for folder in folders])


if __name__ == "__main__":
    main()
