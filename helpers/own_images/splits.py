"""A folder of images becomes train, val and test; no file is moved or copied (lesson 09)."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.data import SampleDataset, image_datasets
from helpers.errors import LessonError
from helpers.own_images.groups import join_groups
from helpers.own_images.report import FolderReport
from helpers.transforms import data_transforms
from helpers.weights import Preprocessing

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def split_indices(
    labels: Sequence[Any], groups: Sequence[Any] | None = None, shares: dict[str, float] = SHARES, seed: int = 0
) -> dict[str, list[int]]:
    """Deal images out to splits, each class by itself, and what belongs together to one side.

    Each goes to the split that lacks most of its share of the class. So without groups no split is off by
    a whole image of a class; and the first image of each class goes to the largest share, to `train`.

    Args:
        labels: the class of each image.
        groups: images with the same group stay together; None takes each for itself.
        shares: of each split, adding up to 1.
        seed: of the order in which images are dealt.

    Returns:
        For each split the indices of its images, in order. Every image is in exactly one.
    """
    classes = np.unique(np.asarray(labels), return_inverse=True)[1]
    numbers = np.unique(np.arange(len(labels)) if groups is None else np.asarray(groups), return_inverse=True)[1]
    units = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])
    units = [units[i] for i in np.random.default_rng(seed).permutation(len(units))]
    units.sort(key=len, reverse=True)  # large groups first, while there is room for them
    lacks = {split: share * np.bincount(classes) for split, share in shares.items()}
    result: dict[str, list[int]] = {split: [] for split in shares}
    for unit in units:
        label = np.bincount(classes[unit]).argmax()
        split = max(shares, key=lambda split: (round(lacks[split][label], 6), round(lacks[split].sum(), 6)))
        result[split] += unit.tolist()
        lacks[split] -= np.bincount(classes[unit], minlength=len(lacks[split]))
    return {split: sorted(indices) for split, indices in result.items()}


def split_folder(
    report: FolderReport,
    preprocessing: Preprocessing,
    seed: int = 0,
    skip_unreadable: bool = False,
    groups: Sequence[Any] | None = None,
) -> dict[str, SampleDataset]:
    """Datasets of a folder with one folder per class: 60 % to train, 20 % to validate, 20 % to test.

    Images that look the same go to the same split, and so do those of one burst. A folder with train and test, but
    no val, keeps its test; of its train, 75 % are left to train and 25 % validate.

    Args:
        report: of the folder, from `check_folder`.
        preprocessing: of the weights that shall see the images.
        seed: fixes which image goes where.
        skip_unreadable: go on without the files that cannot be read.
        groups: for each of `report.pictures`, what it was taken of or with: images with the same value go to the
            same split. `helpers.own_images.groups` makes them; None stands for a group by itself.

    Returns:
        `train`, `val` and `test`, each with its transform; `test` is left out where too few images are there.

    Raises:
        LessonError: the folder has its val already, a file cannot be read, or there are too few classes or images.
    """
    folder, pictures = report.folder, report.pictures
    splits = {picture.split for picture in pictures}
    if unlabelled := report.layout.unlabelled.get("val"):
        raise LessonError(f"{unlabelled} has no folders; put the images into one folder per class, or remove it.")
    if "val" in splits or (splits - {""} and "train" not in splits):
        names = " and ".join(path.name for path in report.layout.splits.values())
        raise LessonError(f"{folder} is split already, into {names}; helpers.data.image_datasets takes it as it is.")
    if not skip_unreadable:
        _refuse_unreadable(report)
    class_names = list(report.counts())
    if len(class_names) < 2:
        one = f"one class with images, {class_names[0]!r}" if class_names else "no class with images"
        raise LessonError(f"{folder} has {one}; two are needed.")
    groups = groups if groups is None else list(groups)
    if groups is not None and len(groups) != len(pictures):
        raise LessonError(f"{len(groups)} groups for {len(pictures)} images; give one for each of report.pictures.")
    together = join_groups([p.group for p in pictures], [p.burst for p in pictures], groups)
    dealt = [i for i, picture in enumerate(pictures) if picture.split != "test"]
    shares = {split: share for split, share in SHARES.items() if not (split == "test" and "test" in splits)}
    shares = {split: share / sum(shares.values()) for split, share in shares.items()}
    parts = split_indices([pictures[i].label for i in dealt], [together[i] for i in dealt], shares, seed)
    indices = {split: [dealt[i] for i in part] for split, part in parts.items()}
    if "test" in splits:
        indices["test"] = [i for i, picture in enumerate(pictures) if picture.split == "test"]
    if not indices["val"]:
        raise LessonError(
            f"{folder} has {len(pictures)} images in {len(class_names)} classes, and all are needed to train; "
            "collect two or more of each class that do not belong together."
        )
    if lost := set(class_names) - {pictures[i].label for i in indices["train"]}:
        raise LessonError(
            f"{folder} has no image of {min(lost)!r} to train with that is not a copy, or of the group, of others; "
            "look at the report, and collect more of it."
        )
    if any(row.name == "few" for row in report.rows()):
        least = min(report.counts().items(), key=lambda item: item[1])
        number = "1 image" if least[1] == 1 else f"{least[1]} images"
        warnings.warn(f"{least[0]!r} has {number}; collect more, the scores mean little.", stacklevel=2)
    samples = [(str(folder / p.name), class_names.index(p.label)) for p in pictures]
    return {
        split: SampleDataset([samples[i] for i in indices[split]], class_names, transform)
        for split, transform in data_transforms(preprocessing).items()
        if indices.get(split)
    }


def folder_datasets(
    report: FolderReport,
    preprocessing: Preprocessing,
    seed: int = 0,
    skip_unreadable: bool = False,
    groups: Sequence[Any] | None = None,
) -> dict[str, SampleDataset]:
    """Datasets of any folder that `check_folder` takes: by its own splits, or by those of `split_folder`.

    Args:
        report, preprocessing, seed, skip_unreadable, groups: as for `split_folder`.

    Returns:
        `train` and `val`, and `test` where there is one, each with its transform.

    Raises:
        LessonError: as from `split_folder`, or `image_datasets` for a folder with splits; also for groups there.
    """
    if "val" not in report.layout.splits:
        return split_folder(report, preprocessing, seed, skip_unreadable, groups=groups)
    if groups:
        raise LessonError(f"{report.folder} is split already, so groups would change nothing; leave them out.")
    if not skip_unreadable:
        _refuse_unreadable(report)
    readable = {str(report.folder / picture.name) for picture in report.pictures}
    return {
        split: SampleDataset([s for s in part.samples if s[0] in readable], part.classes, part.transform)
        for split, part in image_datasets(report.folder, preprocessing).items()
    }


def _refuse_unreadable(report: FolderReport) -> None:
    for name, why in report.unreadable.items():
        path = report.folder / name
        raise LessonError(f"{path} {why.reason}; {why.remedy}, or go on without: skip_unreadable=True.")
