"""How often which colours occur in a picture: features that know nothing of shapes."""

import numpy as np
from PIL import Image


def joint_colours(picture: Image.Image) -> np.ndarray:
    """Shares of the 8 x 8 x 8 cells of RGB, (512,)."""
    cells = np.asarray(picture).reshape(-1, 3) // 32
    return np.sqrt(np.bincount(cells @ [64, 8, 1], minlength=512) / len(cells))


def single_colours(picture: Image.Image) -> np.ndarray:
    """Histograms of R, G, B, H, S, V by themselves, 16 bins each, (96,)."""
    values = np.concatenate([np.asarray(picture), np.asarray(picture.convert("HSV"))], -1).reshape(-1, 6) // 16
    return np.concatenate([np.bincount(v, minlength=16) / len(v) for v in values.T])
