"""What the network sees: the helpers against torchvision's presets, and against lesson 01's own steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.lesson_code import lesson_code
from torchvision.models import ResNet18_Weights, get_model_weights
from torchvision.transforms import v2

from helpers.transforms import (
    augmentation,
    data_transforms,
    denormalise,
    eval_transform,
    train_transform,
)
from helpers.weights import EMBEDDED, IMAGENET_MEAN, IMAGENET_STD, Preprocessing, preprocessing_of
from helpers.widgets import augmentation_explorer

pytestmark = pytest.mark.quick

PRESET = ResNet18_Weights.IMAGENET1K_V1.transforms()  # no weights are loaded for it
LEVEL = 1 / 255 / min(IMAGENET_STD)  # one grey level, normalised
SMALL = Preprocessing(64)
NEUTRAL = {"scale": 1, "ratio": 1, "jitter": 0, "rotation": 0, "blur": 0, "erasing": 0}


def smooth_picture(width: int, height: int) -> Image.Image:
    """Each colour rises along its own way, so no turn, mirror image or swap of colours looks the same."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((np.stack([x, y, (x + y) ** 2 / 4], -1) * 255).round().astype(np.uint8))


@pytest.fixture(params=[(240, 180), (171, 260), (150, 150)], ids=str)
def picture(request) -> Image.Image:
    return smooth_picture(*request.param)


# --- The helpers by themselves


# The presets of these differ in size, resize, interpolation, mean and standard deviation.
PRESETS = ["resnet18", "resnet50", "inception_v3", "efficientnet_b1", "vit_b_16", "swin_t", "mnasnet1_3"]


@pytest.mark.parametrize("architecture", PRESETS)
def test_evaluation_is_torchvision_s(picture, architecture):
    preset = get_model_weights(architecture).DEFAULT.transforms()
    ours = eval_transform(preprocessing_of(None, architecture))(picture)
    torch.testing.assert_close(ours, preset(picture), atol=3 * LEVEL, rtol=0)


def test_weights_of_another_normalisation():
    """Mean and standard deviation 0.5 make -1 of black and 1 of white."""
    half = Preprocessing(32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    for colour, value in (("black", -1), ("white", 1)):
        for transform in (eval_transform(half), train_transform(half)):
            seen = transform(Image.new("RGB", (50, 40), colour))
            torch.testing.assert_close(seen, torch.full((3, 32, 32), float(value)))
            torch.testing.assert_close(denormalise(seen, half), (seen + 1) / 2)


def test_another_size_shows_the_same_part():
    assert Preprocessing(224) == Preprocessing(224, 256)
    assert Preprocessing(224).at(112) == Preprocessing(112, 128)
    whole = Preprocessing(100, 100, interpolation="bicubic")
    assert whole.at(50) == Preprocessing(50, 50, interpolation="bicubic")
    assert (EMBEDDED.mean, EMBEDDED.std) == (IMAGENET_MEAN, IMAGENET_STD)


def test_letters_are_not_mirrored():
    picture = smooth_picture(64, 64)
    torch.manual_seed(0)
    never = torch.stack([train_transform(Preprocessing(16), mirror=False)(picture)[0, 8] for _ in range(50)])
    assert (never[:, -1] > never[:, 0]).all()


@pytest.mark.parametrize("size", [96, 128, 224, 299])
def test_the_ratio_of_resize_and_crop_holds_for_every_size(size):
    """Of 256 pixels of the shorter side 224 are seen: the ramp begins at 16/256 and ends at 240/256."""
    seen = denormalise(eval_transform(Preprocessing(size))(smooth_picture(512, 512)), Preprocessing(size))
    assert seen.shape == (3, size, size)
    assert seen[0, 0, 0].item() == pytest.approx(16 / 256, abs=0.01)
    assert seen[0, 0, -1].item() == pytest.approx(240 / 256, abs=0.01)


@pytest.mark.parametrize("transform", [train_transform(SMALL), eval_transform(SMALL)], ids=["train", "eval"])
def test_a_plain_colour_is_normalised_once_with_red_first(transform):
    colour = (200, 100, 50)
    seen = transform(Image.new("RGB", (100, 80), colour))
    expected = [(c / 255 - m) / s for c, m, s in zip(colour, PRESET.mean, PRESET.std, strict=True)]
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen.mean((1, 2)), torch.tensor(expected), atol=1e-5, rtol=0)


def test_only_training_leaves_room_for_chance(picture):
    transforms = data_transforms(SMALL)
    assert list(transforms) == ["train", "val", "test"]
    for split, transform in transforms.items():
        same = torch.equal(transform(picture), transform(picture))
        assert same == (split != "train"), split


def test_training_crops_and_flips():
    picture = smooth_picture(240, 180)
    torch.manual_seed(0)
    random_crop = train_transform(SMALL)
    seen = torch.stack([denormalise(random_crop(picture), SMALL) for _ in range(200)])
    red = seen[:, 0]  # rises from left to right, unless mirrored
    mirrored = (red[:, 32, 0] > red[:, 32, -1]).float().mean().item()
    width = (red[:, 32, 0] - red[:, 32, -1]).abs()
    assert 0.35 < mirrored < 0.65
    assert width.min() < 0.45
    assert width.max() > 0.8

    large_crop = train_transform(SMALL, scale=0.9)
    most_of_it = torch.stack([denormalise(large_crop(picture), SMALL) for _ in range(50)])[:, 0]
    assert (most_of_it[:, 32, 0] - most_of_it[:, 32, -1]).abs().min() > 0.6


@pytest.mark.parametrize("split", ["train", "val"])
def test_tensors_of_whole_numbers_are_pictures_too(split, picture):
    transform = data_transforms(SMALL)[split]
    torch.manual_seed(5)
    from_pil = transform(picture)
    torch.manual_seed(5)
    assert torch.equal(transform(v2.functional.pil_to_tensor(picture)), from_pil)


@given(st.lists(st.integers(1, 5), max_size=2), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_denormalise_is_the_inverse(batch, height, width, seed):
    values = torch.rand(*batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
    back = denormalise(v2.functional.normalize(values, list(PRESET.mean), list(PRESET.std)), EMBEDDED)
    torch.testing.assert_close(back, values)


def test_denormalise_stays_in_its_range():
    assert denormalise(torch.full((3, 1, 1), 99.0), EMBEDDED).max() == 1
    assert denormalise(torch.full((3, 1, 1), -99.0), EMBEDDED).min() == 0


# --- What lesson 01 builds by hand


@pytest.fixture(scope="module")
def lesson() -> dict:
    return lesson_code("01_transforms.ipynb", "MEAN", "STD")


def test_the_lesson_and_the_helper_know_the_same_constants(lesson):
    assert (lesson["MEAN"], lesson["STD"]) == (IMAGENET_MEAN, IMAGENET_STD) == (tuple(PRESET.mean), tuple(PRESET.std))


def test_evaluation_by_hand(lesson, picture):
    by_hand = lesson["normalise"](lesson["centre_crop"](picture, 128))
    torch.testing.assert_close(by_hand, torch.Tensor(eval_transform(EMBEDDED)(picture)), atol=2 * LEVEL, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_training_by_hand(lesson, picture, seed):
    torch.manual_seed(seed)
    by_hand = lesson["normalise"](lesson["random_flip"](lesson["random_crop"](picture, 64)))
    torch.manual_seed(seed)
    torch.testing.assert_close(by_hand, torch.Tensor(train_transform(SMALL)(picture)), atol=2 * LEVEL, rtol=0)


def test_denormalise_by_hand(lesson, picture):
    normalised = lesson["normalise"](picture)
    assert torch.equal(lesson["denormalise"](normalised, EMBEDDED), denormalise(normalised, EMBEDDED))


# --- The augmentation explorer


def test_a_neutral_augmentation_only_resizes_the_middle(picture):
    seen = augmentation(64, **NEUTRAL)(picture)
    side = min(picture.size)
    expected = v2.Compose([v2.ToImage(), v2.CenterCrop(side), v2.Resize(64)])(picture)
    assert seen.dtype == torch.uint8
    assert (seen.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("control", "value"),
    [("scale", 0.2), ("ratio", 3.0), ("jitter", 0.8), ("rotation", 90), ("blur", 4.0), ("erasing", 1.0)],
)
def test_each_control_changes_picture_and_sentence(control, value):
    explorer = augmentation_explorer(smooth_picture(120, 90), 48)
    for name, neutral in NEUTRAL.items():
        getattr(explorer.controls, name).value = neutral
    png, text = explorer._png, explorer.text
    getattr(explorer.controls, control).value = value
    assert explorer._png != png
    assert explorer.text != text


def test_the_explorer_s_picture_is_reproducible_and_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = augmentation_explorer(smooth_picture(120, 90), 48)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second = augmentation_explorer(smooth_picture(120, 90), 48)
    assert first._png == second._png
    first.controls.rotation.value = 45
    first.controls.rotation.value = second.controls.rotation.value
    assert first._png == second._png


def test_erasing_and_rotation_do_what_they_say():
    white = Image.new("RGB", (80, 80), "white")
    torch.manual_seed(0)
    erased = torch.stack([augmentation(32, **NEUTRAL | {"erasing": 1.0})(white) for _ in range(20)])
    assert (erased == 0).flatten(1).any(1).all()
    turned = torch.stack([augmentation(32, **NEUTRAL | {"rotation": 180})(white) for _ in range(20)])
    assert (turned[:, :, 0, 0] == 0).any(), "a turned square leaves black corners"
    assert (augmentation(32, **NEUTRAL)(white) == 255).all()
