"""A trained model as programs use it: `load(path).predict(images)`, with PyTorch or with onnxruntime alone (lesson 10).

This module and what it imports need NumPy and Pillow. PyTorch is imported for a safetensors file, onnxruntime for an
ONNX file.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from helpers.errors import LessonError
from helpers.images import ImageSource, load_image

MAX_RATIO = 100  # of an image's sides: resized until the shorter one fits, a longer strip would fill the memory


class Classifier(ABC):
    """What answers images: probabilities of its classes.

    Attributes:
        class_names: in the order of the outputs.
        threshold: a smaller probability of the best class means "not sure"; 0 where nobody chose one.
    """

    class_names: list[str]
    threshold: float

    @abstractmethod
    def probabilities(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Float32 (images, classes), of RGB images of any sizes."""

    @overload
    def predict(self, images: ImageSource) -> dict[str, float]: ...
    @overload
    def predict(self, images: list[ImageSource]) -> list[dict[str, float]]: ...
    def predict(self, images: ImageSource | list[ImageSource]) -> dict[str, float] | list[dict[str, float]]:
        """The probability of each class, the most probable first: for one image, or for each image of a list.

        Args:
            images: as `helpers.images.load_image` takes them: paths, files, bytes, uploads, PIL images or arrays.

        Raises:
            LessonError: an image cannot be read, or is a strip of `MAX_RATIO` to 1 or longer.
        """
        if not isinstance(images, list):
            return self.predict([images])[0]
        decoded = [load_checked(image) for image in images]
        return self._named(self.probabilities(decoded)) if images else []

    def predict_files(
        self, paths: Sequence[str | Path], batch_size: int = 32, num_workers: int = 0
    ) -> Iterator[tuple[str | Path, dict[str, float] | LessonError]]:
        """As `predict`, for many files.

        Args:
            paths: of the images.
            batch_size: how many a network sees at once, where it takes several.
            num_workers: processes that decode the files, where there are any.

        Yields:
            Each path with its probabilities, or with the error of an image that cannot be read.
        """
        for path in paths:
            try:
                yield path, self.predict(path)
            except LessonError as error:
                yield path, error

    def _named(self, probabilities: np.ndarray) -> list[dict[str, float]]:
        """Rows of (images, classes) with the names of the classes, the most probable first."""
        rows = [zip(self.class_names, row, strict=True) for row in probabilities.tolist()]
        return [dict(sorted(row, key=lambda item: -item[1])) for row in rows]


class OnnxModel(Classifier):
    """An exported model that takes images of any size: its preprocessing is part of its graph.

    Args:
        path: of a file that `helpers.export` wrote.

    Attributes:
        session: of onnxruntime.
        metadata: what `helpers.export` noted: architecture, preprocessing and others.

    Raises:
        LessonError: onnxruntime is not installed or too old; the file is missing, damaged or another's.
    """

    def __init__(self, path: str | Path):
        path = Path(path).expanduser()
        self.session = _session(path)
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        takes = self.metadata.get("input")
        if takes == "tensor":
            raise LessonError(f"{path} takes tensors that are prepared already; load the file without '.tensor'.")
        try:
            self.class_names = [str(name) for name in json.loads(self.metadata["class_names"])]
            self.threshold = float(self.metadata["threshold"])
        except (KeyError, TypeError, ValueError) as error:
            raise LessonError(
                f"{path} lacks its classes or its threshold ({error}); `python -m helpers.export` writes them."
            ) from error
        outputs = self.session.get_outputs()[0].shape
        if takes != "image" or outputs != [len(self.class_names)]:
            raise LessonError(
                f"{path} does not turn one image into {len(self.class_names)} probabilities; "
                "`python -m helpers.export` writes such files."
            )

    def probabilities(self, images: Sequence[Image.Image]) -> np.ndarray:
        return np.stack([self.session.run(None, {"image": np.asarray(image)})[0] for image in images])


def load(path: str | Path) -> Classifier:
    """A trained model, ready to answer.

    Args:
        path: what `helpers.inference.save_model` wrote, which PyTorch runs; or what `helpers.export` made of it, which
            ends in `.onnx` and which onnxruntime runs.

    Raises:
        LessonError: there is no such file, it is damaged or something else, or what runs it is not installed.
    """
    if Path(path).suffix.lower() == ".onnx":
        return OnnxModel(path)
    try:
        from helpers.inference import load_saved
    except ImportError as error:
        raise LessonError(f"{path} needs PyTorch ({error}); a file ending in .onnx does not.") from error
    return load_saved(path)


def load_checked(source: ImageSource) -> Image.Image:
    """As `load_image`; a strip of more than `MAX_RATIO` to 1 is refused."""
    image = load_image(source)
    if max(image.size) > MAX_RATIO * min(image.size):
        name = source if isinstance(source, (str, Path)) else "The image"
        raise LessonError(f"{name} is {image.width} x {image.height} pixels, too long a strip; cut out what it shows.")
    return image


def _session(path: Path) -> Any:
    """A session of onnxruntime on the CPU, or one line that says why there is none."""
    try:
        import onnxruntime
    except ImportError as error:
        raise LessonError(f"{path} needs onnxruntime; `python -m pip install onnxruntime` brings it.") from error
    if not path.is_file():
        raise LessonError(f"{path} is not there; `python -m helpers.export` writes it.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said below, in one line
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a kind of its own for each
        reason = " ".join(str(error).split())
        if re.search(r"IR version|opset", reason, re.IGNORECASE):
            raise LessonError(
                f"onnxruntime {onnxruntime.__version__} is too old for {path} ({reason}); "
                "`python -m pip install --upgrade onnxruntime` brings a newer one."
            ) from None
        raise LessonError(
            f"{path} is damaged or no ONNX file ({reason}); `python -m helpers.export` writes one."
        ) from None
