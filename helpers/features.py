"""What a frozen backbone makes of the pictures, computed once, and a linear probe on it (lessons 00, 06)."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models.feature_extraction import create_feature_extractor

from helpers.devices import to_device
from helpers.models import find_head, forward_checked

LAYERS = ("layer3", "layer4")  # of a ResNet: middle-sized shapes, and whole things


@torch.inference_mode()
def extract_features(
    model: nn.Module, loader: DataLoader, layers: tuple[str, ...] = LAYERS
) -> tuple[np.ndarray, np.ndarray]:
    """Run each picture through the network once and keep the mean of each channel of `layers`.

    Args:
        model: a convolutional network, on the device where it shall run.
        loader: batches of (n, 3, h, w) and their labels.
        layers: names of submodules that return (n, channels, height, width).

    Returns:
        features: float32, (number of images, channels of all layers together); labels: int64.
    """
    extractor = create_feature_extractor(model.eval(), list(layers))
    features, labels = np.empty((0, 0)), []
    for x, y in loader:
        maps = forward_checked(extractor, to_device(x, model))
        rows = torch.cat([maps[layer].mean((2, 3)) for layer in layers], 1).float().cpu().numpy()
        if not labels:  # room for all at once: thousands of small pieces would leave holes in the memory
            features = np.empty((len(loader.sampler), rows.shape[1]), np.float32)
        features[len(labels) : len(labels) + len(y)] = rows
        labels += y.tolist()
    return features[: len(labels)], np.array(labels)


def linear_probe(features: np.ndarray, labels: np.ndarray, C: float = 0.01) -> Pipeline:
    """Logistic regression on standardised features: the quickest head for a frozen backbone.

    Args:
        features: (images, channels).
        labels: (images,), class indices.
        C: inverse strength of the L2 penalty; small, since there are more channels than pictures.

    Returns:
        A fitted scikit-learn pipeline with `predict`, `predict_proba` and `score`.
    """
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000)).fit(features, labels)


@torch.inference_mode()
def penultimate_features(model: nn.Module, loader: DataLoader) -> tuple[np.ndarray, np.ndarray]:
    """What reaches the head of any classification network: features for a probe, whatever the architecture.

    Args:
        model: on the device where it shall run.
        loader: batches of (n, 3, h, w) and their labels.

    Returns:
        features: float32, (number of images, inputs of the head); labels: int64.
    """
    head = model.get_submodule(find_head(model))
    features, labels = [], []
    hook = head.register_forward_pre_hook(lambda layer, inputs: features.append(inputs[0].float().cpu()))
    model.eval()
    for x, y in loader:
        forward_checked(model, to_device(x, model))
        labels.append(y)
    hook.remove()
    return torch.cat(features).numpy(), torch.cat(labels).numpy()


@torch.inference_mode()
def probe_head(model: nn.Module, loader: DataLoader) -> nn.Module:
    """Let the head start where a linear probe ends, in place (LP-FT: Kumar et al., 2022). Returns the model.

    A random head would first send random gradients through the pretrained layers.

    Args:
        model: after `replace_head`; its head is a linear layer.
        loader: batches of (n, 3, h, w) and their labels, best with a deterministic transform.
    """
    head = model.get_submodule(find_head(model))
    scaler, probe = linear_probe(*penultimate_features(model, loader))
    weight = torch.from_numpy(probe.coef_ / scaler.scale_)  # the head takes features as they are
    bias = torch.from_numpy(probe.intercept_) - weight @ torch.from_numpy(scaler.mean_)
    if len(probe.classes_) == 2:  # scikit-learn has one score for two classes: their difference
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    head.weight.copy_(weight)
    head.bias.copy_(bias)
    return model
