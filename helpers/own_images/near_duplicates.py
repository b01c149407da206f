"""Which images look the same, and which were taken in one go (lesson 09)."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import PurePosixPath

import imagehash
import numpy as np
from PIL import Image

BITS = 6  # of 64: so far apart are the hashes of one image, saved again, at most
LEVELS = 8  # of 255: so far apart are its colours, on the mean of 16 x 16 places
BANDS = 7  # more than BITS: of two hashes with BITS bits apart, one band is the same
BURST_BITS, BURST_LEVELS = 20, 14  # so far apart are neighbours of one burst, at most
BURST_SHARE = 0.5  # of the distance that two images of the folder usually have
BURST_SECONDS = 3


def fingerprint(image: Image.Image) -> tuple[np.uint64, np.ndarray]:
    """A perceptual hash of an RGB image, uint64, and its colours at 16 x 16 places, (768,) of uint8."""
    bits = imagehash.phash(image).hash.ravel()
    thumbnail = np.asarray(image.resize((16, 16), Image.Resampling.BOX)).ravel()
    return np.packbits(bits).view(np.uint64)[0], thumbnail


def same_looks(hashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Group images that look the same: near in their perceptual hash, and in their colours.

    The hash alone would take plain images, or drawn digits, for each other. Groups are the connected components of
    all pairs that are near in both, found without looking at all pairs: hashes that differ in `BITS` bits are the same
    in one of more bands than that (multi-index hashing, Norouzi et al., 2012), and an image that has found its group
    is not compared again. So the time grows with the number of images, however many of them are copies.

    Args:
        hashes: (n,) of uint64.
        thumbnails: (n, values) of uint8.

    Returns:
        The number of each image's group, (n,), counted from 0 in the order of the first images.
    """
    groups = np.full(len(hashes), -1)
    edges = np.linspace(0, 64, BANDS + 1).astype(int)
    buckets: list[dict[int, np.ndarray]] = []
    keys = []
    for low, high in pairwise(edges):
        key = (hashes >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        order = np.argsort(key, kind="stable")
        values, starts = np.unique(key[order], return_index=True)
        buckets.append(dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True)))
        keys.append(key.tolist())
    sums = thumbnails.sum(1, dtype=np.int64)
    number = 0
    for first in range(len(hashes)):
        if groups[first] >= 0:
            continue
        groups[first] = number
        reached = [first]
        while reached:
            i = reached.pop()
            candidates = []
            for band, key in zip(buckets, keys, strict=True):
                others = band[key[i]]
                others = band[key[i]] = others[groups[others] < 0]  # what has a group is done with
                candidates.append(others[np.bitwise_count(hashes[others] ^ hashes[i]) <= BITS])
            near = np.unique(np.concatenate(candidates))
            near = near[
                np.abs(sums[near] - sums[i]) <= LEVELS * thumbnails.shape[1]
            ]  # quick, and loses none that is near
            near = near[_levels(thumbnails, near, i) <= LEVELS]
            groups[near] = number
            reached += near.tolist()
        number += 1
    return groups


def find_bursts(
    names: Sequence[str], taken: Sequence[datetime | None], hashes: np.ndarray, thumbnails: np.ndarray
) -> np.ndarray:
    """Group images that were taken in one go: frames of a video, or a camera's series, of one scene.

    No hash finds them, since the scene moves. Two neighbours in the order of the names belong together if they look
    much more alike than two images of the folder usually do, and if their numbers follow each other or their cameras
    noted the same seconds.

    Args:
        names: of the files, with `/`.
        taken: when each was photographed, where its file says it.
        hashes, thumbnails: as `same_looks` takes them.

    Returns:
        The number of each image's burst, (n,); an image by itself is a burst of one.
    """
    bursts = np.arange(len(names))
    if len(names) < 3:
        return bursts
    generator = np.random.default_rng(0)
    one, two = generator.integers(0, len(names), (2, 1000))
    usual = np.median(_levels(thumbnails, one[one != two], two[one != two]))
    order = sorted(range(len(names)), key=lambda i: _natural(names[i]))
    for i, j in pairwise(order):
        alike = _levels(thumbnails, np.array([i]), j)[0] <= min(BURST_LEVELS, BURST_SHARE * usual)
        if alike and np.bitwise_count(hashes[i] ^ hashes[j]) <= BURST_BITS and _follow(names, taken, i, j):
            bursts[j] = bursts[i]
    return bursts


def _levels(thumbnails: np.ndarray, some: np.ndarray, other: int | np.ndarray) -> np.ndarray:
    """The mean distance of colours: of 0 to 255."""
    return np.abs(thumbnails[some].astype(np.int16) - thumbnails[other]).mean(1)


def _natural(name: str) -> tuple[tuple[str, ...], list[tuple[int, str]]]:
    """By folder, then by name with numbers as numbers: 9 comes before 10."""
    path = PurePosixPath(name)
    parts = re.split(r"(\d+)", path.stem)
    return path.parent.parts, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _follow(names: Sequence[str], taken: Sequence[datetime | None], i: int, j: int) -> bool:
    one, two = PurePosixPath(names[i]), PurePosixPath(names[j])
    if one.parent != two.parent:
        return False
    earlier, later = taken[i], taken[j]
    if earlier and later:
        return abs((later - earlier).total_seconds()) <= BURST_SECONDS
    first, second = (re.fullmatch(r"(.*?)(\d+)", path.stem) for path in (one, two))
    return bool(first and second and first[1] == second[1] and int(second[2]) - int(first[2]) == 1)
