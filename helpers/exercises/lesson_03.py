"""The exercises of lesson 03."""

import torch
import torchvision
from torch import nn

from helpers.devices import device_of
from helpers.exercises import Answer, Exercises, NotYet, number, result_of, shown
from helpers.models import count_parameters, find_heads

exercises = Exercises()


class SmallNetwork(nn.Module):
    """A stand-in that trains in no time: a convolution, a block with BatchNorm, dropout and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.block = nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.block(self.conv(x)).mean((2, 3)))


def shape_of_scores(network: nn.Module) -> tuple[int, ...]:
    """What one picture comes out as. The network stays as it is."""
    training = [layer for layer in network.modules() if layer.training]
    side = getattr(network, "image_size", 224)  # a vision transformer takes one size only
    try:
        with torch.inference_mode():
            scores = network.eval()(torch.zeros(1, 3, side, side, device=device_of(network)))
    finally:
        for layer in training:
            layer.training = True
    return tuple(scores.shape)


@exercises.add(
    hints=(
        "With 224 px the last map has a side of 7. By what is the side divided on the way?",
        "The side halves five times: it is divided by 32.",
    ),
    answer="side = 64 // 32",
)
def q1(side: Answer) -> str:
    side = number(side)
    if side == 7:
        raise NotYet("That is the side for 224 px. The maps shrink with the picture.")
    if side == 4:
        raise NotYet("That is the side for 128 px, or after four halvings. There are five.")
    if side in (8, 16, 32):
        raise NotYet("Go on halving: up to layer4 there are five halvings.")
    if side != 2:
        raise NotYet("Halve 64 five times.")
    return "2 x 2 places: so a small picture leaves little for the head to say *where* something is."


@exercises.add(
    hints=(
        "All of `model.parameters()` first, then `model.fc.parameters()` the other way.",
        "`parameter.requires_grad = False` freezes one; `requires_grad_(False)` does so for a whole layer.",
        "`model.requires_grad_(False)`, then `model.fc.requires_grad_(True)`, then `return model`.",
    ),
    answer='''
def only_the_head(model):
    """Freeze all but model.fc; returns the model."""
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    return model
''',
)
def q2(only_the_head: Answer) -> str:
    network = SmallNetwork()
    network.conv.get_parameter("bias").requires_grad_(False)
    network.fc.bias.requires_grad_(False)  # frozen by somebody before
    head = network.fc
    result = result_of(only_the_head, network)
    if not isinstance(result, nn.Module):
        raise NotYet(f"It should return the model, not {shown(result)}.")
    if result.fc is not head:
        raise NotYet("The model has got another head. It had its new one already, which may have learned something.")
    awake = {name for name, parameter in result.named_parameters() if parameter.requires_grad}
    if not awake:
        raise NotYet("Nothing is left to train: the head is frozen, too.")
    if not any(name.startswith("fc") for name in awake):
        raise NotYet("The other way round: the head is frozen, the rest would be trained.")
    if awake - {"fc.weight", "fc.bias"}:
        raise NotYet(f"{sorted(awake - {'fc.weight', 'fc.bias'})[0]} would still be trained.")
    if len(awake) < 2:
        raise NotYet("One parameter of the head was frozen before, and stays so. Wake up the head.")
    return "Two parameters are left: the weight and the bias of the head."


@exercises.add(
    hints=(
        "After one batch 0.9 of the old statistics are left, after two batches 0.9 of that.",
        "After n batches `0.9**n` is left. For which n is that less than 0.01?",
        "`math.log(0.01) / math.log(0.9)` says 43.7.",
    ),
    answer="batches_until_gone = next(n for n in range(1000) if 0.9**n < 0.01)",
)
def q3(batches_until_gone: Answer) -> str:
    n = number(batches_until_gone)
    if n in (9, 10, 11):
        raise NotYet("Each batch moves them by a tenth of the *remaining* way: after ten, 35 % of the old are left.")
    if n in (7, 8):
        raise NotYet("That many batches leave nearly half. Go on to 1 %.")
    if 43 <= n < 44:
        raise NotYet("After 43 batches 1.08 % are left. One more.")
    if n != 44:
        raise NotYet(
            f"After {shown(batches_until_gone)} batches, 0.9**n is {0.9**n:.4f}. Look for the first n below 0.01."
        )
    return "44 batches, not even six epochs of our pictures."


@exercises.add(
    hints=(
        "Print `layer.training` of a BatchNorm layer after each line.",
        "`model.train()` sets *every* layer to training mode, those too that were set before.",
        "Exchange the order: first `model.train()`, then `eval()` for each BatchNorm layer.",
    ),
    answer='''
def start_training(model):
    """Training mode, but BatchNorm layers keep their statistics."""
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    return model
''',
)
def q4(start_training: Answer) -> str:
    network = SmallNetwork()
    network.eval()
    model = result_of(start_training, network)
    if not isinstance(model, SmallNetwork):
        raise NotYet(f"It should return the model, not {shown(model)}.")
    norm, dropout = model.block
    before = norm.get_buffer("running_mean").clone()
    model((torch.ones(4, 3, 8, 8) + torch.rand(4, 3, 8, 8)).to(device_of(model)))
    if not torch.equal(before, norm.get_buffer("running_mean")):
        raise NotYet(
            "After one batch the `running_mean` of a layer inside of a block has moved. In which mode is that layer "
            "when the function ends?"
        )
    if norm.training:
        raise NotYet(
            "The statistics stay, but BatchNorm still normalises with those of the batch, as `training` is on."
        )
    if not dropout.training:
        raise NotYet("Now dropout is off as well. Only BatchNorm should be in evaluation mode.")
    return "BatchNorm rests, dropout works. `helpers.models.train_mode` does this."


@exercises.add(
    hints=(
        "`meta_model(name)` or `load_model(None, name)` makes one of torchvision's networks.",
        "`replace_head` and `freeze` work on all of them.",
    ),
    answer="""
my_network = freeze(replace_head(meta_model("mobilenet_v3_small"), len(class_names)))
""",
    rubric=(
        "I can name its head, and say why that layer is the head, from printing the network.",
        "I know the picture size that it was made for, and what happens with another one.",
        "I can say what its BatchNorm layers, if it has some, do in training.",
    ),
)
def q5(my_network: Answer) -> str:
    if not isinstance(my_network, nn.Module):
        raise NotYet(f"A network is expected, not {shown(my_network)}.")
    if isinstance(my_network, torchvision.models.ResNet):
        raise NotYet("A ResNet again. Take another kind of network.")
    heads = find_heads(my_network)
    for name in heads:
        head = my_network.get_submodule(name)
        scores = head.out_features if isinstance(head, nn.Linear) else head.out_channels
        if scores != 2:
            raise NotYet(f"{name} still makes {scores} scores. Ants and bees are two classes.")
    shape = shape_of_scores(my_network)
    if shape != (1, 2):
        raise NotYet(f"One picture gets scores of the shape {shape}, not (1, 2). Was the head itself replaced?")
    awake = {name for name, parameter in my_network.named_parameters() if parameter.requires_grad}
    if not awake:
        raise NotYet("Nothing would be trained. The head should be.")
    if other := sorted(name for name in awake if not name.startswith(tuple(heads))):
        raise NotYet(f"{len(other)} parameters outside of the head would be trained, {other[0]} for one.")
    total, trained = count_parameters(my_network)
    return f"{trained:,} of {total:,} parameters of this {type(my_network).__name__} would be trained."
