"""Grad-CAM maps, and the pictures that lesson 05 draws with them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from support.lesson_code import lesson_code
from torch import nn
from torch.utils.data import Dataset
from torchvision.models import VisionTransformer, resnet18

from helpers.evaluation import predict
from helpers.explain import cam_layer, grad_cam, randomised_copy
from helpers.models import freeze, load_model, meta_model, replace_head
from helpers.plots import (
    plot_confusion,
    plot_embedding,
    plot_reliability,
    prediction_title,
    show_maps,
    visualize_model,
)
from helpers.weights import Preprocessing
from helpers.widgets import confusion_explorer

pytestmark = pytest.mark.quick


PLAIN = Preprocessing(32, mean=(0, 0, 0), std=(1, 1, 1))


class Corners(Dataset):
    """Eight pictures; class 1 has a bright square above on the left, class 0 has none."""

    classes = ("none", "square")
    targets = (0, 1) * 4

    def __len__(self):
        return 8

    def __getitem__(self, index):
        picture = torch.zeros(3, 32, 32)
        if index % 2:
            picture[:, :8, :8] = 1
        return picture, index % 2


def finder() -> nn.Module:
    """A network that says `square` where something is bright."""
    model = nn.Sequential()
    model.add_module("layer4", nn.Conv2d(3, 1, 4, stride=4))
    model.add_module("pool", nn.AdaptiveMaxPool2d(1))
    model.add_module("flat", nn.Flatten())
    model.add_module("fc", nn.Linear(1, 2))
    with torch.no_grad():
        model.layer4.weight.fill_(1 / 48)
        model.layer4.bias.zero_()
        model.fc.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        model.fc.bias.copy_(torch.tensor([0.5, -0.5]))
    return model


def batch(dataset: Dataset) -> torch.Tensor:
    return torch.stack([dataset[i][0] for i in range(len(dataset))])


def test_the_map_is_where_the_evidence_is():
    images = batch(Corners())[1::2]
    maps = grad_cam(finder(), images, [1] * len(images))
    assert maps.shape == (4, 32, 32)
    assert torch.allclose(maps.amax((1, 2)), torch.ones(4))
    assert maps[:, :6, :6].min() > 0.9 and maps[:, 12:, 12:].max() == 0
    assert not grad_cam(finder(), images, [0] * len(images)).any(), "nothing speaks for the other class"


def test_the_default_layer_is_the_last_one_with_places_that_the_head_reads():
    expected = {
        "resnet18": "layer4",
        "vgg16": "features.29",
        "densenet121": "features.norm5",
        "squeezenet1_1": "features.12",
        "vit_b_16": "encoder.layers.encoder_layer_10",
        "vit_tiny_patch16_224": "blocks.10",
        "tf_efficientnet_lite0": "bn2",
        "convnext_atto": "stages.3",
        "swin_tiny_patch4_window7_224": "norm",
    }
    assert {architecture: cam_layer(meta_model(architecture)) for architecture in expected} == expected


@pytest.mark.parametrize("frozen", [pytest.param(False, marks=pytest.mark.nightly), True])
@pytest.mark.parametrize(
    "architecture",
    ["squeezenet1_1", "vgg11", "swin_t", "tf_efficientnet_lite0", "convnext_atto", "vit_tiny_patch16_224"],
)
def test_every_family_can_be_asked(architecture, frozen):
    torch.manual_seed(0)
    model = replace_head(load_model(None, architecture), 2)
    model = freeze(model) if frozen else model
    if architecture == "squeezenet1_1":  # random logits may all be below 0, where it cuts them off
        nn.init.constant_(model.classifier[1].bias, 1.0)
    size = 224 if architecture.startswith("vit") else 64
    maps = grad_cam(model, torch.rand(2, 3, size, size), [0, 1])
    assert maps.shape == (2, size, size) and maps.isfinite().all() and maps.std() > 0
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small"])
def test_the_maps_are_captum_s(architecture):
    attr = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model = replace_head(load_model(None, architecture), 3).eval()
    images, classes = torch.rand(2, 3, 96, 96), torch.tensor([2, 0])
    layer = cam_layer(model)
    coarse = attr.LayerGradCam(model, model.get_submodule(layer)).attribute(images, classes, relu_attributions=True)
    theirs = attr.LayerAttribution.interpolate(coarse, (96, 96), "bilinear")[:, 0].detach()
    theirs /= theirs.amax((1, 2), keepdim=True).clamp(min=1e-30)
    torch.testing.assert_close(grad_cam(model, images, classes), theirs, atol=1e-4, rtol=1e-4)


def test_each_picture_is_asked_about_its_own_class():
    model = replace_head(resnet18(), 2)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    both = grad_cam(model, images, [0, 1])
    for i, single in enumerate((grad_cam(model, images[:1], [0]), grad_cam(model, images[1:], [1]))):
        torch.testing.assert_close(both[i], single[0], atol=1e-4, rtol=1e-4)


def test_a_frozen_network_is_explained_and_left_alone():
    model = freeze(replace_head(resnet18(), 2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    maps = grad_cam(model, torch.rand(1, 3, 64, 64), [0])
    assert not maps.requires_grad and maps.isfinite().all()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_randomised_transformer_pays_attention_to_other_things():
    model = VisionTransformer(16, 8, 1, 2, 16, 32, num_classes=2)
    name = "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"
    assert not torch.equal(randomised_copy(model).get_parameter(name), model.get_parameter(name))


def test_a_randomised_copy_keeps_nothing_and_the_original_all():
    model = finder()
    copied = randomised_copy(model)
    assert torch.equal(model.layer4.weight, torch.full((1, 3, 4, 4), 1 / 48))
    assert all(
        not torch.equal(mine, other) for mine, other in zip(model.parameters(), copied.parameters(), strict=True)
    )


def test_the_lesson_builds_what_the_helpers_do():
    lesson = lesson_code("05_visualization.ipynb")
    torch.manual_seed(0)
    model = replace_head(resnet18(), 2).eval()
    image = torch.rand(1, 3, 64, 64)
    by_hand = lesson["grad_cam_by_hand"](model, image[0], 1)
    stretched = nn.functional.interpolate(by_hand[None, None], (64, 64), mode="bilinear")[0, 0]
    torch.testing.assert_close(grad_cam(model, image, [1])[0], stretched / stretched.max(), atol=1e-4, rtol=1e-4)

    loader = torch.utils.data.DataLoader(Corners(), batch_size=8)
    theirs = lesson["visualize_by_hand"](finder(), loader, Corners.classes)
    ours = visualize_model(finder(), loader, Corners.classes, PLAIN)
    titles = [[ax.get_title() for ax in figure.axes] for figure in (theirs, ours)]
    assert titles[0] == ["none", "square"] * 3
    assert [title.split()[0] for title in titles[1]] == titles[0]
    plt.close("all")


def test_a_wrong_answer_is_told_in_words():
    assert prediction_title("bees", 0.931, "bees") == "bees 93%"
    assert prediction_title("bees", 0.931, "ants") == "bees 93%\nwrong: it is ants"


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance of colours (..., 3), as in WCAG."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_the_plots_show_the_numbers():
    predicted, labels = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 0])
    texts = {text.get_text() for text in plot_confusion(predicted, labels, ["a", "b", "c"]).axes[0].texts}
    assert texts == {"0", "1", "2"}  # a class without pictures has its row as well

    many = torch.arange(30).repeat_interleave(torch.arange(30))  # each class more often than the one before
    ax = plot_confusion(many, many, [str(n) for n in range(30)]).axes[0]
    shades = luminance(ax.images[0].to_rgba(ax.images[0].get_array())[..., :3])
    for text, shade in zip(ax.texts, shades.ravel(), strict=True):
        low, high = sorted([luminance(np.array(to_rgb(text.get_color()))), shade])
        assert (high + 0.05) / (low + 0.05) > 4.5, f"{text.get_text()} can be read on its cell"

    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
    above, below = plot_reliability({"one": probabilities, "other": probabilities.flip(1)}, labels, bins=4).axes
    assert above.lines[1].get_xdata().tolist() == pytest.approx([0.6, 0.8667], abs=1e-4)
    assert above.lines[1].get_ydata().tolist() == pytest.approx([1, 2 / 3])
    assert above.lines[2].get_ydata().tolist() == pytest.approx([0, 1 / 3])
    assert below.patches[0].get_xy()[:, 1].max() == 3, "images in the fullest bin"

    ax = plot_embedding(torch.rand(4, 2).numpy(), labels, ["a", "b"], plt.figure().subplots())
    assert [len(points.get_offsets()) for points in ax.collections] == [2, 2]

    figure = show_maps(list(batch(Corners())[:2]), torch.rand(2, 32, 32), ["one", "two"], columns=3)
    assert [len(ax.images) for ax in figure.axes[:6]] == [1, 1, 0, 2, 2, 0], "each image above its map"
    assert figure.axes[6].get_ylabel() == "share of the maximum"
    plt.close("all")


def test_the_explorer_shows_the_chosen_cell():
    explorer = confusion_explorer(finder(), Corners(), PLAIN)
    assert explorer.text == "images of none, taken for none, with Grad-CAM maps"
    first = explorer._png
    explorer.controls.truth.value = 1
    assert explorer.text == "images of square, taken for none, with Grad-CAM maps"  # there is none: it says so
    empty = explorer._png
    explorer.controls.predicted.value = 1
    with_maps = explorer._png
    explorer.controls.maps.value = False
    assert explorer.text == "images of square, taken for square, without Grad-CAM maps"
    assert len({first, empty, with_maps, explorer._png}) == 4


def test_the_explorer_opens_on_the_most_frequent_mistake():
    blind = finder()
    with torch.no_grad():
        blind.fc.bias.copy_(torch.tensor([9.0, -9.0]))
    assert confusion_explorer(blind, Corners(), PLAIN).text == "images of square, taken for none, with Grad-CAM maps"
    chosen = confusion_explorer(blind, Corners(), PLAIN, opens_on=("none", "square"))
    assert chosen.text == "images of none, taken for square, with Grad-CAM maps"


def test_the_explorer_takes_probabilities_that_are_known():
    all_square = torch.tensor([[0.2, 0.8]]).expand(8, 2)
    explorer = confusion_explorer(finder(), Corners(), PLAIN, probabilities=all_square)
    assert explorer.text == "images of none, taken for square, with Grad-CAM maps"


def test_the_explorer_says_that_it_shows_a_part(monkeypatch):
    monkeypatch.setattr("helpers.widgets.MOST_SHOWN", 3)
    explorer = confusion_explorer(finder(), Corners(), PLAIN)
    figure, _ = explorer.draw(truth=0, predicted=0, maps=False)
    assert figure.get_suptitle() == "4 of 8 images; the 3 most confident"
    assert sum(len(ax.images) for ax in figure.axes) == 3


def test_the_finder_of_these_tests_finds():
    probabilities, labels = predict(finder(), torch.utils.data.DataLoader(Corners(), batch_size=4))
    assert torch.equal(probabilities.argmax(1), labels)
