"""Features and probe, on networks of each family with random weights."""

import numpy as np
import pytest
import torch
import torchvision
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from helpers.errors import LessonError
from helpers.features import (
    early_parts,
    extract_features,
    feature_layers,
    layers_with_places,
    linear_probe,
    penultimate_features,
    probe_head,
    split_tokens,
)
from helpers.models import find_head, load_model, meta_model, native_size, replace_head, top_level_parts

LAYERS = {  # the last one at each of the two lowest resolutions, and the side of the last one's map
    "resnet18": ("layer3", "layer4", 7),
    "vgg16": ("features.22", "features.29", 14),
    "densenet121": ("features.denseblock3", "features.norm5", 7),
    "squeezenet1_1": ("features.7", "features.12", 13),
    "inception_v3": ("Mixed_6e", "Mixed_7c", 8),
    "mobilenet_v3_small": ("features.8", "features.12", 7),
    "convnext_tiny": ("features.5", "features.7", 7),
    "swin_t": ("features.5", "norm", 7),
    "vit_b_16": ("encoder.ln", 14),
    "timm/resnet18": ("layer3", "layer4", 7),
    "tf_efficientnet_lite0": ("blocks.4", "bn2", 7),
    "mobilenetv3_small_100": ("blocks.3", "blocks.5", 7),
    "convnext_atto": ("stages.2", "stages.3", 7),
    "vit_tiny_patch16_224": ("norm", 14),
    "swin_tiny_patch4_window7_224": ("layers.2", "norm", 7),
}
REST = set(torchvision.models.list_models(module=torchvision.models)) - set(LAYERS)
COMPUTED = [  # those that compute quickly with real numbers
    ("mobilenet_v3_small", 64),
    ("squeezenet1_1", 64),
    ("swin_t", 64),
    ("timm/resnet18", 64),
    ("tf_efficientnet_lite0", 64),
    ("mobilenetv3_small_100", 64),
    ("convnext_atto", 64),
    ("vit_tiny_patch16_224", 224),
]

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


# --- Every family


@pytest.mark.parametrize("architecture", [*LAYERS, *(pytest.param(a, marks=pytest.mark.nightly) for a in sorted(REST))])
def test_each_family_has_layers_to_look_at(architecture):
    model = meta_model(architecture)
    *expected, side = LAYERS.get(architecture, (0,))
    layers = feature_layers(model)
    places = layers_with_places(model)
    assert list(layers) == expected or architecture in REST
    assert places[layers[-1]][0] == side**2 or architecture in REST
    assert find_head(model) not in places and all(16 <= places[layer][0] <= 56**2 for layer in layers)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_probe_is_fitted_by_one_thread(monkeypatch):
    """Threads that wait for each other made a fit take a hundred times as long on a busy machine."""

    def blas_threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    during, fit = [], LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda *given: during.append(blas_threads()) or fit(*given))
    with threadpool_limits(2, "blas"):
        linear_probe(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]))
        assert during == [{1}] and blas_threads() == {2}, "and the reader's number comes back"


@pytest.mark.parametrize(
    ("architecture", "early"),
    [
        ("resnet18", {"conv1", "bn1", "layer1", "layer2"}),
        ("tf_efficientnet_lite0", {"conv_stem", "bn1", "blocks.0", "blocks.1", "blocks.2"}),
        ("convnext_atto", {"stem", "stages.0", "stages.1"}),
        ("vit_tiny_patch16_224", set()),
    ],
)
def test_early_parts_come_before_the_two_lowest_resolutions(architecture, early):
    model = meta_model(architecture)
    assert early == set(early_parts(model)) & set(top_level_parts(model))


@pytest.mark.parametrize(("architecture", "size"), COMPUTED)
def test_features_of_every_family(architecture, size):
    """By hand: a hook on each layer, and the mean over all places, or the class token."""
    torch.manual_seed(0)
    model = load_model(None, architecture).eval()
    images = torch.rand(3, 3, size, size)
    loader = DataLoader(TensorDataset(images, torch.tensor([0, 1, 0])), batch_size=2)
    layers, outputs = feature_layers(model), {}
    for layer in layers:
        model.get_submodule(layer).register_forward_hook(lambda _, __, out, layer=layer: outputs.update({layer: out}))
    with torch.inference_mode():
        model(images)
    expected = []
    for output in outputs.values():
        if output.ndim == 3:
            expected.append(output[:, 0])
        else:  # Swin's channels come last
            expected.append(output.mean((1, 2) if architecture == "swin_t" else (2, 3)))
    features, labels = extract_features(model, loader)
    np.testing.assert_allclose(features, torch.cat(expected, 1).numpy(), rtol=1e-4, atol=1e-5)
    assert labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("architecture", "size"), COMPUTED)
@pytest.mark.parametrize("num_classes", [2, pytest.param(3, marks=pytest.mark.nightly)])
def test_every_family_s_head_answers_as_its_probe(architecture, size, num_classes):
    torch.manual_seed(0)
    model = replace_head(load_model(None, architecture), num_classes)
    loader = DataLoader(TensorDataset(torch.rand(6, 3, size, size), torch.arange(6) % num_classes), batch_size=3)
    features, labels = penultimate_features(probe_head(model, loader), loader)
    assert features.shape == (6, model.get_submodule(find_head(model)).weight.shape[1])
    with torch.inference_mode():
        said = torch.cat([model.eval()(x).softmax(1) for x, _ in loader])
    np.testing.assert_allclose(said, linear_probe(features, labels).predict_proba(features), atol=1e-4)


def test_a_distilled_transformer_answers_with_the_mean_of_two_heads():
    test_every_family_s_head_answers_as_its_probe("deit_tiny_distilled_patch16_224", 224, 3)


@pytest.mark.parametrize("outputs", [2, 3])
def test_a_head_without_a_bias_answers_as_a_probe_without_one(outputs):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, outputs, bias=False))
    loader = DataLoader(TensorDataset(torch.rand(12, 4), torch.arange(12) % outputs), batch_size=5)
    features, labels = penultimate_features(probe_head(model, loader), loader)
    expected = linear_probe(features, labels, intercept=False).predict_proba(features)
    with torch.inference_mode():
        np.testing.assert_allclose(torch.cat([model(x).softmax(1) for x, _ in loader]), expected, atol=1e-4)


def test_tokens_go_back_into_their_square():
    maps = torch.arange(2 * 5 * 9.0).view(2, 5, 3, 3)
    tokens = maps.flatten(2).transpose(1, 2)
    others, back = split_tokens(torch.cat([torch.full((2, 1, 5), -1.0), tokens], 1))
    assert torch.equal(back, maps) and torch.equal(others, torch.full((2, 1, 5), -1.0))
    assert split_tokens(tokens)[0] is None and torch.equal(split_tokens(tokens)[1], maps)
    assert torch.equal(split_tokens(maps.permute(0, 2, 3, 1))[1], maps), "Swin's channels come last"
    wide = torch.rand(2, 5, 3, 4)
    assert split_tokens(wide)[1] is wide


def test_without_a_class_token_the_mean_counts(batches):
    model = load_model(None, "vit_tiny_patch16_224")
    images = torch.rand(2, 3, 224, 224)
    loader = DataLoader(TensorDataset(images, torch.tensor([0, 1])))
    token = extract_features(model, loader)[0]
    model.has_class_token = False  # as in timm's networks whose further tokens are mere registers
    mean = extract_features(model, loader)[0]
    with torch.inference_mode():
        tokens = model.forward_features(images)
    np.testing.assert_allclose(token, tokens[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean, tokens[:, 1:].mean(1), rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_not_there_lists_those_that_are(batches):
    model = load_model(None, "mobilenet_v3_small")
    with pytest.raises(LessonError, match="MobileNetV3 has no layer 'layer4'; there are features.0, .*classifier.3"):
        extract_features(model, batches, ("features.1", "layer4"))
    assert not any(module._forward_hooks for module in model.modules())


def test_images_of_a_wrong_size_leave_no_hook_behind():
    model = replace_head(load_model(None, "vit_tiny_patch16_224"), 2)
    loader = DataLoader(TensorDataset(torch.rand(2, 3, 96, 96), torch.tensor([0, 1])))
    for use in (extract_features, penultimate_features, probe_head):
        with pytest.raises(LessonError, match="cannot take images of 96 x 96 pixels; 224 x 224 fit"):
            use(model, loader)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert native_size(model) == 224


# --- Labels that a probe cannot learn from


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (2, [0, 1, 2], "The head has 2 outputs, and the training images have the labels 0, 1, 2: each output needs"),
        (1000, [0, 1, 2], r"has 1000 outputs, .* labels 0, 1, 2: .* replace_head\(model, num_classes\)"),
        (3, [0, 2, 2], "has 3 outputs, .* labels 0, 2:"),
        (3, [1, 1, 1], "has 3 outputs, .* labels 1:"),
        (1, [0, 0, 0], "All images have the same label"),
    ],
)
def test_a_head_that_does_not_fit_the_labels_is_one_line(outputs, labels, message):
    model = torch.nn.Sequential(torch.nn.Linear(4, outputs))
    before = model[0].weight.clone()
    with pytest.raises(LessonError, match=message) as error:
        probe_head(model, DataLoader(TensorDataset(torch.rand(3, 4), torch.tensor(labels))))
    assert "\n" not in str(error.value) and torch.equal(before, model[0].weight)
