"""What a frozen backbone makes of the pictures, computed once, and a linear probe on it (lessons 00, 06)."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models.feature_extraction import create_feature_extractor

LAYERS = ("layer3", "layer4")  # of a ResNet: middle-sized shapes, and whole things


@torch.inference_mode()
def extract_features(
    model: nn.Module, images: DataLoader, layers: tuple[str, ...] = LAYERS
) -> tuple[np.ndarray, np.ndarray]:
    """Run each picture through the network once and keep the mean of each channel of `layers`.

    Args:
        model: a convolutional network, on the device where it shall run.
        images: batches of (n, 3, h, w) and their labels.
        layers: names of submodules that return (n, channels, height, width).

    Returns:
        features: float32, (number of images, channels of all layers together); labels: int64.
    """
    device = next(model.parameters()).device
    extractor = create_feature_extractor(model.eval(), list(layers))
    features, labels = [], []
    for x, y in images:
        maps = extractor(x.to(device))
        features.append(torch.cat([maps[layer].mean((2, 3)) for layer in layers], 1).float().cpu())
        labels.append(y)
    return torch.cat(features).numpy(), torch.cat(labels).numpy()


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
