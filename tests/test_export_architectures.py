"""Each family of networks, exported: the logits of PyTorch, and the same class for every image of val."""

import numpy as np
import onnxruntime
import pytest
import torch
from support.images import INSECTS
from torch import nn

from helpers.classifier import load
from helpers.data import ImageDataset, make_dataloader
from helpers.export import export_onnx
from helpers.inference import SavedModel
from helpers.models import load_model, replace_head
from helpers.transforms import eval_transform
from helpers.weights import preprocessing_of

pytestmark = pytest.mark.nightly

NETWORKS = [
    ("embedded", "resnet18"),
    ("imagenet", "tf_efficientnet_lite0"),
    (None, "vit_tiny_patch16_224"),
    (None, "vgg16"),
    (None, "inception_v3"),
]


def settle_norms(network: nn.Module, images: torch.Tensor) -> None:
    """Give BatchNorm the statistics of images: without, the logits of a deep random network have ten digits."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches, of which there is one
    with torch.no_grad():
        network.train()(images)


@pytest.mark.parametrize(("weights", "architecture"), NETWORKS, ids=lambda value: value or "random")
def test_it_answers_as_in_pytorch(weights, architecture, tmp_path):
    torch.manual_seed(0)
    network = replace_head(load_model(weights, architecture), 2)
    preprocessing = preprocessing_of(weights, architecture)
    val = ImageDataset(INSECTS / "val", eval_transform(preprocessing))
    if weights is None:
        settle_norms(network, next(iter(make_dataloader(val, batch_size=9)))[0])
    network.eval()
    model = SavedModel(network, architecture, ["ants", "bees"], preprocessing)
    images, tensors = export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tensors)
    for x, _ in make_dataloader(val, batch_size=9):  # 153 = 17 x 9
        (logits,) = session.run(None, {"images": x.numpy()})
        with torch.inference_mode():
            expected = network(x).numpy()
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        assert (logits.argmax(1) == expected.argmax(1)).all()
    for count in (1, 2, 5):
        with torch.inference_mode():
            expected = network(x[:count]).numpy()
        np.testing.assert_allclose(session.run(None, {"images": x[:count].numpy()})[0], expected, atol=1e-4)
    if weights is None:
        return  # in a deep random network, one grey level more from another resizing is no small change
    paths = [path for path, _ in val.samples[::15]]
    for one, other in zip(load(images).predict(paths), model.predict(paths), strict=True):
        assert one == pytest.approx(other, abs=0.02)
