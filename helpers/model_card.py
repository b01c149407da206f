"""A model card, written from what the model itself answers (lessons 10, 11)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from helpers.classifier import Classifier, OnnxModel, load_checked
from helpers.data import ImageDataset, SampleDataset, class_counts, image_datasets
from helpers.errors import LessonError
from helpers.evaluation import Accuracy, accuracy, calibration_error
from helpers.inference import SavedModel
from helpers.models import count_parameters
from helpers.weights import SOURCES

LISTED = 20  # classes, at most, that the card shows one by one

Answers = tuple[torch.Tensor, torch.Tensor]  # probabilities (images, classes), labels (images,)


def answers(model: Classifier, dataset: ImageDataset | SampleDataset) -> Answers:
    """What a model says of the images of a dataset, whatever its transform: probabilities (images, classes), labels.

    The same pair as that of `helpers.evaluation.predict`, for models that run without PyTorch.

    Raises:
        LessonError: an image cannot be read, or the dataset numbers its classes in another way than the model.
    """
    if dataset.classes != model.class_names:
        raise LessonError(
            "The classes of the dataset are not those of the model: give it class_names=model.class_names."
        )
    rows = [model.probabilities([load_checked(path)])[0] for path, _ in dataset.samples]
    return torch.from_numpy(np.stack(rows)), torch.tensor(dataset.targets)


def datasets_of(model: SavedModel, folder: str | Path) -> dict[str, ImageDataset]:
    """The splits of the images that a model was trained on.

    Raises:
        LessonError: they cannot be read, or have other classes.
    """
    datasets = image_datasets(folder, model.preprocessing)
    if datasets["train"].classes != model.class_names:
        raise LessonError(
            f"{folder} has the classes {', '.join(datasets['train'].classes)}, and the model was trained on "
            f"{', '.join(model.class_names)}."
        )
    return datasets


def model_card(
    model: SavedModel, path: str | Path, folder: str | Path, purpose: str = "", shifted: str | Path | None = None
) -> str:
    """The model card of an exported file, with the figures of the file itself.

    Args:
        model: the trained model, from which the file was exported.
        path: of the file that takes images, as `helpers.export.export_onnx` writes it.
        folder: of the images, with `train/`, `val/` and perhaps `test/`. Without one, `val` takes its place,
            and the card says so.
        purpose: what the model is for, and what not, in its author's words.
        shifted: images taken under other conditions, in one folder per class.

    Raises:
        LessonError: the images or the file cannot be read, or the classes are not those of the model.
    """
    datasets = datasets_of(model, folder)
    exported = OnnxModel(path)
    split = "test" if "test" in datasets else "val"
    other = None if shifted is None else answers(exported, ImageDataset(shifted, class_names=model.class_names))
    return card(
        replace(model, threshold=exported.threshold),
        path,
        {"takes": "one RGB image of any size, uint8 (height, width, 3)", "precision": exported.metadata["precision"]},
        {name: class_counts(dataset) for name, dataset in datasets.items()},
        {split: answers(exported, datasets[split])},
        purpose,
        other,
    )


def card(
    model: SavedModel,
    path: str | Path,
    facts: Mapping[str, str],
    counts: Mapping[str, Mapping[str, int]],
    measured: Mapping[str, Answers],
    purpose: str = "",
    shifted: Answers | None = None,
) -> str:
    """A model card (Mitchell et al., 2019) in Markdown.

    Args:
        model: what the file holds.
        path: of the file.
        facts: what else there is to say of it, such as how it was trained, each by its name.
        counts: how many images each class has in each split, by its name.
        measured: what the model answers in each split that it was not trained on. The card shows `test`, or `val`
            where there is none, and says so.
        purpose: what the model is for, and what not, in its author's words.
        shifted: what it answers to images taken under other conditions.
    """
    path = Path(path).expanduser()
    split = "test" if "test" in measured else "val"
    usual = measured[split]
    sections = {
        "The model": _facts(model, path, facts),
        "Purpose": purpose or "Not stated. Whoever hands it on should say what it is for, and what it is not for.",
        "Data": _data(model.class_names, counts),
        f"Measured on {split}": _measured(*usual, model.class_names, split),
        "Not sure": _threshold(*usual, model.threshold, split),
        "Limits": _limits(model.class_names),
    }
    if shifted is not None:
        sections["Other conditions"] = _shifted(shifted, usual, split)
    return (
        f"# Model card: {path.name}\n\n"
        + "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
        + "\n"
    )


def _table(*rows: tuple[object, ...]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} others" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _facts(model: SavedModel, path: Path, facts: Mapping[str, str]) -> str:
    preprocessing, content = model.preprocessing, path.read_bytes()
    began = SOURCES.get(model.pretrained)
    licence = began.licence if began else "ask whoever made them; it is not noted in the file"
    return _table(
        ("what", ""),
        ("architecture", f"{model.architecture}, {count_parameters(model.network)[0]:,} parameters"),
        (
            "prepares an image",
            f"resizes the shorter side to {preprocessing.resize} pixels ({preprocessing.interpolation}, antialiased), "
            f"cuts {preprocessing.size} x {preprocessing.size} out of the centre, normalises; the file brings all this",
        ),
        ("answers", f"a probability for each of {_listed(model.class_names)}"),
        ("file", f"{len(content) / 1e6:.1f} MB"),
        ("sha256", f"`{hashlib.sha256(content).hexdigest()}`"),
        ("began with", f"the weights `{model.pretrained or 'not noted'}`"),
        ("licence of these weights", licence),
        *facts.items(),
    )


def _data(names: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> str:
    shown = names[:LISTED]
    rows = [
        (split, *(of_class.get(name, 0) for name in shown), sum(of_class.values()))
        for split, of_class in counts.items()
    ]
    return _table(("split", *shown, "together"), *rows)


def _measured(probabilities: torch.Tensor, labels: torch.Tensor, names: list[str], split: str) -> str:
    predicted = probabilities.argmax(1)
    constant = Accuracy(int(labels.bincount().max()), len(labels))
    rows = [
        (
            name,
            _share(int(((predicted == index) & (labels == index)).sum()), int((labels == index).sum())),
            _share(int(((predicted == index) & (labels == index)).sum()), int((predicted == index).sum())),
        )
        for index, name in enumerate(names[:LISTED])
    ]
    chosen = ""
    if split == "val":
        chosen = (
            " There is no test split: whatever was chosen, was chosen on these images, so this is a little too high."
        )
    return (
        f"Accuracy {accuracy(predicted, labels)}; always the most frequent class: {constant.value:.1%}. "
        f"Expected calibration error {calibration_error(probabilities, labels):.3f}. "
        f"Brackets hold 95 % intervals (Wilson).{chosen}\n\n" + _table(("class", "recall", "precision"), *rows)
    )


def _threshold(probabilities: torch.Tensor, labels: torch.Tensor, threshold: float, split: str) -> str:
    if not threshold:
        return "No threshold was chosen: it answers every image."
    confidence, predicted = probabilities.max(1)
    sure = confidence >= threshold
    return (
        f'Below a probability of {threshold:.2f}, chosen on val, the answer is "not sure". On {split} it answers '
        f"{_share(int(sure.sum()), len(labels))} of the images; of these answers "
        f"{_share(int((predicted == labels)[sure].sum()), int(sure.sum()))} are right."
    )


def _limits(names: list[str]) -> str:
    return (
        f"- It knows {_listed(names)}, and nothing else. Whatever else it is shown, it names one of these, "
        "perhaps with a high probability.\n"
        "- The figures hold for images like those that it was measured on: the same cameras, places and seasons.\n"
        "- A probability is an estimate of the model. It is no guarantee for a single image."
    )


def _shifted(shifted: Answers, usual: Answers, split: str) -> str:
    rows = [
        (title, accuracy(p.argmax(1), labels), f"{p.amax(1).mean():.2f}")
        for title, (p, labels) in ((split, usual), ("other conditions", shifted))
    ]
    return _table(("images", "accuracy", "mean confidence"), *rows)


def _share(right: int, total: int) -> str:
    """Of 0 images, no share can be named."""
    return str(Accuracy(right, total)) if total else "none"
