"""Which images and which pretrained weights a lesson uses.

Any images go with any weights; a track is a pair of them with a name. `TL_TRACK` chooses for every notebook, an
argument for one; `TL_IMAGES` and `TL_WEIGHTS` choose the two halves apart.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from helpers import ROOT
from helpers.errors import LessonError
from helpers.layouts import read_layout
from helpers.weights import SOURCES, Preprocessing, check_weights, preprocessing_of

IMAGES = {
    "insects": ROOT / "data" / "insects",
    "species": ROOT / "data" / "species",
    "photos": ROOT / "data" / "downloads" / "hymenoptera_data",
}
REMEDIES = {"insects": "git checkout data/insects", "species": "git checkout data/species", "photos": "make photos"}
TRACKS = {  # the images and the weights of each
    "embedded": ("insects", "embedded"),
    "imagenet": ("insects", "imagenet"),
    "species": ("species", "imagenet"),
    "photos": ("photos", "IMAGENET1K_V1"),
}


@dataclass(frozen=True)
class Track:
    """One choice of images and weights.

    Attributes:
        name: one of `TRACKS`, or both halves, as in `photos images, embedded weights`.
        folder: of the images, with `train/`, `val/` and perhaps `test/`, each with one folder per class.
        weights: as `helpers.models.load_model` takes them.
        preprocessing: that of the weights.
    """

    name: str
    folder: Path
    weights: str
    preprocessing: Preprocessing

    @property
    def test_split(self) -> str:
        """`test`, or `val` where the images come without a test split (as the photographs do)."""
        return "test" if "test" in _splits(self.folder) else "val"

    def __str__(self) -> str:
        other = "photos" if self.name == "embedded" else "embedded"
        size = self.preprocessing.size
        return (
            f'Track: {self.name} ({size} px). To change it: current_track("{other}"), then run the cells below again.'
        )

    __repr__ = __str__


def current_track(name: str | None = None) -> Track:
    """The track that this lesson runs on.

    Args:
        name: one of `TRACKS`; None takes `TL_TRACK`, and `embedded` where that is not set.

    Returns:
        The track. `TL_IMAGES` (`insects`, `species`, `photos` or a folder of your own) and `TL_WEIGHTS` (a name in
        `helpers.weights.SOURCES`, or of torchvision's weights of ResNet18) replace one half of it.

    Raises:
        LessonError: there is no such track, or its images or weights are not on this machine.
    """
    track = name or os.environ.get("TL_TRACK") or "embedded"
    if track not in TRACKS:
        raise LessonError(f"There is no track {track!r}; choose one of {', '.join(TRACKS)}.")
    images = os.environ.get("TL_IMAGES") or TRACKS[track][0]
    weights = os.environ.get("TL_WEIGHTS") or TRACKS[track][1]
    folder = IMAGES.get(images) or Path(images).expanduser().resolve()
    if "train" not in _splits(folder):
        remedy = f"`{REMEDIES[images]}` brings them" if images in REMEDIES else "it needs the folders train and val"
        raise LessonError(f"The images of {images!r} are not in {folder}: {remedy}.")
    if weights in SOURCES:
        SOURCES[weights].path()  # a package that is missing is named now, not in the middle of a lesson
    else:
        check_weights(weights, "resnet18")
    named = {pair: title for title, pair in TRACKS.items()}
    title = named.get((images, weights), f"{images} images, {weights} weights")
    return Track(title, folder, weights, preprocessing_of(weights))


def _splits(folder: Path) -> set[str]:
    """The splits that a folder has, under whatever names; none where it is not there or holds no images by class."""
    try:
        return set(read_layout(folder).splits)
    except LessonError:
        return set()
