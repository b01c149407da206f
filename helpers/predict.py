"""A trained model for keeps: one file with its classes and its preprocessing, and its answers to new pictures.

python -m helpers.predict MODEL IMAGE...
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from helpers.data import load_image
from helpers.errors import LessonError
from helpers.files import write_whole
from helpers.models import replace_head, skeleton
from helpers.transforms import MEAN, STD, eval_transform

NORMALISATION = json.dumps({"mean": MEAN, "std": STD})


@dataclass(frozen=True)
class SavedModel:
    """A trained network with all that it needs to answer.

    Attributes:
        network: in evaluation mode.
        architecture: the name of torchvision's builder, as in `resnet18`.
        class_names: in the order of the network's scores.
        size: the side of the square that the network sees, in pixels.
    """

    network: nn.Module
    architecture: str
    class_names: list[str]
    size: int

    @torch.inference_mode()
    def predict(self, image) -> dict[str, float]:
        """The probability of each class, the most probable first.

        Args:
            image: a path, a file, or a PIL image.

        Raises:
            LessonError: the picture cannot be read.
        """
        picture = image if hasattr(image, "convert") else load_image(image)
        scores = self.network(eval_transform(self.size)(picture.convert("RGB"))[None])[0]
        probabilities = dict(zip(self.class_names, scores.softmax(0).tolist(), strict=True))
        return dict(sorted(probabilities.items(), key=lambda item: -item[1]))


def save_model(path: str | Path, model: nn.Module, class_names: list[str], size: int, architecture="resnet18") -> None:
    """Write a trained model into one safetensors file: weights, classes and preprocessing; no code.

    Args:
        path: as in `insects.safetensors`; a file that is there is replaced, whole.
        model: a network of torchvision after `replace_head`.
        class_names: in the order of its scores.
        size: the side of the square that it was trained on, in pixels.
        architecture: the name of torchvision's builder.

    Raises:
        LessonError: the model is not of this architecture and these classes, or the file cannot be written.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    _fitted(weights, architecture, len(class_names), "The model")
    metadata = {
        "architecture": architecture,
        "class_names": json.dumps(list(class_names)),
        "size": str(size),
        "normalisation": NORMALISATION,
        # torchvision's pretrained Inception and GoogLeNet change their input themselves; no weight tells.
        "transform_input": json.dumps(getattr(model, "transform_input", False)),
    }
    write_whole(Path(path).expanduser(), safetensors.torch.save(weights, metadata))


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
        raise LessonError(f"{path} is not there; helpers.predict.save_model writes it.") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise LessonError(f"{path} is damaged or no safetensors file ({error}); save the model anew.") from error
    try:
        architecture, size = metadata["architecture"], int(metadata["size"])
        class_names = [str(name) for name in json.loads(metadata["class_names"])]
        normalisation = metadata["normalisation"]
        transform_input = json.loads(metadata["transform_input"])
    except (KeyError, TypeError, ValueError) as error:
        raise LessonError(
            f"{path} lacks its architecture, size or classes ({error}); helpers.predict.save_model writes them."
        ) from error
    if normalisation != NORMALISATION:
        raise LessonError(f"{path} was trained with another normalisation, {normalisation}; train it anew.")
    network = _fitted(weights, architecture, len(class_names), path)
    if transform_input:
        network.transform_input = True
    return SavedModel(network.eval(), architecture, class_names, size)


def _fitted(weights: dict[str, torch.Tensor], architecture: str, num_classes: int, source) -> nn.Module:
    """The network with these weights, or one line that says what does not match."""
    try:
        network = replace_head(skeleton(architecture), num_classes)
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


def main() -> int:
    """Prints a line for each picture; the exit status is 1 where one could not be read."""
    parser = argparse.ArgumentParser(prog="python -m helpers.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="MODEL", help="a file of helpers.predict.save_model")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="pictures")
    arguments = parser.parse_args()
    try:
        model = load_saved(arguments.model)
    except LessonError as error:
        sys.exit(str(error))
    failed = 0
    for path in arguments.images:
        try:
            name, probability = next(iter(model.predict(path).items()))
            print(f"{path}  {name} {probability:.1%}")
        except LessonError as error:
            print(error, file=sys.stderr)
            failed += 1
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
