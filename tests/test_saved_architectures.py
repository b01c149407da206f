"""A saved model of each family, of torchvision and timm, answers as before."""

import pytest
import timm
import torch
import torchvision

from helpers.errors import LessonError
from helpers.inference import load_saved, save_model
from helpers.models import load_model, replace_head
from helpers.weights import preprocessing_of


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        ("squeezenet1_1", 64),
        ("timm/resnet18", 64),
        ("tf_efficientnet_lite0", 64),
        ("mobilenetv3_small_100", 64),
        ("convnext_atto", 64),
        ("vit_tiny_patch16_224", 224),
        ("swin_tiny_patch4_window7_224", 224),  # makes tables that are not among its weights
    ],
)
def test_what_load_model_builds_is_saved_without_naming_it(architecture, size, tmp_path):
    torch.manual_seed(0)
    model = replace_head(load_model(None, architecture), 2).eval()
    preprocessing = preprocessing_of(None, architecture)
    save_model(tmp_path / "m", model, ["a", "b"], preprocessing)
    saved = load_saved(tmp_path / "m")
    assert (saved.architecture, saved.preprocessing) == (architecture, preprocessing)
    kept = saved.network.state_dict()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())
    x = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        # Where the weights lie in memory decides which kernel computes, and so the last digits.
        torch.testing.assert_close(saved.network(x), model(x))


def test_imagenet_s_preprocessing_is_in_the_file(tmp_path):
    model = replace_head(load_model("imagenet"), 2)
    save_model(tmp_path / "m", model, ["a", "b"], preprocessing_of("imagenet"))
    saved = load_saved(tmp_path / "m")
    assert saved.preprocessing.mean == (0.5, 0.5, 0.5) and saved.preprocessing.interpolation == "bicubic"


def test_a_network_of_the_reader_s_own_has_to_be_named(tmp_path):
    for model, name in ((torchvision.models.resnet18(), "resnet18"), (timm.create_model("resnet18"), "timm/resnet18")):
        replace_head(model, 2)
        with pytest.raises(LessonError, match="Which network this ResNet is has to be said"):
            save_model(tmp_path / "m", model, ["a", "b"], preprocessing_of(None))
        save_model(tmp_path / "m", model, ["a", "b"], preprocessing_of(None), name)
        assert type(load_saved(tmp_path / "m").network) is type(model)


def test_a_network_that_nobody_has_is_named(tmp_path):
    with pytest.raises(LessonError, match="'nonet', neither in torchvision nor in timm"):
        save_model(tmp_path / "m", load_model(None), ["a", "b"], preprocessing_of(None), "nonet")
