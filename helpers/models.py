"""Backbones, their heads, and what of them is trained (lesson 03)."""

import copy
import hashlib
from pathlib import Path

import safetensors.torch
import torch
import torchvision
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.flop_counter import FlopCounterMode

from helpers import ROOT
from helpers.errors import LessonError
from helpers.weights import torchvision_preprocessing

EMBEDDED = ROOT / "data" / "weights" / "resnet18_tiny_imagenet.safetensors"
BATCH_NORM = nn.modules.batchnorm._BatchNorm
CONTAINERS = {"features", "encoder", "layers", "blocks", "trunk_output", "classifier", "heads"}


def load_model(weights: str | None = "embedded", architecture: str = "resnet18") -> nn.Module:
    """A network of torchvision with its pretrained weights.

    Args:
        weights: `embedded` (this project's ResNet18, 199 classes of Tiny ImageNet), the name of
            torchvision's weights (`IMAGENET1K_V1`, `DEFAULT`; downloaded once), or None for random ones.
        architecture: the name of torchvision's builder, as in `resnet18`, `vgg16`, `inception_v3`.

    Raises:
        LessonError: the embedded weights are damaged, or exist for ResNet18 only.
    """
    if weights != "embedded":
        return torchvision.models.get_model(architecture, weights=weights, **_options(architecture, weights))
    if architecture != "resnet18":
        raise LessonError(
            f"The embedded weights are a ResNet18's; for {architecture} there are torchvision's: "
            "weights='DEFAULT' downloads them once."
        )
    model = torchvision.models.resnet18(num_classes=199)
    model.load_state_dict(safetensors.torch.load_file(verified(EMBEDDED)))
    return model


def verified(path: Path) -> Path:
    """`path`, once its sha256 is the one in `SHA256SUMS` beside it."""
    sums = dict(reversed(line.split()) for line in (path.parent / "SHA256SUMS").read_text().splitlines())
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sums[path.name]:
        raise LessonError(f"{path.name} is missing or damaged; `git checkout data/weights` restores it.")
    return path


def _options(architecture: str, weights: str | None) -> dict:
    """What random weights need so that the two oldest builders do not warn of a change to come."""
    return {"init_weights": True} if weights is None and architecture in ("googlenet", "inception_v3") else {}


def input_size(architecture: str, weights: str = "DEFAULT") -> int:
    """The side of the square, in pixels, for which torchvision's weights of an architecture were made."""
    return torchvision_preprocessing(architecture, weights).size


def meta_model(architecture: str) -> nn.Module:
    """A network of torchvision without its numbers: layers and shapes only, on PyTorch's `meta` device.

    It takes neither time nor memory, even for a network of gigabytes. `with torch.device("meta")` does the
    same for most architectures, but RegNets compute their widths with tensors, which then hold no values.
    """
    options = _options(architecture, None)
    if architecture.startswith("vit_"):  # the only ones that are built for one size
        options["image_size"] = input_size(architecture)
    hook = register_module_parameter_registration_hook(
        lambda layer, name, parameter: nn.Parameter(parameter.to("meta"), parameter.requires_grad)
    )
    try:
        return torchvision.models.get_model(architecture, weights=None, **options).to("meta")
    finally:
        hook.remove()


def find_head(model: nn.Module) -> str:
    """The name of the layer that makes the class scores: the last linear (or convolutional) one.

    `fc` in a ResNet, `classifier.6` in VGG16, `heads.head` in a vision transformer.
    """
    return [name for name, layer in model.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]


def find_heads(model: nn.Module) -> list[str]:
    """The names of all heads: the auxiliary ones of Inception and GoogLeNet, then the one of `find_head`."""
    auxiliary = [(name, part) for name, part in model.named_children() if name.lower().startswith("aux")]
    return [*(f"{name}.{find_head(part)}" for name, part in auxiliary), find_head(model)]


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Give `model` a new, random head for `num_classes` classes, in place; auxiliary heads as well.

    Works on every classification network of torchvision. Returns the model.
    """
    for name in find_heads(model):
        old = model.get_submodule(name)
        place = {"device": old.weight.device, "dtype": old.weight.dtype}
        if isinstance(old, nn.Linear):
            new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, **place)
        else:  # SqueezeNet's head is a convolution
            new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size, **place)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, new)
    return model


def top_level_parts(model: nn.Module) -> list[str]:
    """The names of the parts that hold parameters, from the input to the head; auxiliary heads left out.

    `conv1`, `bn1`, `layer1` to `layer4`, `fc` in a ResNet; containers such as VGG's `features` are opened.
    """

    def parts(network: nn.Module, prefix: str = "") -> list[str]:
        names = []
        for child, layer in network.named_children():
            name = prefix + child
            if child in CONTAINERS and list(layer.children()):
                names += parts(layer, f"{name}.")
            elif list(layer.parameters()) and not name.lower().startswith("aux"):
                names.append(name)
        return names

    return parts(model)


def freeze(model: nn.Module, trainable: tuple[str, ...] = ()) -> nn.Module:
    """Freeze everything but the heads and the named parts, in place. Returns the model.

    `trainable=("layer4",)` trains a ResNet's last stage and its head. The statistics of frozen
    BatchNorm layers are kept still by `train_mode`, which `train_model` calls.

    Raises:
        LessonError: a name in `trainable` is not one of a part with parameters.
    """
    names = [name for name, _ in model.named_parameters()]
    for part in trainable:
        if not any(_within(name, part) for name in names):
            raise LessonError(f"There is no part {part!r} to train; there are {', '.join(top_level_parts(model))}.")
    keep = (*find_heads(model), *trainable)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(_within(name, part) for part in keep)
    return model


def _within(parameter: str, part: str) -> bool:
    return parameter == part or parameter.startswith(f"{part}.")


def freeze_norms(model: nn.Module) -> nn.Module:
    """Keep every BatchNorm layer as it was pretrained, in place: its scales here, its statistics by `train_mode`.

    A few hundred pictures in small batches tell less about mean and variance than the pretraining did. Returns
    the model.
    """
    for layer in model.modules():
        if isinstance(layer, BATCH_NORM):
            layer.requires_grad_(False)
    return model


def train_mode(model: nn.Module) -> None:
    """`model.train()`, except that BatchNorm layers whose parameters are frozen stay in evaluation mode.

    Otherwise they would go on moving their running mean and variance: frozen would not be frozen.
    """
    model.train()
    for layer in model.modules():
        if isinstance(layer, BATCH_NORM) and not any(p.requires_grad for p in layer.parameters()):
            layer.eval()


def forward_checked(model: nn.Module, x: torch.Tensor):
    """What `model` says to pictures (n, 3, h, w).

    Raises:
        LessonError: the pictures are too small for its layers, or a single one for its BatchNorm.
    """
    try:
        return model(x)
    except (RuntimeError, ValueError) as error:
        size, reason = x.shape[-1], str(error)
        if len(x) == 1 and "more than 1 value per channel" in reason:
            raise LessonError(
                f"A batch of one image is too small for BatchNorm at {size} pixels: let `make_dataloaders` make the "
                "batches, which leaves no image alone, or take larger pictures."
            ) from error
        if "Output size is too small" in reason or "Kernel size can't be greater" in reason:
            raise LessonError(
                f"Pictures of {size} pixels are too small for {type(model).__name__}: nothing is left of them on the "
                "way through its layers. `helpers.models.input_size` says which size it was made for."
            ) from error
        raise


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The number of all parameters, and of those that are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)


def parameter_groups(
    model: nn.Module, lr: float, backbone_lr: float | None = None, weight_decay: float = 0.0
) -> list[dict]:
    """What the optimizer should receive: the parameters that are trained, in at most four groups.

    The heads come first, so that `optimizer.param_groups[0]["lr"]` is theirs. Biases and the parameters of
    normalisation layers get no weight decay (He et al., Bag of Tricks, 2019).

    Args:
        model: after `replace_head` and `freeze`.
        lr: learning rate of the heads.
        backbone_lr: learning rate of the rest; None takes `lr`.
        weight_decay: of the weights.

    Returns:
        Groups with the keys `name`, `params`, `lr` and `weight_decay`, for any optimizer of `torch.optim`.
    """
    groups = {
        (part, decayed): {
            "name": part if decayed else f"{part}, no decay",
            "params": [],
            "lr": rate,
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for part, rate in (("head", lr), ("backbone", lr if backbone_lr is None else backbone_lr))
        for decayed in (True, False)
    }
    heads = find_heads(model)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "head" if any(_within(name, head) for head in heads) else "backbone"
            groups[part, parameter.ndim > 1]["params"].append(parameter)  # biases and norms have one axis
    return [group for group in groups.values() if group["params"]]


def published_metrics(architecture: str) -> dict[str, float]:
    """What torchvision says of its best weights of an architecture; nothing is downloaded.

    Returns:
        `parameters`, `multiply_adds` (for one picture) and `accuracy` (top-1 on ImageNet, in 0..1).
    """
    weights = torchvision.models.get_model_weights(architecture).DEFAULT
    return {
        "parameters": weights.meta["num_params"],
        "multiply_adds": weights.meta["_ops"] * 1e9,
        "accuracy": weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100,
    }


def activation_bytes(model: nn.Module, size: int, batch_size: int = 1) -> int:
    """The memory that one training step keeps for its backward pass: all that the layers have put by.

    Counted on a twin without numbers; weights, gradients and the optimizer's state come on top.

    Args:
        model: a classification network.
        size: the side of the picture, in pixels.
        batch_size: how many pictures; at least 2 for networks whose BatchNorm sees one value per picture.
    """
    twin = copy.deepcopy(model).to("meta").train()
    own = {parameter.untyped_storage()._cdata for parameter in twin.parameters()}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other gets the same address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        twin(torch.empty(batch_size, 3, size, size, device="meta"))
    return sum(storage.nbytes() for storage in kept.values())


def count_multiply_adds(model: nn.Module, size: int) -> int:
    """The multiplications (each with its addition) that one RGB picture of `size` x `size` pixels costs.

    Counted by PyTorch's `FlopCounterMode`, for which one is two operations, on a twin without numbers:
    nothing is computed. Like torchvision's own figures, they are those of convolutions and matrix products.
    """
    twin = copy.deepcopy(model).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2
