"""Which regions of an image a prediction depends on (lesson 05)."""

import copy

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import nn

from helpers.devices import device_of


def grad_cam(model: nn.Module, images: torch.Tensor, classes, layer: str = "layer4") -> torch.Tensor:
    """Grad-CAM (Selvaraju et al., 2017), as captum computes it: the regions that raise the score of a class.

    Args:
        model: a convolutional network; it is set to `eval()`.
        images: (n, 3, h, w), normalised.
        classes: (n,), the index of the class to explain, for each image.
        layer: name of the submodule whose channels are weighted; best the last one with a spatial map.

    Returns:
        (n, h, w) float on the CPU: 1 at the maximum of each image; all 0 where no region raises the score.
    """
    device = device_of(model)
    explainer = LayerGradCam(model.eval(), model.get_submodule(layer))
    target = torch.as_tensor(classes, device=device)
    coarse = explainer.attribute(images.to(device), target, relu_attributions=True).detach()
    maps = LayerAttribution.interpolate(coarse, images.shape[2:], "bilinear").squeeze(1).cpu()
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)


def randomised_copy(model: nn.Module) -> nn.Module:
    """The same network with random weights: a map that stays as it was explains nothing (Adebayo et al., 2018)."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return copied
