"""Backbones, their heads, and what of them is trained (lesson 03)."""

import hashlib
from pathlib import Path

import safetensors.torch
import torchvision
from torch import nn

from helpers.errors import LessonError
from helpers.tracks import ROOT

EMBEDDED = ROOT / "data" / "weights" / "resnet18_tiny_imagenet.safetensors"
BATCH_NORM = nn.modules.batchnorm._BatchNorm


def load_model(weights: str | None = "embedded", architecture: str = "resnet18") -> nn.Module:
    """A network of torchvision with its pretrained weights.

    Args:
        weights: `embedded` (this project's ResNet18, 199 classes of Tiny ImageNet), the name of
            torchvision's weights (`IMAGENET1K_V1`, `DEFAULT`; downloaded once), or None for random ones.
        architecture: the name of torchvision's builder, as in `resnet18`, `vgg16`, `inception_v3`.

    Raises:
        LessonError: the embedded weights are damaged, or exist for ResNet18 only.
    """
    if weights != "embedded":
        return torchvision.models.get_model(architecture, weights=weights)
    if architecture != "resnet18":
        raise LessonError(f"The embedded weights are a ResNet18's; for {architecture} run `make photos`, "
                          "then use weights='DEFAULT'.")
    model = torchvision.models.resnet18(num_classes=199)
    model.load_state_dict(safetensors.torch.load_file(verified(EMBEDDED)))
    return model


def verified(path: Path) -> Path:
    """`path`, once its sha256 is the one in `SHA256SUMS` beside it."""
    sums = dict(reversed(line.split()) for line in (path.parent / "SHA256SUMS").read_text().splitlines())
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sums[path.name]:
        raise LessonError(f"{path} is missing or damaged; `git checkout {path.relative_to(ROOT)}` restores it.")
    return path


def find_head(model: nn.Module) -> str:
    """The name of the layer that makes the class scores: the last linear (or convolutional) one.

    `fc` in a ResNet, `classifier.6` in VGG16, `heads.head` in a vision transformer.
    """
    return [name for name, layer in model.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Give `model` a new, random head for `num_classes` classes, in place; auxiliary heads as well.

    Works on every classification network of torchvision. Returns the model.
    """
    auxiliary = [child for name, child in model.named_children() if name.lower().startswith("aux") and child]
    for network in [*auxiliary, model]:
        name = find_head(network)
        old = network.get_submodule(name)
        if isinstance(old, nn.Linear):
            new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
        else:  # SqueezeNet's head is a convolution
            new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
        parent, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(parent), attribute, new)
    return model


def freeze(model: nn.Module, trainable: tuple[str, ...] = ()) -> nn.Module:
    """Freeze everything but the head and the named submodules, in place. Returns the model.

    `trainable=("layer4",)` trains a ResNet's last stage and its head. The statistics of frozen
    BatchNorm layers are kept still by `train_mode`, which `train_model` calls.
    """
    auxiliary = tuple(name for name, _ in model.named_children() if name.lower().startswith("aux"))
    keep = (find_head(model), *auxiliary, *trainable)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(name == part or name.startswith(part + ".") for part in keep)
    return model


def train_mode(model: nn.Module) -> None:
    """`model.train()`, except that BatchNorm layers whose parameters are frozen stay in evaluation mode.

    Otherwise they would go on moving their running mean and variance: frozen would not be frozen.
    """
    model.train()
    for layer in model.modules():
        if isinstance(layer, BATCH_NORM) and not any(p.requires_grad for p in layer.parameters()):
            layer.eval()


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The number of all parameters, and of those that are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)
