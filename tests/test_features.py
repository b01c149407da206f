"""Features and probe on a network of a few weights."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from helpers.features import extract_features, linear_probe, penultimate_features, probe_head

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def batches() -> DataLoader:
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(images, torch.tensor([0, 1, 0, 1, 1])), batch_size=2)


def test_features_are_the_channel_means_of_the_layers(batches):
    torch.manual_seed(0)
    model = resnet18()
    features, labels = extract_features(model, batches)
    assert features.shape == (5, 256 + 512) and features.dtype == np.float32
    assert labels.tolist() == [0, 1, 0, 1, 1]

    outputs = {}
    model.layer4.register_forward_hook(lambda module, inputs, output: outputs.update(layer4=output))
    with torch.inference_mode():
        model.eval()(batches.dataset.tensors[0])
    means = outputs["layer4"].mean((2, 3)).numpy()
    np.testing.assert_allclose(features[:, 256:], means, rtol=1e-4, atol=1e-6)


def test_features_leave_the_batchnorm_statistics_alone(batches):
    model = resnet18().train()
    before = model.bn1.running_mean.clone()
    extract_features(model, batches)
    assert torch.equal(before, model.bn1.running_mean)


def test_the_probe_separates_what_a_line_can():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    features = rng.normal(size=(100, 20)).astype(np.float32)
    features[:, 3] += 6 * labels
    probe = linear_probe(features[::2], labels[::2])
    assert probe.score(features[1::2], labels[1::2]) > 0.9
    assert probe.predict_proba(features).shape == (100, 2)


def test_the_probe_is_held_back():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 100)), rng.permutation(np.repeat([0, 1], 20))
    sizes = [np.abs(linear_probe(features, labels, **C)[-1].coef_).sum() for C in ({}, {"C": 0.01}, {"C": 1})]
    assert sizes[0] == sizes[1] < sizes[2] / 2


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_head_answers_as_the_probe_that_it_comes_from(num_classes):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, num_classes))
    x, y = 5 * torch.rand(60, 4), torch.arange(60) % num_classes
    probe_head(model, DataLoader(TensorDataset(x, y), batch_size=25))
    assert model[2].weight.requires_grad

    with torch.inference_mode():
        features = model[:2](x).numpy()
        said = model(x).softmax(1).numpy()
    expected = linear_probe(features, y.numpy()).predict_proba(features)
    np.testing.assert_allclose(said, expected, atol=1e-5)
    assert not model[2]._forward_pre_hooks


def test_what_reaches_the_head_is_what_the_last_layer_gives(batches):
    model = resnet18().eval()
    features, labels = penultimate_features(model, batches)
    last, expected = extract_features(model, batches, ("layer4",))
    np.testing.assert_allclose(features, last, rtol=1e-5, atol=1e-6)
    assert labels.tolist() == expected.tolist()
    assert not model.fc._forward_pre_hooks
