"""Where pretrained weights come from, and how images have to be prepared for them (lessons 00, 08)."""

from dataclasses import dataclass, replace

import torchvision

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
        object.__setattr__(self, "resize", self.resize or round(self.size * 256 / 224))

    def at(self, size: int) -> "Preprocessing":
        """The same at another size, in pixels; the crop shows the same part of the image."""
        return replace(self, size=size, resize=round(size * self.resize / self.size))


EMBEDDED = Preprocessing(128)


def torchvision_preprocessing(architecture: str, weights: str = "DEFAULT") -> Preprocessing:
    """What torchvision says of its weights of an architecture; nothing is downloaded.

    Args:
        architecture: the name of torchvision's builder, as in `resnet18`.
        weights: as in `IMAGENET1K_V1`.
    """
    preset = torchvision.models.get_model_weights(architecture)[weights].transforms()
    return Preprocessing(
        preset.crop_size[0], preset.resize_size[0], tuple(preset.mean), tuple(preset.std), preset.interpolation.value
    )


def preprocessing_of(weights: str, architecture: str = "resnet18") -> Preprocessing:
    """How images have to be prepared for weights, by the names that `helpers.models.load_model` takes."""
    return EMBEDDED if weights == "embedded" else torchvision_preprocessing(architecture, weights)
