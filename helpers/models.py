"""Backbones, their heads, and what of them is trained (lesson 03)."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
import torchvision
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.flop_counter import FlopCounterMode

from helpers.errors import LessonError
from helpers.files import one_line_errors
from helpers.weights import SOURCES, check_weights, library_of, preprocessing_of

BATCH_NORM = nn.modules.batchnorm._BatchNorm
CONTAINERS = {"features", "encoder", "layers", "blocks", "stages", "trunk_output", "classifier", "heads", "head"}
WRAPPERS = ("module", "_orig_mod")  # where DistributedDataParallel and torch.compile keep the network itself
USUAL_SIZES = (224, 299, 384, 512)  # in pixels, of the images that networks are made for


def load_model(weights: str | None = "embedded", architecture: str | None = None) -> nn.Module:
    """A network with its pretrained weights.

    Args:
        weights: a name in `helpers.weights.SOURCES` (`embedded`, this project's ResNet18; `imagenet`, EfficientNet-
            Lite0; `efficientnet_lite1`; `efficientnet_lite2`), the name of torchvision's weights (`IMAGENET1K_V1`,
            `DEFAULT`; downloaded once), or None for random ones.
        architecture: the name of a builder of torchvision or timm, as in `resnet18`, `vgg16`, `inception_v3`,
            `vit_tiny_patch16_224`. None takes that of the weights; for torchvision's and random ones, `resnet18`.

    Returns:
        The network. Its attributes `architecture` and `pretrained` keep the builder's and the weights' names.

    Raises:
        LessonError: there are no such weights, or they are damaged, not installed, or cannot be downloaded.
    """
    source = SOURCES.get(weights) if weights else None
    architecture = architecture or (source.architecture if source else "resnet18")
    if source is None or source.architecture != architecture:
        if weights is not None:
            check_weights(weights, architecture)
        model = _build(architecture, weights)
    else:
        model = _build(architecture, num_classes=source.num_classes)
        model.load_state_dict(_as_named_in(model, source.tensors()))
    model.pretrained = weights or "None"  # type: ignore[assignment]  # a note, neither tensor nor layer
    return model


def _build(architecture: str, weights: str | None = None, **options: Any) -> nn.Module:
    """The network of torchvision or timm, which then knows its builder's name."""
    library, name = library_of(architecture)
    if library == "timm":
        import timm

        model = timm.create_model(name, **options)
    else:
        if weights is None and name in ("googlenet", "inception_v3"):
            options["init_weights"] = True  # so that the two oldest builders do not warn of a change to come
        with one_line_errors(
            f"torchvision's weights {weights} of {name} are not on this machine, and cannot be downloaded",
            "`make photos` brings those of resnet18 where there is a network (for a class: into a shared TORCH_HOME)",
        ):
            try:
                model = torchvision.models.get_model(name, weights=weights, **options)
            except OSError:
                raise
            except Exception as error:  # each way of being damaged has an error of its own
                if weights is None:
                    raise
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise LessonError(
                    f"torchvision's weights {weights} of {name} are damaged, or something else came ({reason}); remove "
                    f"their file from {torch.hub.get_dir()}/checkpoints, and run it again."
                ) from error
    model.architecture = architecture  # a note, neither tensor nor layer
    return model


def _as_named_in(model: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors under the names of `model`: as they are, or one after the other, in the same order.

    Raises:
        LessonError: kind or shape of one of them is not that of its counterpart.
    """
    own = model.state_dict()
    if own.keys() == tensors.keys():
        return tensors
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # older files lack them; all stay 0
    ours = [name for name in own if name not in counters]
    theirs = [name for name in tensors if not name.endswith("num_batches_tracked")]
    renamed = {name: own[name] for name in counters}
    for name, other in zip(ours, theirs, strict=True):
        if name.split(".")[-1] != other.split(".")[-1] or own[name].shape != tensors[other].shape:
            raise LessonError(
                f"The weights do not fit: {other} is {tuple(tensors[other].shape)}, {name} {tuple(own[name].shape)}."
            )
        renamed[name] = tensors[other]
    return renamed


def unwrapped(model: nn.Module) -> nn.Module:
    """The network itself, where it is compiled or spread over processes."""
    while wrapper := next((name for name in WRAPPERS if isinstance(getattr(model, name, None), nn.Module)), None):
        model = getattr(model, wrapper)
    return model


def input_size(architecture: str, weights: str | None = None) -> int:
    """The side of the square, in pixels, for which weights were made; None: the best ones of the architecture."""
    return preprocessing_of(weights, architecture).size


def meta_model(architecture: str) -> nn.Module:
    """A network of torchvision or timm without its numbers: layers and shapes only, on PyTorch's `meta` device.

    It takes neither time nor memory, even for a network of gigabytes. `with torch.device("meta")` does the
    same for most architectures, but RegNets compute their widths with tensors, which then hold no values.
    """
    library, name = library_of(architecture)
    # Only torchvision's vision transformers have to be told for which size they are built.
    options: dict[str, Any] = (
        {"image_size": input_size(name)} if library == "torchvision" and name.startswith("vit_") else {}
    )

    def to_meta(layer: nn.Module, name: str, parameter: nn.Parameter) -> Any:
        return nn.Parameter(parameter.to("meta"), parameter.requires_grad)

    hook = register_module_parameter_registration_hook(to_meta)
    try:
        return _build(architecture, **options).to("meta")
    finally:
        hook.remove()


def meta_twin(model: nn.Module) -> nn.Module:
    """A copy of `model` without its numbers and its hooks, on the `meta` device: what it computes are shapes."""
    with torch.inference_mode(False):  # no parameter can be made of a tensor that inference mode makes
        twins: dict[int, torch.Tensor] = {
            id(p): nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad) for p in model.parameters()
        }
        twins |= {id(buffer): torch.empty_like(buffer, device="meta") for buffer in model.buffers()}
        twin = copy.deepcopy(model, twins)
    for layer in twin.modules():  # whoever hooked the model waits for numbers
        layer._forward_hooks.clear()
        layer._forward_pre_hooks.clear()
    return twin


def find_head(model: nn.Module) -> str:
    """The name of the layer that makes the logits: the last linear (or convolutional) one, or what timm calls it.

    `fc` in a ResNet, `classifier.6` in VGG16, `heads.head` in torchvision's vision transformers.
    """
    if hasattr(model, "get_classifier"):
        return find_heads(model)[-1]
    return [name for name, layer in model.named_modules() if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]


def find_heads(model: nn.Module) -> list[str]:
    """The names of all heads: the auxiliary ones of Inception and GoogLeNet, then the one of `find_head`."""
    get_classifier = getattr(model, "get_classifier", None)
    if get_classifier is not None:
        classifiers = get_classifier()  # a distilled vision transformer of timm has two
        classifiers = classifiers if isinstance(classifiers, tuple) else (classifiers,)
        return [name for name, layer in model.named_modules() if any(layer is head for head in classifiers)]
    auxiliary = [(name, part) for name, part in model.named_children() if name.lower().startswith("aux")]
    return [*(f"{name}.{find_head(part)}" for name, part in auxiliary), find_head(model)]


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Give `model` a new, random head for `num_classes` classes, in place; auxiliary heads as well.

    Works on every classification network of torchvision, and on timm's by their own `reset_classifier`. Returns
    the model.
    """
    reset_classifier = getattr(model, "reset_classifier", None)
    if reset_classifier is not None:
        first = next(model.parameters())
        with torch.device(first.device):
            reset_classifier(num_classes)
        for name in find_heads(model):
            model.get_submodule(name).to(first.dtype)
        return model
    for name in find_heads(model):
        old: Any = model.get_submodule(name)  # linear or convolutional
        place: dict[str, Any] = {"device": old.weight.device, "dtype": old.weight.dtype}
        if isinstance(old, nn.Linear):
            new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, **place)
        else:  # SqueezeNet's head is a convolution
            new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size, **place)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, new)
    if hasattr(model, "num_classes"):  # vision transformers and SqueezeNets note it
        model.num_classes = num_classes  # type: ignore[assignment]  # a note, neither tensor nor layer
    return model


def top_level_parts(model: nn.Module) -> list[str]:
    """The names of the parts that hold parameters, from the input to the head; auxiliary heads left out.

    `conv1`, `bn1`, `layer1` to `layer4`, `fc` in a ResNet; containers such as VGG's `features` are opened. Parameters
    that belong to no layer, such as a vision transformer's class token, are in none of them.
    """
    return [name for name, layer in open_containers(model) if any(True for _ in layer.parameters())]


def open_containers(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The parts of a network with their names, with and without parameters; auxiliary heads left out."""
    for child, layer in model.named_children():
        if child in CONTAINERS and list(layer.children()):
            yield from open_containers(layer, f"{prefix}{child}.")
        elif prefix or not child.lower().startswith("aux"):
            yield prefix + child, layer


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

    A few hundred images in small batches tell less about mean and variance than the pretraining did. Returns
    the model.

    Raises:
        LessonError: there is no BatchNorm. LayerNorm, as in vision transformers and ConvNeXt, keeps no statistics:
            small batches cannot spoil it.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, BATCH_NORM)]
    if not layers:
        raise LessonError(
            f"{type(model).__name__} has no BatchNorm layers, and LayerNorm keeps no statistics that small batches "
            "could spoil: leave freeze_norms out."
        )
    for layer in layers:
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


def forward_checked(model: nn.Module, x: torch.Tensor) -> Any:
    """What `model` makes of images (n, 3, h, w). Every helper runs its forward passes through it.

    Returns:
        The logits (n, classes); of Inception and GoogLeNet in training, with those of their auxiliary heads.

    Raises:
        LessonError: the model cannot take such images, or a single one in training; or it returns no logits.
    """
    if not x.is_floating_point():
        raise LessonError(
            f"The images are {str(x.dtype).removeprefix('torch.')}; a network takes floats, as eval_transform makes "
            "them, or v2.ToDtype(torch.float32, scale=True) at the end of a transform."
        )
    try:
        outputs = model(x)
    except (RuntimeError, ValueError, AssertionError) as error:
        problem = _wrong_shape(unwrapped(model), tuple(x.shape))
        if problem:
            raise LessonError(problem) from error
        raise
    if isinstance(outputs, torch.Tensor) or any(name.startswith("aux") for name in getattr(outputs, "_fields", ())):
        return outputs
    if isinstance(logits := getattr(outputs, "logits", None), torch.Tensor):  # as the networks of transformers
        return logits
    raise LessonError(
        f"{type(unwrapped(model)).__name__} returns a {type(outputs).__name__}; let its forward return logits alone."
    )


def labelled_batches(loader: Iterable[Any]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of a loader. Every helper reads loaders through it.

    Raises:
        LessonError: a batch is something else than images and labels, or the labels are no numbers.
    """
    for batch in loader:
        if not (isinstance(batch, (list, tuple)) and len(batch) == 2):
            found = "images alone" if isinstance(batch, torch.Tensor) else f"{len(batch)} parts"
            if isinstance(batch, Mapping):
                found = f"the keys {', '.join(map(repr, batch))}"
            raise LessonError(
                f"A batch of this loader has {found}; it should be (images, labels): let the dataset return these two."
            )
        x, y = batch
        if not isinstance(y, torch.Tensor):
            raise LessonError(f"The labels are no numbers, as {y[0]!r}; give class indices: class_names.index(label).")
        yield x, y if y.is_floating_point() else y.long()


def native_size(model: nn.Module) -> int:
    """The side of the square, in pixels, that a model was made for; 224 where nothing tells."""
    if (size := getattr(model, "image_size", None)) is not None:  # torchvision's vision transformers
        return size
    if sides := getattr(getattr(model, "patch_embed", None), "img_size", None):  # timm's
        return sides[0]
    architecture = getattr(model, "architecture", None)
    return USUAL_SIZES[0] if architecture is None else input_size(architecture)


def _wrong_shape(model: nn.Module, shape: tuple[int, ...]) -> str:
    """Why a forward pass failed, if its shapes alone make it fail: a twin without numbers fails, too."""
    if len(shape) not in (3, 4):
        return ""
    twin, name = meta_twin(model), type(model).__name__
    if len(shape) == 3:
        single = _takes(twin, (2, *shape))
        return "A batch of images has 4 axes: `image[None]` makes one of a single image." if single else ""
    fitting = [size for size in (native_size(model), *USUAL_SIZES) if _takes(twin, (2, 3, size, size))]
    if _takes(twin, shape):
        return ""
    if not fitting:
        first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
        if first is None or first.in_channels == 3 or not _takes(twin, (2, first.in_channels, *shape[2:])):
            return ""
        return (
            f"{name} takes images of {first.in_channels} channels, and the helpers make 3, of grey ones as well: "
            "leave the first layer as it was pretrained."
        )
    if shape[1] != 3 == shape[3]:
        return f"{name} takes images as (3, height, width); these are (height, width, 3): `x.permute(0, 3, 1, 2)`."
    if shape[1] != 3:
        return f"{name} takes images with 3 channels, not {shape[1]}: `image.convert('RGB')` makes them."
    if shape[0] == 1 and _takes(twin, (2, *shape[1:])):
        return (
            f"A batch of one image is too small for BatchNorm at {shape[-1]} pixels: let `make_dataloaders` make the "
            "batches, which leaves no image alone, or take larger images."
        )
    return (
        f"{name} cannot take images of {shape[3]} x {shape[2]} pixels; {fitting[0]} x {fitting[0]} fit: "
        f"`preprocessing.at({fitting[0]})` prepares them."
    )


@torch.no_grad()
def _takes(twin: nn.Module, shape: tuple[int, ...]) -> bool:
    with suppress(RuntimeError, ValueError, AssertionError):
        twin(torch.empty(shape, device="meta"))
        return True
    return False


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The number of all parameters, and of those that are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained)


def parameter_groups(
    model: nn.Module, lr: float, backbone_lr: float | None = None, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """What the optimizer should receive: the parameters that are trained, in at most four groups.

    The heads come first, so that `optimizer.param_groups[0]["lr"]` is theirs. Weight decay is for the weights of linear
    and convolutional layers only: not for biases and normalisation layers (He et al., Bag of Tricks, 2019), nor for
    what is neither (class tokens, tables of positions, scales of layers), nor for what timm exempts.

    Args:
        model: after `replace_head` and `freeze`.
        lr: learning rate of the heads.
        backbone_lr: learning rate of the rest; None takes `lr`.
        weight_decay: of the weights.

    Returns:
        Groups with the keys `name`, `params`, `lr` and `weight_decay`, for any optimizer of `torch.optim`.
    """
    groups: dict[tuple[str, bool], dict[str, Any]] = {
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
    no_weight_decay = getattr(model, "no_weight_decay", None)
    exempt = () if no_weight_decay is None else no_weight_decay()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "head" if any(_within(name, head) for head in heads) else "backbone"
            # The weights of normalisation layers have one axis; tokens, tables and scales are not called so.
            decayed = name.endswith("weight") and parameter.ndim > 1 and name not in exempt
            groups[part, decayed]["params"].append(parameter)
    return [group for group in groups.values() if group["params"]]


def published_metrics(architecture: str) -> dict[str, float]:
    """What torchvision says of its best weights of an architecture; nothing is downloaded.

    Returns:
        `parameters`, `multiply_adds` (for one image) and `accuracy` (top-1 on ImageNet, in 0..1).
    """
    weights = torchvision.models.get_model_weights(architecture).DEFAULT
    return {
        "parameters": weights.meta["num_params"],
        "multiply_adds": weights.meta["_ops"] * 1e9,
        "accuracy": weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100,
    }


def activation_bytes(model: nn.Module, size: int, batch_size: int = 1) -> int:
    """The memory of the activations that one training step saves for its backward pass, in bytes.

    Counted on a twin without numbers; weights, gradients and the optimizer's state come on top.

    Args:
        model: a classification network.
        size: the side of the image, in pixels.
        batch_size: how many images; at least 2 for networks whose BatchNorm sees one value per image.
    """
    twin = meta_twin(model).train()
    own = {parameter.untyped_storage()._cdata for parameter in twin.parameters()}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no other gets the same address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward_checked(twin, torch.empty(batch_size, 3, size, size, device="meta"))
    return sum(storage.nbytes() for storage in kept.values())


def count_multiply_adds(model: nn.Module, size: int) -> int:
    """The multiplications (each with its addition) that one RGB image of `size` x `size` pixels costs.

    Counted by PyTorch's `FlopCounterMode`, for which one is two operations, on a twin without numbers:
    nothing is computed. Like torchvision's own figures, they are those of convolutions and matrix products.
    """
    twin = meta_twin(model).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        forward_checked(twin, torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2
