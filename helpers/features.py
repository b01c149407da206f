"""What a frozen backbone makes of the images, computed once, and a linear probe on it (lessons 00, 06)."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from helpers.devices import to_device
from helpers.distributed import gather_rows, of_first, rank
from helpers.errors import LessonError
from helpers.models import (
    find_head,
    find_heads,
    forward_checked,
    labelled_batches,
    meta_twin,
    native_size,
    open_containers,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish)


def split_tokens(output: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
    """What a layer returns, as feature maps; those of a vision transformer are its tokens, put back into their square.

    Args:
        output: (n, channels, height, width); (n, height, width, channels), as in a Swin transformer, of square
            images; or (n, tokens, channels), also of square images, perhaps with a class token at the beginning.

    Returns:
        The tokens (n, tokens, channels) that are no places, or None where there are none; the maps (n, channels,
        height, width).
    """
    if output.ndim == 4:
        first, second, third = output.shape[1:]
        channels_last = first == second != third
        return None, output.permute(0, 3, 1, 2) if channels_last else output
    side = math.isqrt(output.shape[1])
    others = output.shape[1] - side**2
    maps = torch.unflatten(output[:, others:].transpose(1, 2), 2, (side, side))
    return (output[:, :others] if others else None), maps


def layers_with_places(model: nn.Module) -> dict[str, tuple[int, bool]]:
    """The layers before the head that still know where in the image something is, from the input on.

    Found by one forward pass of a twin without numbers, at the size that the model was made for.

    Returns:
        The number of places of each, and whether tokens come with them that are none (a class token). The layers
        are those of `top_level_parts`, and the activations between them.
    """
    twin = meta_twin(model).eval()
    heads, found = find_heads(model), {}

    def note(name: str, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim in (3, 4):
            others, maps = split_tokens(output)
            if maps.shape[2:].numel() > 1:
                found[name] = (maps.shape[2:].numel(), others is not None)

    before_head = []
    for name, layer in open_containers(model):
        if name in heads:
            break
        if isinstance(layer, ACTIVATIONS) or any(True for _ in layer.parameters()):
            before_head.append(name)
    size = native_size(model)
    with hooks(twin, before_head, note), torch.no_grad():
        forward_checked(twin, torch.empty(1, 3, size, size, device="meta"))
    return found


def feature_layers(model: nn.Module) -> tuple[str, ...]:
    """The last layer at each of the two lowest resolutions: middle-sized shapes, and whole things.

    `layer3` and `layer4` in a ResNet. A vision transformer has one resolution: its last layer alone.
    """
    last = {places: name for name, (places, _) in layers_with_places(model).items()}
    if not last:
        raise LessonError(no_places(model))
    return tuple(last.values())[-2:]


def no_places(model: nn.Module) -> str:
    """What to do with a network around a network, as `self.backbone` in a class of the reader's own."""
    parts = ", ".join(dict(open_containers(model)))
    return f"No part of {type(model).__name__} ({parts}) returns maps; name a layer within them, as backbone.layer4."


def early_parts(model: nn.Module) -> list[str]:
    """The parts before the two lowest resolutions: they see edges and textures, which all images have.

    `conv1` to `layer2` in a ResNet. None in a vision transformer, whose layers all have one resolution.
    """
    places = {name: count for name, (count, _) in layers_with_places(model).items()}
    lowest = sorted(set(places.values()))[:2]
    return [name for name, count in places.items() if count > lowest[-1]]


@contextmanager
def hooks(model: nn.Module, layers: Sequence[str], note: Callable[[str, Any], None]) -> Iterator[None]:
    """Within it, `note(name, output)` gets what each of `layers` returns in a forward pass.

    Raises:
        LessonError: there is no such layer.
    """
    modules, handles = dict(model.named_modules()), []
    for name in layers:
        if name not in modules:
            raise LessonError(
                f"{type(model).__name__} has no layer {name!r}; there are {', '.join(dict(open_containers(model)))}, "
                "and those within them."
            )
    try:
        for name in layers:
            handles.append(modules[name].register_forward_hook(lambda _, __, output, name=name: note(name, output)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def extract_features(
    model: nn.Module, loader: DataLoader[Any], layers: tuple[str, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Run each image through the network once and keep what `layers` return, averaged over the image.

    Of a vision transformer's tokens, the class token is kept if there is one, and the mean otherwise: what its own
    head would read.

    Args:
        model: a network of torchvision or timm, on the device where it shall run.
        loader: batches of (n, 3, h, w) and their labels.
        layers: names of submodules that return feature maps or tokens; None takes `feature_layers(model)`.

    Returns:
        features: float32, (number of images, channels of all layers together); labels: int64.

    Raises:
        LessonError: there is no such layer, or the images do not fit the model.
    """
    layers = layers or feature_layers(model.eval())
    model.eval()
    pooled = {}

    def keep(name: str, output: torch.Tensor) -> None:
        if output.ndim == 2:  # of a layer that knows no places, as VGG's fully connected ones
            pooled[name] = output
            return
        others, maps = split_tokens(output)
        if others is not None and getattr(model, "has_class_token", True):  # timm's know it
            pooled[name] = others[:, 0]
        else:
            pooled[name] = maps.mean((2, 3))

    features: np.ndarray = np.empty((0, 0))
    labels: list[int] = []
    with hooks(model, layers, keep):
        for x, y in labelled_batches(loader):
            forward_checked(model, to_device(x, model))
            rows = torch.cat([pooled[layer] for layer in layers], 1).float().cpu().numpy()
            if not labels:  # room for all at once: thousands of small pieces would leave holes in the memory
                features = np.empty((_length(loader), rows.shape[1]), np.float32)
            if (lacking := len(labels) + len(rows) - len(features)) > 0:
                more = np.empty((max(lacking, len(features)), rows.shape[1]), np.float32)
                features = np.concatenate([features, more])
            features[len(labels) : len(labels) + len(y)] = rows
            labels += y.tolist()
    return gather_rows(features[: len(labels)]), gather_rows(np.array(labels))


def _length(loader: DataLoader[Any]) -> int:
    """How many images a loader gives; 0 where it does not say so, as for a stream."""
    try:
        return len(loader.sampler)  # type: ignore[arg-type]  # PyTorch's own samplers have a length
    except TypeError:
        return 0


def linear_probe(features: np.ndarray, labels: np.ndarray, C: float = 0.01, intercept: bool = True) -> "Pipeline":
    """Logistic regression on standardised features: the quickest head for a frozen backbone.

    Args:
        features: (images, channels).
        labels: (images,), class indices.
        C: inverse strength of the L2 penalty; small, since there are more channels than images.
        intercept: whether there is a bias; some heads have none.

    Returns:
        A fitted scikit-learn pipeline with `predict`, `predict_proba` and `score`.

    Raises:
        LessonError: all labels are the same.
    """
    # Imported late: they take two seconds, which lessons without a probe need not wait.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if not np.isfinite(features).all():
        raise LessonError("The features hold numbers that are none: an image or a weight of the network holds NaN.")
    if len(set(np.asarray(labels).tolist())) < 2:
        raise LessonError("All images have the same label: a probe needs images of at least two classes.")
    logistic = LogisticRegression(C=C, max_iter=1000, fit_intercept=intercept)
    probe = make_pipeline(StandardScaler(with_mean=intercept), logistic)
    # Such small matrices take longer to share out than to multiply. On a busy machine, threads that wait for each other
    # made a fit of 50 ms take ten seconds.
    with threadpool_limits(1, "blas"):
        return probe.fit(features, labels)


@torch.inference_mode()
def penultimate_features(model: nn.Module, loader: DataLoader[Any]) -> tuple[np.ndarray, np.ndarray]:
    """What reaches the head of any classification network: features for a probe, whatever the architecture.

    Args:
        model: on the device where it shall run.
        loader: batches of (n, 3, h, w) and their labels.

    Returns:
        features: float32, (number of images, inputs of the head); labels: int64. For a convolutional head, as
        SqueezeNet's, the mean over the image.

    Raises:
        LessonError: the images do not fit the model.
    """
    head = model.get_submodule(find_head(model))
    features, labels = [], []

    def keep(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        features.append((inputs[0].mean((2, 3)) if inputs[0].ndim == 4 else inputs[0]).float().cpu())

    hook = head.register_forward_pre_hook(keep)
    model.eval()
    try:
        for x, y in labelled_batches(loader):
            forward_checked(model, to_device(x, model))
            labels.append(y.cpu())
    finally:
        hook.remove()
    return gather_rows(torch.cat(features)).numpy(), gather_rows(torch.cat(labels)).numpy()


@torch.inference_mode()
def probe_head(model: nn.Module, loader: DataLoader[Any]) -> nn.Module:
    """Let the head start where a linear probe ends, in place (LP-FT: Kumar et al., 2022). Returns the model.

    A random head would first send random gradients through the pretrained layers.

    Args:
        model: after `replace_head`.
        loader: batches of (n, 3, h, w) and their labels, best with a deterministic transform.

    Raises:
        LessonError: the head has not one output for each class, a class has no images, or the images do not fit the
            model.
    """
    head: Any = model.get_submodule(find_head(model))  # linear or convolutional
    features, labels = penultimate_features(model, loader)
    outputs, present = len(head.weight), sorted(set(labels.tolist()))
    if present != list(range(outputs)):
        raise LessonError(
            f"The head has {outputs} outputs, and the training images have the labels {_listed(present)}: each output "
            "needs images of its class; replace_head(model, num_classes) gives the model one output per class."
        )
    fitted: Any = of_first(linear_probe(features, labels, intercept=head.bias is not None) if rank() == 0 else None)
    scaler, probe = fitted
    weight = torch.from_numpy(probe.coef_ / scaler.scale_)  # the head takes features as they are
    bias = torch.from_numpy(probe.intercept_) - weight @ torch.from_numpy(scaler.mean_)
    if outputs == 2:  # scikit-learn has one score for two classes: their difference
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    if isinstance(head, nn.Conv2d):
        # SqueezeNet cuts its logits off below 0 before it averages them over the image. The same number added to all
        # of them changes no probability and keeps them above.
        bias = bias + 100
    if hasattr(model, "get_classifier"):  # a distilled vision transformer of timm answers with the mean of two heads
        others: list[Any] = [
            model.get_submodule(name) for name in find_heads(model) if model.get_submodule(name) is not head
        ]
        for other in others:
            nn.init.zeros_(other.weight)
            nn.init.zeros_(other.bias)
        weight, bias = weight * (1 + len(others)), bias * (1 + len(others))
    head.weight.copy_(weight.reshape(head.weight.shape))
    if head.bias is not None:
        head.bias.copy_(bias)
    return model


def _listed(labels: list[int]) -> str:
    return ", ".join(map(str, labels if len(labels) < 10 else [*labels[:3], "…", labels[-1]]))
