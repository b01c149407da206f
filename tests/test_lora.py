"""LoRA: it starts as the network it is put into, trains few numbers, and can be merged."""

import copy

import pytest
import torch
from support.lesson_code import lesson_code
from torch import nn

from helpers.errors import LessonError
from helpers.lora import LoRA, add_lora, merge_lora
from helpers.models import count_parameters

pytestmark = pytest.mark.quick


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 1, stride=2), nn.ReLU(), nn.Conv2d(12, 12, 1, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 2),
    )  # fmt: skip


def learned(model: nn.Module) -> nn.Module:
    """As if it had been trained."""
    for layer in model.modules():
        if isinstance(layer, LoRA):
            nn.init.normal_(layer.up.weight)
    return model


IMAGES = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


def test_at_first_it_changes_nothing():
    model = small()
    before = model(IMAGES)
    assert torch.equal(add_lora(model, rank=2)(IMAGES), before)


def test_it_goes_where_it_can_and_trains_the_head_too():
    model = add_lora(small(), rank=2)
    assert [name for name, layer in model.named_modules() if isinstance(layer, LoRA)] == ["1"]
    assert count_parameters(model)[1] == 2 * (8 + 12) + 12 * 2 + 2


def test_merged_it_does_the_same_and_is_as_large_as_before():
    model = learned(add_lora(small(), rank=2))
    before = model(IMAGES)
    assert not torch.allclose(before, small()(IMAGES), atol=1e-3)
    assert merge_lora(model).state_dict().keys() == small().state_dict().keys()
    torch.testing.assert_close(model(IMAGES), before, rtol=1e-4, atol=1e-5)


def test_by_hand():
    """The lesson's own gives the same."""
    frozen = nn.Conv2d(8, 12, 1)
    ours, by_hand = LoRA(frozen, 3), lesson_code("07_fine_tuning.ipynb")["LoRA"](copy.deepcopy(frozen), 3)
    nn.init.normal_(ours.up.weight)
    by_hand.load_state_dict(ours.state_dict())
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(ours(x), by_hand(x))
    assert [p.requires_grad for p in ours.parameters()] == [p.requires_grad for p in by_hand.parameters()]


def test_a_network_without_such_convolutions():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(LessonError, match="^Sequential has no convolution of 1 x 1 pixel for LoRA; train its late"):
        add_lora(model, rank=2)
    assert all(parameter.requires_grad for parameter in model.parameters()), "left as it was"
