"""A trained model in one file, with its classes and its preprocessing, and what it predicts (lesson 09)."""

import json
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from helpers.data import load_image
from helpers.devices import to_device
from helpers.errors import LessonError
from helpers.files import atomic_write
from helpers.models import forward_checked, meta_model, replace_head
from helpers.transforms import eval_transform
from helpers.weights import Preprocessing


@dataclass(frozen=True)
class SavedModel:
    """A trained network with all that it needs to answer.

    Attributes:
        network: in evaluation mode.
        architecture: the name of torchvision's builder, as in `resnet18`.
        class_names: in the order of the network's outputs.
        preprocessing: what it was trained with.
    """

    network: nn.Module
    architecture: str
    class_names: list[str]
    preprocessing: Preprocessing

    @torch.inference_mode()
    def predict(self, image) -> dict[str, float]:
        """The probability of each class, the most probable first.

        Args:
            image: a path, a file, or a PIL image.

        Raises:
            LessonError: the picture cannot be read.
        """
        picture = image if hasattr(image, "convert") else load_image(image)
        batch = eval_transform(self.preprocessing)(picture.convert("RGB"))[None]
        logits = forward_checked(self.network, to_device(batch, self.network))[0]
        probabilities = dict(zip(self.class_names, logits.float().softmax(0).tolist(), strict=True))
        return dict(sorted(probabilities.items(), key=lambda item: -item[1]))


def save_model(
    path: str | Path,
    model: nn.Module,
    class_names: list[str],
    preprocessing: Preprocessing,
    architecture: str = "resnet18",
) -> None:
    """Write a trained model into one safetensors file: weights, classes and preprocessing; no code.

    Args:
        path: as in `insects.safetensors`; a file that is there is replaced, whole.
        model: a network of torchvision after `replace_head`.
        class_names: in the order of its outputs.
        preprocessing: what it was trained with.
        architecture: the name of torchvision's builder.

    Raises:
        LessonError: the model is not of this architecture and these classes, or the file cannot be written.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    _fitted(weights, architecture, len(class_names), "The model")
    metadata = {
        "architecture": architecture,
        "class_names": json.dumps(list(class_names)),
        "size": str(preprocessing.size),
        "resize": str(preprocessing.resize),
        "interpolation": preprocessing.interpolation,
        "normalisation": json.dumps({"mean": preprocessing.mean, "std": preprocessing.std}),
        # torchvision's pretrained Inception and GoogLeNet change their input themselves; no weight tells.
        "transform_input": json.dumps(getattr(model, "transform_input", False)),
    }
    atomic_write(Path(path).expanduser(), safetensors.torch.save(weights, metadata))


def load_saved(path: str | Path) -> SavedModel:
    """Read what `save_model` wrote. Nothing in the file is run.

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
    except (KeyError, TypeError, ValueError) as error:
        raise LessonError(
            f"{path} lacks its architecture, preprocessing or classes ({error}); "
            "helpers.inference.save_model writes them."
        ) from error
    network = _fitted(weights, architecture, len(class_names), path)
    if transform_input:
        network.transform_input = True
    return SavedModel(network.eval(), architecture, class_names, preprocessing)


def _fitted(weights: dict[str, torch.Tensor], architecture: str, num_classes: int, source) -> nn.Module:
    """The network with these weights, or one line that says what does not match."""
    try:
        network = replace_head(meta_model(architecture), num_classes)
    except ValueError as error:
        raise LessonError(f"{source} names the architecture {architecture!r}, which torchvision lacks.") from error
    expected = network.state_dict()
    for name in [*expected, *(weights.keys() - expected.keys())]:
        wanted, there = (tuple(state[name].shape) if name in state else "none" for state in (expected, weights))
        if wanted != there:
            raise LessonError(
                f"{source} does not match {architecture} with {num_classes} classes: "
                f"{name} is {there}, expected {wanted}."
            )
    network.load_state_dict(weights, assign=True)
    return network
