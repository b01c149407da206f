"""The exercises of lesson 03."""

from collections.abc import Sequence
from typing import get_type_hints

import torch
import torchvision
from torch import nn

from helpers.data import image_datasets, make_dataloader
from helpers.devices import device_of
from helpers.evaluation import accuracy, predict
from helpers.exercises import Answer, Exercises, NotYet, number, result_of, shown
from helpers.models import count_parameters, find_heads, load_model, meta_model, native_size
from helpers.tracks import current_track
from helpers.weights import SOURCES, Preprocessing

exercises = Exercises()


class SmallNetwork(nn.Module):
    """A stand-in that trains in no time: a convolution, a block with BatchNorm, dropout and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.block = nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.block(self.conv(x)).mean((2, 3)))


def shape_of_logits(network: nn.Module) -> tuple[int, ...]:
    """The shape of what one image comes out as. The network stays as it is."""
    training = [layer for layer in network.modules() if layer.training]
    side = native_size(network)  # a vision transformer takes one size only
    try:
        with torch.inference_mode():
            logits = network.eval()(torch.zeros(1, 3, side, side, device=device_of(network)))
    finally:
        for layer in training:
            layer.training = True
    return tuple(logits.shape)


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
        raise NotYet("That is the side for 224 px. The maps shrink with the image.")
    if side == 4:
        raise NotYet("That is the side for 128 px, or after four halvings. There are five.")
    if side in (8, 16, 32):
        raise NotYet("Go on halving: up to layer4 there are five halvings.")
    if side != 2:
        raise NotYet("Halve 64 five times.")
    return "2 x 2 places: each of the 512 features is then the mean of only four numbers."


@exercises.add(
    hints=(
        "How many patches of 32 pixels fit beside each other into 224 pixels?",
        "7 in a row and 7 rows. Is there a token that belongs to no patch?",
    ),
    answer="tokens_of_patch32 = (224 // 32) ** 2 + 1",
)
def q2(tokens_of_patch32: Answer) -> str:
    tokens = number(tokens_of_patch32)
    slips = {
        49.0: "Those are the patches. One token belongs to no patch.",
        197.0: "That is the number for patches of 16 pixels. Larger patches are fewer.",
        196.0: "Those are patches of 16 pixels. Larger patches are fewer.",
        7.0: "That is one row of patches. How many rows are there, and which token comes on top?",
        8.0: "That is one row of patches and the class token. How many rows are there?",
        99.0: "Patches twice as wide are also twice as high: there are a quarter of them, not half.",
    }
    if tokens in slips:
        raise NotYet(slips[tokens])
    if tokens != 50:
        raise NotYet("Count the patches in a row and the rows, and do not forget the class token.")
    return "A quarter of the patches: attention, in which each token looks at all, gets much cheaper."


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
def q3(only_the_head: Answer) -> str:
    network = SmallNetwork()
    network.conv.get_parameter("bias").requires_grad_(False)
    network.fc.bias.requires_grad_(False)  # frozen before
    head = network.fc
    result = result_of(only_the_head, network)
    if not isinstance(result, nn.Module):
        raise NotYet(f"It should return the model, not {shown(result)}.")
    if result.fc is not head:
        raise NotYet("The model has got another head. It had its new one already, which may have learned something.")
    trainable = {name for name, parameter in result.named_parameters() if parameter.requires_grad}
    if not trainable:
        raise NotYet("Nothing is left to train: the head is frozen, too.")
    if not any(name.startswith("fc") for name in trainable):
        raise NotYet("The other way round: the head is frozen, the rest would be trained.")
    if trainable - {"fc.weight", "fc.bias"}:
        raise NotYet(f"{sorted(trainable - {'fc.weight', 'fc.bias'})[0]} would still be trained.")
    if len(trainable) < 2:
        raise NotYet("One parameter of the head was frozen before, and stays so. Make all of the head trainable.")
    return "Two parameters are left: the weight and the bias of the head."


@exercises.add(
    hints=(
        "After one batch 0.9 of the old statistics are left, after two batches 0.9 of that.",
        "After n batches `0.9**n` is left. For which n is that less than 0.01?",
        "`math.log(0.01) / math.log(0.9)` says 43.7.",
    ),
    answer="batches_until_gone = next(n for n in range(1000) if 0.9**n < 0.01)",
)
def q4(batches_until_gone: Answer) -> str:
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
    return "44 batches, not even six epochs of our images."


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
def q5(start_training: Answer) -> str:
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
    return "BatchNorm keeps its statistics, dropout is active. `helpers.models.train_mode` does this."


@exercises.add(
    hints=(
        "`meta_model(name)` or `load_model(None, name)` makes a network of torchvision or timm.",
        "`replace_head` and `freeze` work on all of them.",
        "By hand: freeze all parameters, then assign new layers to what `find_head` names; new layers are trainable.",
    ),
    answer="""
my_network = freeze(replace_head(meta_model("mobilenet_v3_small"), len(class_names)))
""",
)
def q6(my_network: Answer) -> str:
    if not isinstance(my_network, nn.Module):
        raise NotYet(f"A network is expected, not {shown(my_network)}.")
    if type(my_network).__name__ == "ResNet":  # torchvision's or timm's
        raise NotYet("A ResNet again. Take another kind of network.")
    _judge_head(my_network)
    trainable = [name for name, parameter in my_network.named_parameters() if parameter.requires_grad]
    if not trainable:
        raise NotYet("Nothing would be trained. The head should be.")
    if others := _pretrained(my_network, trainable):
        raise NotYet(
            f"{len(others)} parameters outside of the head would be trained, {others[0]} for one: it has the name "
            "and the shape of a pretrained one."
        )
    total, trained = count_parameters(my_network)
    return f"{trained:,} of {total:,} parameters of this {type(my_network).__name__} would be trained."


def _judge_head(network: nn.Module) -> None:
    """Each head makes two logits, and so does the whole network."""
    for name in find_heads(network):
        head = network.get_submodule(name)
        logits = getattr(head, "out_features", getattr(head, "out_channels", 2))  # a head of several layers has neither
        if logits != 2:
            raise NotYet(f"{name} still makes {logits} logits. Ants and bees are two classes.")
    shape = shape_of_logits(network)
    if shape != (1, 2):
        raise NotYet(f"For one image the logits have the shape {shape}, not (1, 2). Was the head itself replaced?")


def _in_head(network: nn.Module, name: str) -> bool:
    return any(name.startswith(f"{head}.") for head in find_heads(network))


def _pretrained(network: nn.Module, names: Sequence[str]) -> list[str]:
    """Those of the parameters that are the backbone's: in no head, nor in another new layer beside it."""
    outside = [name for name in names if not _in_head(network, name)]
    beside = [name for name in outside if _beside_head(network, name)]
    architecture = _architecture_of(network) if beside else None
    original = _shapes(meta_model(architecture)) if architecture else {}
    return [n for n in outside if n not in beside or original.get(n) == network.get_parameter(n).shape]


def _beside_head(network: nn.Module, name: str) -> bool:
    """Whether a parameter is in the same part as a head, as in `classifier`."""
    return any(name.split(".")[0] == head.split(".")[0] for head in find_heads(network))


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: parameter.shape for name, parameter in network.named_parameters()}


def _architecture_of(network: nn.Module) -> str | None:
    """The builder of a network: `load_model` and timm note it; torchvision's is known by the layers before the head."""
    if name := getattr(network, "architecture", None):
        return str(name)
    if name := getattr(network, "pretrained_cfg", {}).get("architecture"):
        return f"timm/{name}"
    backbone = {name: shape for name, shape in _shapes(network).items() if not _beside_head(network, name)}
    for name in torchvision.models.list_models(module=torchvision.models):
        if get_type_hints(torchvision.models.get_model_builder(name))["return"] is type(network):
            shapes = _shapes(meta_model(name))
            if backbone == {name: shape for name, shape in shapes.items() if not _beside_head(network, name)}:
                return name
    return None


@exercises.add(
    hints=(
        "The function `frozen_resnet` above gives you a network; `train_head` shows the loop over the batches.",
        "`with_transform(datasets['train'], eval_transform(my_preprocessing))` prepares the images for your weights.",
        "`train_mode(model)` before the steps keeps BatchNorm still; `model.eval()` comes before measuring.",
    ),
    answer="""
my_preprocessing = track.preprocessing.at(64)  # small images, so that it is quick
my_loaders = {
    split: make_dataloader(with_transform(datasets[split], eval_transform(my_preprocessing)), shuffle=split == "train")
    for split in ("train", "val")
}
my_trained_network = frozen_resnet()
my_optimizer = torch.optim.SGD(my_trained_network.fc.parameters(), lr=0.02, momentum=0.9)
train_mode(my_trained_network)
for my_images, my_labels in my_loaders["train"]:
    training_step(my_trained_network, my_images.to(device), my_labels.to(device), my_optimizer)

my_trained_network.eval()
my_hits = []
with torch.inference_mode():
    for my_images, my_labels in my_loaders["val"]:
        my_logits = my_trained_network(my_images.to(device)).cpu()
        my_hits += (my_logits.argmax(1) == my_labels).tolist()
my_accuracy = sum(my_hits) / len(my_hits)
""",
    rubric=(
        "I can say why I prepared the images as I did, and where these numbers come from.",
        "I have tried at least two learning rates or numbers of steps, and say which was better on `val`.",
        "I say how sure I am, with an interval, and that `val` has helped me to choose.",
    ),
)
def q7(my_trained_network: Answer, my_preprocessing: Answer, my_accuracy: Answer) -> str:
    if not isinstance(my_trained_network, nn.Module):
        raise NotYet(f"A network is expected, not {shown(my_trained_network)}.")
    if not isinstance(my_preprocessing, Preprocessing):
        raise NotYet(f"my_preprocessing is expected to be a Preprocessing, not {shown(my_preprocessing)}.")
    claimed = number(my_accuracy)
    if not 0 <= claimed <= 1:
        raise NotYet(f"The accuracy is expected from 0 to 1, not {claimed:g}.")
    _judge_head(my_trained_network)
    if moved := _moved(my_trained_network):
        raise NotYet(f"{len(moved)} tensors of the backbone have changed, {moved[0]} for one. Frozen means frozen.")
    dataset = image_datasets(current_track().folder, my_preprocessing)["val"]
    probabilities, labels = predict(my_trained_network, make_dataloader(dataset))
    measured = accuracy(probabilities.argmax(1), labels)
    if abs(measured.value - claimed) > 0.01:
        raise NotYet(
            f"You say {claimed:.1%}, and with your preprocessing the check measures {measured.value:.1%} on val. Did "
            "you measure in evaluation mode, and count images?"
        )
    largest = labels.bincount().max().item() / len(labels)
    if measured.low <= largest:
        raise NotYet(
            f"{measured} is not clearly more than {largest:.1%}, which a constant answer gets. Train longer, or with a "
            "larger rate."
        )
    return f"{measured} on val, from a backbone that has not moved."


def _moved(network: nn.Module) -> list[str]:
    """The tensors of the backbone that are no longer those of the pretrained weights."""
    architecture, own = getattr(network, "architecture", None), current_track().weights
    known = [name for name, source in SOURCES.items() if source.architecture == architecture]
    if own not in SOURCES and architecture == "resnet18":  # torchvision's weights of it
        known.append(own)
    if not known:
        raise NotYet(f"Take a network that load_model makes of weights on this machine: {', '.join(SOURCES)}.")
    now = {name: tensor.cpu() for name, tensor in network.state_dict().items() if not _in_head(network, name)}
    moved = []
    for name in known:
        original = load_model(name).state_dict()
        moved.append([key for key in now if key in original and not torch.equal(now[key], original[key])])
    return min(moved, key=len)
