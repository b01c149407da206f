"""A trained model in one file, with its classes and its preprocessing, and what it predicts (lesson 09)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from helpers.classifier import Classifier, load_checked
from helpers.devices import to_device
from helpers.errors import LessonError, is_lfs_pointer
from helpers.files import atomic_write
from helpers.models import find_head, forward_checked, load_model, meta_model, replace_head, unwrapped
from helpers.transforms import eval_transform
from helpers.weights import SOURCES, Preprocessing


@dataclass(frozen=True)
class SavedModel(Classifier):
    """A trained network with all that it needs to answer.

    Attributes:
        network: in evaluation mode.
        architecture: the name of its builder, as `helpers.models.load_model` takes it.
        class_names: in the order of the network's outputs.
        preprocessing: what it was trained with.
        threshold: a smaller probability of the best class means "not sure"; 0 where nobody chose one.
        pretrained: the name of the weights that it began with, as `helpers.models.load_model` takes them; empty where
            that is not known.
    """

    network: nn.Module
    architecture: str
    class_names: list[str]
    preprocessing: Preprocessing
    threshold: float = 0.0
    pretrained: str = ""

    def probabilities(self, images: Sequence[Image.Image]) -> np.ndarray:
        prepare = eval_transform(self.preprocessing)
        return self._answers(torch.stack([prepare(image) for image in images]))

    def predict_files(
        self, paths: Sequence[str | Path], batch_size: int = 32, num_workers: int = 0
    ) -> Iterator[tuple[str | Path, dict[str, float] | LessonError]]:
        """As `predict`, for many files in batches, on the network's device.

        Args:
            paths: of the images.
            batch_size: how many the network sees at once.
            num_workers: processes that decode the files.

        Yields:
            Each path with its probabilities, or with the error of an image that cannot be read.
        """
        dataset = _Inputs(paths, eval_transform(self.preprocessing))
        start = 0
        for items in DataLoader(dataset, batch_size, num_workers=num_workers, collate_fn=list):
            inputs = [item for item in items if isinstance(item, torch.Tensor)]
            answers = iter(self._named(self._answers(torch.stack(inputs))) if inputs else [])
            for path, item in zip(paths[start : start + len(items)], items, strict=True):
                yield path, next(answers) if isinstance(item, torch.Tensor) else item
            start += len(items)

    @torch.inference_mode()
    def _answers(self, batch: torch.Tensor) -> np.ndarray:
        logits = forward_checked(self.network, to_device(batch, self.network))
        return logits.float().softmax(1).cpu().numpy()


class _Inputs(Dataset[torch.Tensor | LessonError]):
    """What a network sees of files; the error of those that cannot be read stands in their place."""

    def __init__(self, paths: Sequence[str | Path], transform: Callable[[Image.Image], torch.Tensor]):
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor | LessonError:
        try:
            return self.transform(load_checked(self.paths[index]))
        except LessonError as error:
            return LessonError(str(error))


def save_model(
    path: str | Path,
    model: nn.Module,
    class_names: list[str],
    preprocessing: Preprocessing,
    architecture: str | None = None,
    threshold: float = 0.0,
) -> None:
    """Write a trained model into one safetensors file: weights, classes and preprocessing; no code.

    Args:
        path: as in `insects.safetensors`; a file that is there is replaced, whole.
        model: a network of torchvision or timm after `replace_head`; perhaps compiled, or spread over devices. Weights
            in half precision are saved as they are.
        class_names: in the order of its outputs.
        preprocessing: what it was trained with.
        architecture: the name of its builder, as `load_model` takes it; None takes the one that `load_model` noted.
        threshold: below this probability of the best class, the model is "not sure"; choose it on `val`
            (`helpers.evaluation.choose_threshold`).

    Raises:
        LessonError: the model is not of this architecture and these classes, or the file cannot be written.
    """
    names = _names(class_names)
    if not 0 <= float(threshold) <= 1:
        raise LessonError(f"The threshold is {float(threshold):g}; it is a probability, of 0 to 1.")
    if Path(path).suffix.lower() == ".onnx":
        raise LessonError(f"{Path(path).name} should end in .safetensors; `python -m helpers.export` makes ONNX of it.")
    model = unwrapped(model)
    if getattr(model, "image_size", preprocessing.size) != preprocessing.size:
        raise LessonError(
            f"The model takes images of {model.image_size} pixels, and the preprocessing makes them of "
            f"{preprocessing.size}; give the one that it was trained with."
        )
    architecture = architecture or getattr(model, "architecture", None)
    if architecture is None:
        raise LessonError(
            f"Which network this {type(model).__name__} is has to be said, for `load_saved` builds it anew: "
            "save_model(..., architecture='resnet18') for a ResNet18 of torchvision, 'timm/resnet18' for timm's."
        )
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    _fitted(weights, architecture, len(names), "The model")
    metadata = {
        "architecture": architecture,
        "class_names": json.dumps(names),
        "size": str(preprocessing.size),
        "resize": str(preprocessing.resize),
        "interpolation": preprocessing.interpolation,
        "normalisation": json.dumps({"mean": preprocessing.mean, "std": preprocessing.std}),
        # torchvision's pretrained Inception and GoogLeNet change their input themselves; no weight tells.
        "transform_input": json.dumps(getattr(model, "transform_input", False)),
        "threshold": str(float(threshold)),
        "pretrained": getattr(model, "pretrained", ""),
    }
    atomic_write(Path(path).expanduser(), safetensors.torch.save(weights, metadata))


def _names(class_names: Sequence[str]) -> list[str]:
    """The names of the classes in the order of the outputs, as text."""
    if isinstance(class_names, (str, Set, Mapping)):
        raise LessonError(
            f"class_names is a {type(class_names).__name__}; give a list of names in the order of the outputs, as "
            "dataset.classes."
        )
    names = [str(name) for name in class_names]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise LessonError(f"class_names has {twice!r} twice; answers go by the names, so each needs its own.")
    return names


def load_saved(path: str | Path) -> SavedModel:
    """Read what `save_model` wrote. Nothing in the file is run. Half precision becomes float32, for all devices.

    A file of the browser lab holds a head alone, and names the pretrained weights that it was trained on.

    Raises:
        LessonError: there is no such file, it is damaged or something else, or its parts do not fit together.
    """
    path = Path(path).expanduser()
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError as error:
        raise LessonError(f"{path} is not there; helpers.inference.save_model writes it.") from error
    except (safetensors.SafetensorError, OSError) as error:
        if path.is_file() and is_lfs_pointer(path):
            raise LessonError(
                f"{path} is a note of Git LFS in place of the model; run `git lfs pull` to fetch it."
            ) from None
        raise LessonError(f"{path} is damaged or no safetensors file ({error}); save the model anew.") from error
    try:
        architecture, normalisation = metadata["architecture"], json.loads(metadata["normalisation"])
        preprocessing = Preprocessing(
            int(metadata["size"]),
            int(metadata["resize"]),
            tuple(normalisation["mean"]),
            tuple(normalisation["std"]),
            metadata["interpolation"],
        )
        class_names = [str(name) for name in json.loads(metadata["class_names"])]
        transform_input = json.loads(metadata["transform_input"])
        threshold = float(metadata.get("threshold", 0))  # older files have none
    except (KeyError, TypeError, ValueError) as error:
        raise LessonError(
            f"{path} lacks its architecture, preprocessing or classes ({error}); "
            "helpers.inference.save_model writes them."
        ) from error
    if backbone := metadata.get("backbone"):
        weights = _backbone(backbone, architecture, path) | weights
    network = _fitted(weights, architecture, len(class_names), path).float()
    if transform_input:
        network.transform_input = True  # type: ignore[assignment]  # a switch, neither tensor nor layer
    pretrained = metadata.get("pretrained") or metadata.get("backbone", "")
    return SavedModel(network.eval(), architecture, class_names, preprocessing, threshold, pretrained)


def _backbone(pretrained: str, architecture: str, source: str | Path) -> dict[str, torch.Tensor]:
    """Pretrained weights without those of the head; nothing is downloaded."""
    if pretrained not in SOURCES or SOURCES[pretrained].architecture != architecture:
        raise LessonError(
            f"{source} holds a head for the weights {pretrained!r} of {architecture}, which are not here; there are "
            f"{', '.join(SOURCES)}."
        )
    model = load_model(pretrained)
    head = find_head(model)
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(f"{head}.")}


def _fitted(weights: dict[str, torch.Tensor], architecture: str, num_classes: int, source: str | Path) -> nn.Module:
    """The network with these weights, or one line that says what does not match."""
    try:
        network = replace_head(meta_model(architecture), num_classes)
    except LessonError as error:
        raise LessonError(f"{source} cannot be built. {error}") from error
    expected = network.state_dict()
    for name in [*expected, *(weights.keys() - expected.keys())]:
        wanted, there = (tuple(state[name].shape) if name in state else "none" for state in (expected, weights))
        if wanted != there:
            raise LessonError(
                f"{source} does not match {architecture} with {num_classes} classes: "
                f"{name} is {there}, expected {wanted}."
            )
    if len(list(network.buffers())) > sum(name in expected for name, _ in network.named_buffers()):
        network = replace_head(load_model(None, architecture), num_classes)  # some tables are made, not saved
    network.load_state_dict(weights, assign=True)
    return network
