"""Which regions of an image a prediction depends on (lesson 05)."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from helpers.devices import device_of, to_device
from helpers.errors import LessonError
from helpers.features import hooks, layers_with_places, no_places, split_tokens
from helpers.models import forward_checked

BATCH = 16


def cam_layer(model: nn.Module) -> str:
    """The last layer with a spatial map that the head depends on: `layer4` in a ResNet, the last ReLU of VGG16.

    A vision transformer's head reads the class token alone, which gets what it knows about the places from the
    block before the last.
    """
    layers = layers_with_places(model)
    if not layers:
        raise LessonError(no_places(model))
    name = list(layers)[-1]
    if not (layers[name][1] and getattr(model, "has_class_token", True)):
        return name
    with_token = [name for name, (_, others) in layers.items() if others]
    blocks = [name for name in with_token if not isinstance(model.get_submodule(name), nn.LayerNorm)]
    return blocks[-2:][0]


def grad_cam(
    model: nn.Module, images: torch.Tensor, classes: torch.Tensor | Sequence[int], layer: str | None = None
) -> torch.Tensor:
    """Grad-CAM (Selvaraju et al., 2017): the regions that raise the score of a class.

    Args:
        model: a convolutional network or a vision transformer; it is set to `eval()`.
        images: (n, 3, h, w), normalised.
        classes: (n,), the index of the class to explain, for each image.
        layer: name of the submodule whose channels are weighted; None takes `cam_layer(model)`.

    Returns:
        (n, h, w) float on the CPU: 1 at the maximum of each image; all 0 where no region raises the score.

    Raises:
        LessonError: there is no such layer, or the images do not fit the model.
    """
    classes = torch.as_tensor(classes)
    if images.ndim == 4 and classes.shape != images.shape[:1]:
        raise LessonError(
            f"There are {len(images)} images and classes of the shape {tuple(classes.shape)}; give one for each image."
        )
    outputs: dict[str, torch.Tensor] = {}
    weighted = []
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        hooks(model.eval(), [layer or cam_layer(model)], outputs.__setitem__),
    ):
        # A few at a time: until the gradient is there, what every layer returned stays in memory.
        for some, target in zip(images.split(BATCH), classes.split(BATCH), strict=True):
            x = to_device(some, model).detach().clone()  # a clone, for what inference mode made takes no gradient
            x.requires_grad_()  # so that there are gradients in a frozen network, too
            logits = forward_checked(model, x)
            if int(target.max()) >= logits.shape[1]:
                raise LessonError(f"The model has {logits.shape[1]} outputs, and no class {int(target.max())}.")
            ((name, output),) = outputs.items()
            if output.ndim < 3:
                raise LessonError(f"The layer {name!r} knows no places; {cam_layer(model)!r} is the last that does.")
            (gradient,) = torch.autograd.grad(logits.gather(1, target.to(logits.device).clone()[:, None]).sum(), output)
            maps, slopes = split_tokens(output.detach())[1], split_tokens(gradient)[1]
            weighted.append((maps * slopes.mean((2, 3), keepdim=True)).sum(1, keepdim=True))
    coarse = torch.cat(weighted).relu()
    fine = nn.functional.interpolate(coarse.float(), images.shape[2:], mode="bilinear").squeeze(1).cpu()
    return fine / fine.amax((1, 2), keepdim=True).clamp(min=torch.finfo(fine.dtype).tiny)


def randomised_copy(model: nn.Module) -> nn.Module:
    """The same network with random weights: a map that stays as it was explains nothing (Adebayo et al., 2018).

    The class token and the position embeddings of a vision transformer stay as they were. The others are drawn on the
    CPU: one seed gives one network, whatever the model's device.
    """
    copied = copy.deepcopy(model).cpu()
    for module in copied.modules():
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if reset is not None:
            reset()
    return copied.to(device_of(model))
