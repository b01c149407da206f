"""Copies and series: all that are near are found, also among thousands of copies, and series by their looks."""

from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from support.images import noise

from helpers.own_images import check_folder
from helpers.own_images.near_duplicates import BITS, LEVELS, find_bursts, fingerprint, same_looks

pytestmark = pytest.mark.quick


def by_all_pairs(hashes, thumbnails) -> np.ndarray:
    near = [
        (i, j)
        for i, j in combinations(range(len(hashes)), 2)
        if (hashes[i] ^ hashes[j]).bit_count() <= BITS
        and np.abs(thumbnails[i].astype(int) - thumbnails[j]).mean() <= LEVELS
    ]
    i, j = np.array(near, dtype=int).reshape(-1, 2).T
    return connected_components(coo_array((np.ones(len(i)), (i, j)), shape=2 * hashes.shape), directed=False)[1]


@pytest.mark.parametrize("seed", range(8))
def test_the_groups_are_those_of_all_pairs(seed):
    generator = np.random.default_rng(seed)
    number, kinds = int(generator.integers(1, 120)), int(generator.integers(1, 12))
    kind = generator.integers(0, kinds, number)
    hashes = generator.integers(0, 2**64, kinds, dtype=np.uint64)[kind]
    for place in range(number):
        for bit in generator.choice(64, generator.integers(0, BITS), replace=False):
            hashes[place] ^= np.uint64(1) << np.uint64(bit)
    thumbnails = generator.integers(20, 230, (kinds, 48))[kind] + generator.integers(-12, 13, (number, 1))
    thumbnails = thumbnails.astype(np.uint8)
    ours, theirs = same_looks(hashes, thumbnails), by_all_pairs(hashes, thumbnails)
    assert len(set(zip(ours, theirs, strict=True))) == len(set(ours)) == len(set(theirs))


def test_other_colours_of_the_same_brightness_are_not_the_same():
    thumbnails = np.array([[200, 0] * 4, [0, 200] * 4, [198, 1] * 4], dtype=np.uint8)
    groups = same_looks(np.zeros(3, dtype=np.uint64), thumbnails)
    assert groups[0] == groups[2] != groups[1]


class Counted(np.ndarray):
    """An array that counts how many rows are taken out of it."""

    rows = 0

    def __getitem__(self, index):
        if isinstance(index, np.ndarray):
            Counted.rows += len(index)
        return np.asarray(super().__getitem__(index))


@pytest.mark.parametrize("copies_of", [1, 10, 4000])
def test_the_work_grows_with_the_number_of_pictures(copies_of):
    """Four thousand images: all copies of one, of ten, or all different."""
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, copies_of, dtype=np.uint64)
    thumbnails = generator.integers(0, 256, (copies_of, 48), dtype=np.uint8)
    kind = np.arange(4000) % copies_of
    Counted.rows = 0
    groups = same_looks(hashes[kind], thumbnails[kind].view(Counted))
    assert len(set(groups.tolist())) == copies_of
    assert Counted.rows <= 3 * 4000, "not one for each pair"


def frames(number: int, step: int = 2) -> list[Image.Image]:
    """A scene that moves a little from each image to the next."""
    scene = noise(1, (400, 200)).resize((400, 200), Image.Resampling.BICUBIC)
    return [scene.crop((step * i, 0, step * i + 160, 120)) for i in range(number)]


def bursts_of(images, names, taken=None) -> list[list[str]]:
    hashes, thumbnails = map(np.array, zip(*map(fingerprint, images), strict=True))
    groups = find_bursts(names, taken or [None] * len(names), hashes, thumbnails)
    return [[names[i] for i in np.flatnonzero(groups == group)] for group in np.unique(groups)]


OTHERS = [noise(seed, (160, 120)) for seed in range(10, 30)]


def test_frames_of_a_video_are_one_series():
    names = [f"a/frame_{i}.jpg" for i in range(8, 13)] + [f"a/other_{i}.jpg" for i in range(20)]
    found = bursts_of(frames(5) + OTHERS, names)
    assert sorted(found, key=len)[-1] == names[:5] and len(found) == 21


def test_digits_that_are_no_numbers_are_letters():
    assert bursts_of(frames(3), ["a/①.jpg", "a/1².jpg", "a/3.jpg"])


def test_pictures_far_apart_in_their_names_are_none():
    names = [f"a/IMG_{10 * i}.jpg" for i in range(5)] + [f"a/other_{i}.jpg" for i in range(20)]
    assert max(map(len, bursts_of(frames(5) + OTHERS, names))) == 1
    names = [f"{folder}/IMG_{i}.jpg" for i, folder in enumerate("abcde")] + names[5:]
    assert max(map(len, bursts_of(frames(5) + OTHERS, names))) == 1


def test_the_times_of_a_camera_count_more_than_names():
    names = [f"a/{word}.jpg" for word in ("ash", "elm", "fir", "oak", "yew")] + [f"b/{i}.jpg" for i in range(20)]
    start = datetime(2024, 5, 1, 12)
    seconds = [0, 1, 2, 600, 601]
    taken = [start + timedelta(seconds=second) for second in seconds] + [None] * 20
    found = [group for group in bursts_of(frames(5) + OTHERS, names, taken) if len(group) > 1]
    assert found == [names[:3], names[3:5]]


def test_pictures_that_all_look_alike_are_no_series():
    """As X-rays do: neighbours are no more alike than others."""
    generator = np.random.default_rng(0)
    base = np.asarray(noise(1, (64, 64))).astype(int)
    images = [
        Image.fromarray((base + generator.integers(-60, 60, (64, 64, 1)).repeat(3, 2)).clip(0, 255).astype(np.uint8))
        for _ in range(20)
    ]
    assert max(map(len, bursts_of(images, [f"a/{i}.png" for i in range(20)]))) == 1


def test_the_report_warns_of_a_series(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for i, image in enumerate(frames(6, step=3)):
        image.save(tmp_path / "a" / f"IMG_{i:04}.png")
    for i, image in enumerate(OTHERS):
        image.save(tmp_path / "ab"[i % 2] / f"other{i}.png")
    found = check_folder(tmp_path)
    assert "!!  burst      a/IMG_0000.png to a/IMG_0005.png: taken in one go, by their looks; count each" in str(found)
    assert [[p.name for p in group] for group in found.bursts] == [[f"a/IMG_{i:04}.png" for i in range(6)]]
