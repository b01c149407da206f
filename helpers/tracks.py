"""Which images and which pretrained weights a lesson uses.

`embedded` lies in the repository and needs no network; `photos` is brought by `make photos`. Both run
the same code. `TL_TRACK` chooses for every notebook, an argument for one; `TL_IMAGES` and `TL_WEIGHTS`
choose the two halves apart.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import LessonError

ROOT = Path(__file__).resolve().parent.parent
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
        images: a folder with `train/`, `val/` and perhaps `test/`, each with one folder per class.
        weights: `embedded`, or the name of torchvision's weights, as in `IMAGENET1K_V1`.
        size: the side of the square, in pixels, that the network sees.
    """

    name: str
    images: Path
    weights: str
    size: int

    @property
    def test_split(self) -> str:
        """`test`, or `val` where the images come without a test split (as the photographs do)."""
        return "test" if (self.images / "test").is_dir() else "val"

    def __str__(self) -> str:
        other = "photos" if self.name == "embedded" else "embedded"
        return f"Track: {self.name} ({self.size} px). To change: set TL_TRACK={other} and restart the kernel."

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
    if weights == "photos":
        size = 224  # what torchvision's weights were trained and measured on
    else:
        size = 128 if images == "embedded" else 160  # photographs show the insect smaller
    title = track if images == weights == track else f"{images} images, {weights} weights"
    return Track(title, folder, WEIGHTS[weights], size)
