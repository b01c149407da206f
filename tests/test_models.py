"""Surgery on every network of the installed torchvision, and on timm's, without downloading a weight.

Most tests use networks without numbers (`meta_model`), which have all shapes and cost nothing.
"""

import copy
import urllib.error
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lesson_code import lesson_code
from torch import nn
from torch.utils.data import Dataset

from helpers.data import with_transform
from helpers.errors import LessonError
from helpers.models import (
    activation_bytes,
    count_multiply_adds,
    count_parameters,
    find_head,
    find_heads,
    forward_checked,
    freeze,
    freeze_norms,
    input_size,
    load_model,
    meta_model,
    meta_twin,
    parameter_groups,
    published_metrics,
    replace_head,
    top_level_parts,
    train_mode,
)
from helpers.training import compute_loss, fine_tune
from helpers.transforms import eval_transform
from helpers.weights import preprocessing_of
from helpers.widgets import architecture_chooser, surgery_explorer

ARCHITECTURES = torchvision.models.list_models(module=torchvision.models)
HEADS = {
    "alexnet": "classifier.6",
    "convnext_tiny": "classifier.2",
    "densenet121": "classifier",
    "efficientnet_b0": "classifier.1",
    "efficientnet_v2_s": "classifier.1",
    "googlenet": "fc",
    "inception_v3": "fc",
    "maxvit_t": "classifier.5",
    "mnasnet0_5": "classifier.1",
    "mobilenet_v2": "classifier.1",
    "mobilenet_v3_small": "classifier.3",
    "regnet_y_400mf": "fc",
    "resnet18": "fc",
    "resnext50_32x4d": "fc",
    "shufflenet_v2_x0_5": "fc",
    "squeezenet1_1": "classifier.1",
    "swin_t": "head",
    "swin_v2_t": "head",
    "vgg16": "classifier.6",
    "vit_b_16": "heads.head",
    "wide_resnet50_2": "fc",
}
TIMM_HEADS = {
    "timm/resnet18": "fc",
    "tf_efficientnet_lite0": "classifier",
    "mobilenetv3_small_100": "classifier",
    "convnext_atto": "head.fc",
    "vit_tiny_patch16_224": "head",
    "deit_tiny_distilled_patch16_224": "head_dist",
}
# One of each family by day, all of them by night.
ALL_HEADS = [
    *HEADS,
    *TIMM_HEADS,
    *(pytest.param(name, marks=pytest.mark.nightly) for name in ARCHITECTURES if name not in HEADS),
]
# Some of each kind by day, all families by night.
SOME = ("resnet18", "googlenet", "mobilenet_v3_small", "squeezenet1_1", "swin_t", "vit_b_16")
FAMILIES = [*SOME, *(pytest.param(name, marks=pytest.mark.nightly) for name in HEADS if name not in SOME)]
CLASSES = 7  # no layer inside a network has so few channels


def buffers(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, size: int) -> torch.Tensor:
    """Train `model` on two random images; returns its class scores."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, size, size, generator=generator), torch.tensor([0, 1])
    train_mode(model)
    loss, scores = compute_loss(nn.CrossEntropyLoss(), model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return scores


# --- Heads


def test_torchvision_has_the_architectures_that_this_was_written_for():
    assert len(ARCHITECTURES) >= 80
    assert set(HEADS) <= set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ALL_HEADS)
def test_surgery_on_every_architecture(architecture):
    model = meta_model(architecture)
    before = {name: p.shape for name, p in model.named_parameters()}
    if architecture in ARCHITECTURES and architecture != "googlenet":  # whose auxiliary heads torchvision counts out
        weights = torchvision.models.get_model_weights(architecture).DEFAULT
        assert count_parameters(model)[0] == weights.meta["num_params"]
    heads = find_heads(model)
    assert top_level_parts(model)[-1] == find_head(model) == heads[-1]
    assert heads[-1] == (HEADS | TIMM_HEADS).get(architecture, heads[-1])

    assert replace_head(model, CLASSES) is model
    after = {name: p.shape for name, p in model.named_parameters()}
    changed = {name.rpartition(".")[0] for name in before if before[name] != after[name]}
    assert changed == set(heads), "the heads and nothing else"
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert getattr(model, "num_classes", CLASSES) == CLASSES

    size = input_size(architecture)
    with torch.no_grad():
        outputs = forward_checked(model.train(), torch.empty(2, 3, size, size, device="meta"))
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    assert {output.shape for output in outputs} == {(2, CLASSES)}
    assert "distilled" in architecture or len(outputs) == len(heads), "timm's takes the mean of both heads"

    freeze(model)
    trained = {name.rpartition(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == set(heads)


@pytest.mark.parametrize("architecture", ALL_HEADS)
def test_weight_decay_is_for_the_weights_of_linear_and_convolutional_layers(architecture):
    model = meta_model(architecture)
    weighty = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)  # the last one holds its linear layers' weights itself
    expected = {
        id(parameter)
        for layer in model.modules()
        if isinstance(layer, weighty)
        for name, parameter in layer.named_parameters(recurse=False)
        if name in ("weight", "in_proj_weight")
    }
    groups = parameter_groups(model, lr=0.1, weight_decay=0.3)
    assert {id(p) for group in groups if group["weight_decay"] for p in group["params"]} == expected
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_what_timm_exempts_is_not_decayed():
    model = meta_model("vit_tiny_patch16_224")
    model.no_weight_decay = lambda: {"blocks.0.mlp.fc1.weight"}
    decayed = [g["params"] for g in parameter_groups(model, lr=0.1, weight_decay=0.3) if g["weight_decay"]]
    assert not any(p is model.blocks[0].mlp.fc1.weight for params in decayed for p in params)
    assert any(p is model.blocks[0].mlp.fc2.weight for params in decayed for p in params)


def test_a_network_that_timm_built_without_a_head_gets_one():
    model = timm.create_model("resnet18", num_classes=0).half()
    assert replace_head(model, 3).fc.weight.shape == (3, 512) and model.fc.weight.dtype == torch.float16


def test_auxiliary_heads_are_found():
    assert find_heads(meta_model("inception_v3")) == ["AuxLogits.fc", "fc"]
    assert find_heads(meta_model("googlenet")) == ["aux1.fc2", "aux2.fc2", "fc"]


def test_heads_that_torchvision_left_out_are_not_missed():
    """GoogLeNet comes without auxiliary heads when it comes with weights."""
    with torch.device("meta"):
        model = torchvision.models.googlenet(aux_logits=False, init_weights=False)
    assert find_heads(replace_head(model, CLASSES)) == ["fc"]


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1"])
def test_a_new_head_computes(architecture):
    model = replace_head(load_model(None, architecture), CLASSES).eval()
    scores = model(torch.randn(2, 3, 64, 64))
    assert scores.shape == (2, CLASSES)
    assert scores.isfinite().all()
    assert scores.std() > 0


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 2000), st.sampled_from(["resnet18", "squeezenet1_1", "googlenet", "mobilenet_v3_small"]))
def test_a_new_head_has_a_score_for_each_class(num_classes, architecture):
    model = replace_head(meta_model(architecture), num_classes)
    outputs = model(torch.empty(2, 3, 64, 64, device="meta"))  # in training: the auxiliary heads answer, too
    for scores in (outputs,) if isinstance(outputs, torch.Tensor) else outputs:
        assert scores.shape == (2, num_classes)


def test_a_new_head_is_random_and_the_rest_stays():
    torch.manual_seed(0)
    model = load_model(None)
    before = copy.deepcopy(model.state_dict())
    first = replace_head(model, 2).fc.weight.clone()
    assert not torch.equal(first, replace_head(model, 2).fc.weight)
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items() if not n.startswith("fc"))


def test_a_new_head_lives_where_the_old_one_did():
    model = replace_head(nn.Sequential(nn.Linear(3, 5, bias=False, device="meta", dtype=torch.bfloat16)), 2)
    assert model[0].weight.device.type == "meta"
    assert model[0].weight.dtype == torch.bfloat16
    assert model[0].bias is None


def test_a_skeleton_holds_nothing_and_leaves_pytorch_as_it_was():
    random = torch.get_rng_state()
    model = meta_model("regnet_y_128gf")  # 2.6 GB otherwise
    assert {t.device.type for t in (*model.parameters(), *model.buffers())} == {"meta"}
    assert torch.equal(random, torch.get_rng_state())
    assert nn.Linear(1, 1).weight.device.type == "cpu"


# --- Freezing


@pytest.mark.parametrize(("architecture", "size"), [("resnet18", 64), ("mobilenet_v3_small", 64), ("googlenet", 64)])
def test_frozen_is_frozen(architecture, size):
    """Weights and BatchNorm statistics are the same bits after a step; only the heads have moved."""
    torch.manual_seed(0)
    model = freeze(replace_head(load_model(None, architecture), 2))
    heads = tuple(f"{head}." for head in find_heads(model))
    before = copy.deepcopy(model.state_dict())
    one_step(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1), size)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}
    assert moved == {name for name in before if name.startswith(heads)}


def test_plain_train_moves_the_statistics_of_a_frozen_network():
    """What `train_mode` is for; if PyTorch ever changes this, the lesson has to."""
    model = freeze(replace_head(load_model(None), 2)).train()
    before = buffers(model)
    model(torch.randn(2, 3, 64, 64))
    assert not any(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())


def test_named_parts_train_with_their_statistics():
    torch.manual_seed(0)
    model = freeze(replace_head(load_model(None), 2), trainable=("layer4",))
    before = copy.deepcopy(model.state_dict())
    one_step(model, torch.optim.SGD(model.parameters(), lr=0.1), 64)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}
    assert moved == {name for name in before if name.startswith(("layer4.", "fc."))}


def test_freezing_again_unfreezes_what_is_named():
    model = freeze(freeze(meta_model("resnet18")), trainable=("layer3", "layer4.1.conv2.weight"))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"layer3", "layer4", "fc"}
    assert sum(name.startswith("layer4") for name in trained) == 1


@pytest.mark.parametrize("part", ["layer5", "layer", "relu", ""])
def test_a_part_that_is_not_there_is_named(part):
    with pytest.raises(LessonError, match=f"no part '{part}' to train; there are conv1, bn1, layer1, .*, fc"):
        freeze(meta_model("resnet18"), trainable=(part,))


def test_frozen_norms_keep_scales_and_statistics():
    model = freeze_norms(replace_head(load_model("embedded"), 2))
    before = copy.deepcopy(model.state_dict())
    train_mode(model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.rand(2, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert "conv1.weight" in changed and "layer4.1.conv2.weight" in changed and "fc.weight" in changed
    assert not [name for name in changed if "bn" in name or "downsample.1" in name]


def test_without_batchnorm_there_is_nothing_to_keep():
    with pytest.raises(LessonError, match="VisionTransformer has no BatchNorm layers.* leave freeze_norms out"):
        freeze_norms(meta_model("vit_tiny_patch16_224"))
    frozen = freeze_norms(meta_model("tf_efficientnet_lite0"))
    train_mode(frozen)
    assert not any(layer.training for layer in frozen.modules() if isinstance(layer, nn.BatchNorm2d))


def test_stages_go_from_the_input_to_the_head():
    assert top_level_parts(meta_model("resnet18")) == ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert top_level_parts(meta_model("vgg11"))[-4:] == ["features.18", "classifier.0", "classifier.3", "classifier.6"]
    assert top_level_parts(meta_model("vit_b_16"))[-3:] == [
        "encoder.layers.encoder_layer_11",
        "encoder.ln",
        "heads.head",
    ]
    assert "AuxLogits" not in top_level_parts(meta_model("inception_v3"))
    assert top_level_parts(meta_model("convnext_tiny"))[-3:] == ["features.7", "classifier.0", "classifier.2"]
    assert top_level_parts(meta_model("convnext_atto"))[-3:] == ["stages.3", "head.norm", "head.fc"]
    assert top_level_parts(meta_model("tf_efficientnet_lite0"))[-4:] == ["blocks.6", "conv_head", "bn2", "classifier"]


# --- What the optimizer receives


def test_each_trained_parameter_is_in_one_group():
    model = replace_head(meta_model("resnet18"), 2)
    groups = parameter_groups(model, lr=0.1, backbone_lr=0.01, weight_decay=0.3)
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in groups] == [
        ("head", 0.1, 0.3),
        ("head, no decay", 0.1, 0.0),
        ("backbone", 0.01, 0.3),
        ("backbone, no decay", 0.01, 0.0),
    ]
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    assert [id(p) for p in groups[0]["params"] + groups[1]["params"]] == [id(p) for p in model.fc.parameters()]
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert decayed == {id(layer.weight) for layer in layers}


def test_frozen_parameters_are_in_no_group():
    model = freeze(replace_head(meta_model("inception_v3"), 2))
    groups = parameter_groups(model, lr=0.1)
    assert [group["name"] for group in groups] == ["head", "head, no decay"]
    assert [len(group["params"]) for group in groups] == [2, 2], "of the head and the auxiliary head"


def test_one_learning_rate_is_that_of_all():
    groups = parameter_groups(replace_head(meta_model("resnet18"), 2), lr=0.1)
    assert {group["lr"] for group in groups} == {0.1}


def test_pytorch_takes_the_groups():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(parameter_groups(model, lr=0.1, backbone_lr=0.0))
    before = copy.deepcopy(model.state_dict())
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    assert torch.equal(before["0.weight"], model[0].weight)
    assert not torch.equal(before["2.weight"], model[2].weight)


# --- Counting


@pytest.mark.parametrize("architecture", FAMILIES)
def test_multiply_adds_are_torchvision_s(architecture):
    expected = torchvision.models.get_model_weights(architecture).DEFAULT.meta["_ops"]  # billions
    assert count_multiply_adds(meta_model(architecture), input_size(architecture)) / 1e9 == pytest.approx(
        expected, abs=6e-4
    )


def test_multiply_adds_and_activations_of_timm_s_resnet_are_torchvision_s():
    ours, theirs = meta_model("timm/resnet18"), meta_model("resnet18")
    assert count_multiply_adds(ours, 224) == count_multiply_adds(theirs, 224)
    assert activation_bytes(ours, 224) == activation_bytes(theirs, 224)


def test_multiply_adds_by_hand_and_without_a_trace():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(128, 5))
    before = buffers(model)
    assert count_multiply_adds(model, 8) == (3 * 3 * 3) * 8 * (4 * 4) + 128 * 5
    assert model.training
    assert model[1].training
    assert next(model.parameters()).device.type == "cpu"
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())


def test_parameters_are_counted():
    model = freeze(replace_head(meta_model("resnet18"), 2))
    assert count_parameters(model) == (11_177_538, 1_026)


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        ("resnet18", 224),
        ("inception_v3", 299),
        ("efficientnet_b1", 240),
        ("vit_h_14", 518),
        ("tf_efficientnet_lite2", 260),
    ],
)
def test_input_sizes(architecture, size):
    assert input_size(architecture) == size


def test_input_size_of_other_weights():
    assert input_size("vit_b_16", "IMAGENET1K_SWAG_E2E_V1") == 384


# --- Weights


def place_weights(folder: Path, architecture: str, weights: str) -> dict[str, float]:
    """Put a file of the right name and shapes, a random number per tensor, where torchvision looks for it."""
    entry = torchvision.models.get_model_weights(architecture)[weights]
    generator = torch.Generator().manual_seed(0)
    shapes = {name: tensor.shape for name, tensor in meta_model(architecture).state_dict().items()}
    values = {name: torch.rand(1, generator=generator) for name in shapes}
    state = {name: values[name].expand(shape) if shape else values[name][0] for name, shape in shapes.items()}
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(state, folder / "checkpoints" / entry.url.rpartition("/")[2])
    return {name: value.item() for name, value in values.items()}


@pytest.mark.parametrize(
    ("architecture", "weights"),
    [
        pytest.param("vgg16", "IMAGENET1K_V1", marks=pytest.mark.nightly),  # 0.5 GB
        ("resnet18", "IMAGENET1K_V1"),
        pytest.param("resnet50", "DEFAULT", marks=pytest.mark.nightly),
        ("inception_v3", "IMAGENET1K_V1"),
    ],
)
def test_pretrained_weights_load_through_torchvision(architecture, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    values = place_weights(tmp_path / "hub", architecture, weights)
    model = load_model(weights, architecture)
    for name, parameter in model.named_parameters():
        assert (parameter == values[name]).all(), name
    assert {name: b.flatten()[0].item() for name, b in model.named_buffers() if b.is_floating_point()} == {
        name: values[name] for name, b in model.named_buffers() if b.is_floating_point()
    }
    assert model.get_submodule(find_head(replace_head(model, CLASSES))).out_features == CLASSES


def test_without_the_file_torchvision_would_ask_the_network(tmp_path, monkeypatch):
    """So the test above can only pass by the file that it placed."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises((RuntimeError, urllib.error.URLError), match="network off"):
        load_model("IMAGENET1K_V1", "resnet18")


def test_damaged_weights_of_torchvision_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"x" * 1000)
    with pytest.raises(LessonError, match="weights IMAGENET1K_V1 of resnet18 are damaged") as error:
        load_model("IMAGENET1K_V1", "resnet18")
    assert len(str(error.value).splitlines()) == 1


def test_weights_that_are_not_here_and_cannot_come_are_one_line(monkeypatch, tmp_path):
    def offline(*_args, **_kwargs):
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(LessonError, match="IMAGENET1K_V1 of resnet18 are not on this .*; `make photos` brings those"):
        load_model("IMAGENET1K_V1")


# --- Images of another size

WRONG_SIZES = [
    ("vit_b_16", 160, 224),
    ("vit_tiny_patch16_224", 160, 224),
    ("alexnet", 32, 224),
    pytest.param("inception_v3", 64, 299, marks=pytest.mark.nightly),
    pytest.param("maxvit_t", 100, 224, marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("architecture", "size", "fitting"), WRONG_SIZES)
def test_images_of_another_size_are_one_line(architecture, size, fitting):
    """Every forward pass of the helpers goes through `forward_checked`."""
    model = meta_model(architecture).eval()
    message = (
        rf"cannot take images of {size} x {size} pixels; {fitting} x {fitting} fit: `preprocessing.at\({fitting}\)`"
    )
    for forward in (
        lambda: forward_checked(model, torch.empty(2, 3, size, size, device="meta")),
        lambda: count_multiply_adds(model, size),
        lambda: activation_bytes(model, size, 2),
    ):
        with pytest.raises(LessonError, match=message):
            forward()


def test_a_network_of_the_readers_own_names_a_size_that_fits():
    model = torchvision.models.inception_v3(init_weights=False, aux_logits=True)
    with pytest.raises(LessonError, match="64 x 64 pixels; 299 x 299 fit"):
        forward_checked(model.train(), torch.zeros(2, 3, 64, 64))
    assert not [p for p in model.parameters() if p.is_meta]


def test_grey_images_are_one_line():
    with pytest.raises(LessonError, match="ResNet takes images with 3 channels, not 1"):
        forward_checked(meta_model("resnet18"), torch.empty(2, 1, 64, 64, device="meta"))


def test_a_twin_is_not_seen_by_hooks_and_shares_nothing():
    model, seen = load_model(None), []
    model.fc.register_forward_pre_hook(lambda *_: seen.append(1))
    model.fc.register_forward_hook(lambda *_: seen.append(1))
    twin = meta_twin(model)
    twin(torch.empty(2, 3, 64, 64, device="meta"))
    assert not seen and len(model.fc._forward_hooks) == len(model.fc._forward_pre_hooks) == 1
    assert {t.device.type for t in (*twin.parameters(), *twin.buffers())} == {"meta"}
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers()))


def test_other_errors_are_left_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match="mat1 and mat2") as error:
        forward_checked(model, torch.zeros(2, 3, 8, 8))
    assert not isinstance(error.value, LessonError)
    model = load_model(None)
    model.fc.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        forward_checked(model, torch.zeros(2, 3, 32, 32))


# --- A real step of the large ones


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        pytest.param("vgg16", 64, marks=pytest.mark.nightly),  # at 224 px it takes the lesson's time
        pytest.param("resnet50", 224, marks=pytest.mark.nightly),
        ("inception_v3", 299),
    ],
)
def test_large_networks_train_a_real_step(architecture, size):
    torch.manual_seed(0)
    model = replace_head(load_model(None, architecture), 2)
    before = {name: p.detach().flatten()[:1000].clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(parameter_groups(model, lr=0.01, backbone_lr=0.001))
    scores = one_step(model, optimizer, size)
    assert scores.shape == (2, 2)
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        if parameter.grad.flatten()[:1000].any():
            assert not torch.equal(before[name], parameter.flatten()[:1000]), name
    assert all(model.get_submodule(head).weight.grad.any() for head in find_heads(model))
    first = next(model.parameters())
    assert first.grad.any(), "the loss reaches the first layer"


class Squares(Dataset):
    """Eight images, dark or bright."""

    classes, targets, transform = ("dark", "bright"), [0, 1] * 4, None

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.transform(torch.full((3, 80, 80), 200 * self.targets[index] + 20, dtype=torch.uint8)), index % 2


@pytest.mark.parametrize(
    ("architecture", "part"),
    [
        ("squeezenet1_1", "features.12"),
        ("tf_efficientnet_lite0", "conv_head"),
        ("mobilenetv3_small_100", "conv_head"),
        ("convnext_atto", "stages.3"),
    ],
)
def test_every_family_is_fine_tuned_in_part(architecture, part):
    torch.manual_seed(0)
    model = freeze(replace_head(load_model(None, architecture), 2), (part,))
    before = copy.deepcopy(model.state_dict())
    preprocessing = preprocessing_of(None, architecture).at(64)
    datasets = {"train": Squares(), "val": with_transform(Squares(), eval_transform(preprocessing))}
    fine_tune(model, datasets, preprocessing, num_epochs=1)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}
    assert {name for name in moved if not name.startswith(f"{part}.")} == {
        f"{find_head(model)}.weight",
        f"{find_head(model)}.bias",
    }
    assert any(name.startswith(f"{part}.") for name in moved)


# --- The explorer


def test_the_surgery_explorer_follows_its_controls():
    explorer = surgery_explorer()
    assert explorer.text.startswith("resnet18 at 224 px: 11.2 million parameters, 1.81 billion multiply-adds; ")
    assert explorer.text.endswith("its head fc is a Linear; 1,026 parameters would train")
    seen = {explorer._png}
    for control, value, said in (
        ("train", "head and last stage", "8,394,754 parameters would train"),
        ("train", "everything", "11,177,538 parameters would train"),
        ("architecture", "squeezenet1_1", "its head classifier.1 is a Conv2d"),
    ):
        getattr(explorer.controls, control).value = value
        assert said in explorer.text
        assert explorer._png not in seen
        seen.add(explorer._png)


def test_the_last_stage_is_one_with_weights():
    explorer = surgery_explorer()
    explorer.controls.train.value = "head and last stage"
    for architecture, stage in (
        ("densenet121", "features.denseblock4"),
        ("vgg11", "classifier.3"),
        ("googlenet", "inception5b"),
    ):
        explorer.controls.architecture.value = architecture
        expected = count_parameters(freeze(replace_head(meta_model(architecture), 2), (stage,)))[1]
        assert f"{expected:,} parameters would train" in explorer.text


def test_training_puts_by_what_the_backward_pass_needs():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 2))
    assert activation_bytes(model, 2, batch_size=5) == 5 * (12 + 20) * 4, "the two inputs of linear layers, in float32"
    assert activation_bytes(freeze(model), 2, batch_size=5) == 5 * 20 * 4, "a frozen layer needs none"


def test_published_figures():
    figures = published_metrics("inception_v3")
    assert figures["parameters"] == 27_161_264
    assert figures["multiply_adds"] == pytest.approx(5.713e9)
    assert figures["accuracy"] == pytest.approx(0.77294)


def test_the_chooser_keeps_to_the_budget():
    chooser = architecture_chooser()
    picture = chooser._png
    chooser.controls.million_parameters.value = 1000
    chooser.controls.billion_multiply_adds.value = 1000
    count = len(ARCHITECTURES)
    assert f": {count - 1} of {count} networks fit" in chooser.text, "one network costs more than 10^12"
    chooser.controls.billion_multiply_adds.value = 0.1
    assert chooser._png != picture
    names = [entry.split()[0] for entry in chooser.text.split(": ")[-1].split(", ")]
    assert set(names) == {"mobilenet_v3_small", "shufflenet_v2_x0_5"}
    assert all(published_metrics(name)["multiply_adds"] <= 0.1e9 for name in names)
    chooser.controls.million_parameters.value = 1
    assert chooser.text == f"ImageNet accuracy against multiply-adds: 0 of {count} networks fit; the best: none"


# --- What lesson 03 builds by hand


@pytest.fixture(scope="module")
def by_hand() -> dict:
    return lesson_code("03_model_surgery.ipynb")


@pytest.mark.parametrize("architecture", FAMILIES)
def test_the_surgery_by_hand_is_that_of_the_helper(architecture, by_hand):
    ours, theirs = (replace(meta_model(architecture), 2) for replace in (by_hand["replace_head"], replace_head))
    head = find_head(theirs)
    assert by_hand["find_head"](ours) == head
    assert ours.get_submodule(head).weight.shape == theirs.get_submodule(head).weight.shape
    others = [name for name in find_heads(theirs) if name != head]
    known = dict(theirs.named_parameters())  # the helper keeps a head without bias as it is
    differ = [name for name, one in ours.named_parameters() if name in known and one.shape != known[name].shape]
    assert differ == [f"{name}.{kind}" for name in others for kind in ("weight", "bias")], "the auxiliary heads only"


def test_the_mode_by_hand_is_that_of_the_helper(by_hand):
    ours, theirs = (freeze(replace_head(load_model(), 2)) for _ in range(2))
    by_hand["train_mode"](ours)
    train_mode(theirs)
    assert [layer.training for layer in ours.modules()] == [layer.training for layer in theirs.modules()]
    assert not ours.bn1.training and ours.layer1.training
