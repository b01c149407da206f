"""Which images and which pretrained weights a lesson uses.

`embedded` lies in the repository and needs no network; `photos` is brought by `make photos`. Both run
the same code. `TL_TRACK` chooses for every notebook, an argument for one; `TL_IMAGES` and `TL_WEIGHTS`
choose the two halves apart.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from helpers import ROOT
from helpers.errors import LessonError
from helpers.weights import Preprocessing, preprocessing_of

IMAGES = {
    "embedded": ROOT / "data" / "insects",
    "photos": ROOT / "data" / "downloads" / "hymenoptera_data",
}
WEIGHTS = {"embedded": "embedded", "photos": "IMAGENET1K_V1"}


@dataclass(frozen=True)
class Track:
    """One choice of images and weights.

    Attributes:
        name: `embedded`, `photos`, or both halves, as in `photos images, embedded weights`.
        folder: of the images, with `train/`, `val/` and perhaps `test/`, each with one folder per class.
        weights: `embedded`, or the name of torchvision's weights, as in `IMAGENET1K_V1`.
        preprocessing: that of the weights.
    """

    name: str
    folder: Path
    weights: str
    preprocessing: Preprocessing

    @property
    def test_split(self) -> str:
        """`test`, or `val` where the images come without a test split (as the photographs do)."""
        return "test" if (self.folder / "test").is_dir() else "val"

    def __str__(self) -> str:
        other = "photos" if self.name == "embedded" else "embedded"
        size = self.preprocessing.size
        return f"Track: {self.name} ({size} px). To change: set TL_TRACK={other} and restart the kernel."

    __repr__ = __str__


def current_track(name: str | None = None) -> Track:
    """The track that this lesson runs on.

    Args:
        name: `embedded` or `photos`; None takes `TL_TRACK`, and `embedded` where that is not set.

    Returns:
        The track. `TL_IMAGES` (`embedded`, `photos` or a folder of your own) and `TL_WEIGHTS`
        (`embedded`, `photos`) replace one half of it.

    Raises:
        LessonError: the track is unknown, or its images are not on this machine.
    """
    track = name or os.environ.get("TL_TRACK") or "embedded"
    images = os.environ.get("TL_IMAGES") or track
    weights = os.environ.get("TL_WEIGHTS") or track
    for choice in (track, weights):
        if choice not in WEIGHTS:
            raise LessonError(f"There is no track {choice!r}; choose one of {', '.join(WEIGHTS)}.")
    folder = IMAGES.get(images) or Path(images).expanduser().resolve()
    if not (folder / "train").is_dir():
        remedy = "`make photos` brings them" if images == "photos" else "it needs the folders train and val"
        raise LessonError(f"The images of {images!r} are not in {folder}: {remedy}.")
    title = track if images == weights == track else f"{images} images, {weights} weights"
    return Track(title, folder, WEIGHTS[weights], preprocessing_of(WEIGHTS[weights]))
