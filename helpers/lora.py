"""LoRA on convolutions of 1 x 1 pixel: frozen weights, and a thin product beside them that learns (lesson 07)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from helpers.errors import LessonError
from helpers.models import find_heads, freeze


class LoRA(nn.Module):
    """A frozen 1 x 1 convolution, and beside it two thin ones that learn (low-rank adaptation: Hu et al., 2021).

    `up` starts at zero, so at first nothing changes.

    Args:
        frozen: the convolution, of 1 x 1 pixel and without groups; it gets frozen.
        rank: the channels between `down` and `up`.
    """

    def __init__(self, frozen: nn.Conv2d, rank: int):
        super().__init__()
        self.frozen = frozen.requires_grad_(False)
        stride: Any = frozen.stride  # in both directions
        self.down = nn.Conv2d(frozen.in_channels, rank, 1, stride, bias=False).to(frozen.weight)
        self.up = nn.Conv2d(rank, frozen.out_channels, 1, bias=False).to(frozen.weight)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.frozen(x) + self.up(self.down(x))
        return added

    @torch.no_grad()
    def merged(self) -> nn.Conv2d:
        """The frozen convolution, with what was learned added to its weights, in place."""
        product = self.up.weight.flatten(1) @ self.down.weight.flatten(1)
        self.frozen.weight += product[:, :, None, None]
        return self.frozen


def add_lora(model: nn.Module, rank: int) -> nn.Module:
    """Freeze all but the head, and put a `LoRA` around each 1 x 1 convolution, in place. Returns the model.

    Args:
        model: a network of torchvision or timm, after `replace_head`.
        rank: the more, the more each layer can learn, and the more there is to store.

    Raises:
        LessonError: no layer is a 1 x 1 convolution.
    """
    heads = find_heads(model)
    found = [name for name, layer in model.named_modules() if _is_pointwise(layer) and name not in heads]
    if not found:
        raise LessonError(
            f"{type(model).__name__} has no convolution of 1 x 1 pixel for LoRA; train its late layers, with fine_tune."
        )
    freeze(model)
    for name in found:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Conv2d)
        _replace(model, name, LoRA(layer, rank))
    return model


def merge_lora(model: nn.Module) -> nn.Module:
    """Take each `LoRA` out again and keep what it learned, in place: the network is as large and as fast as before.

    Returns the model.
    """
    for name, layer in list(_loras(model)):
        _replace(model, name, layer.merged())
    return model


def _loras(model: nn.Module) -> Iterator[tuple[str, LoRA]]:
    for name, layer in model.named_modules():
        if isinstance(layer, LoRA):
            yield name, layer


def _is_pointwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1


def _replace(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, layer)
