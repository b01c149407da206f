"""A pretend accelerator for machines without one: it computes on the CPU, but its tensors do not mix with the CPU's.

Importing this module registers the device `pretend` with PyTorch, once per process, by the Python backend of
`PrivateUse1`. It is available, as a graphics card that is plugged in, while `TL_DEVICE=pretend` is in the environment.
PyTorch knows one kind of accelerator at a time, so the import fails where there is a real one.

    model.to("pretend")(images)           RuntimeError: Expected all tensors to be on the same device, ... (aten::...)
    model.to("pretend")(images.to("pretend")).cpu()

What CUDA refuses it refuses, with the name of the operator, and what CUDA takes it takes: CPU indices and masks
between square brackets, one CPU tensor without dimensions in an elementwise operation, `.tolist()`. The numbers are
the CPU's; random ones come from a state of its own (`torch.pretend.get_rng_state`). `without_float64` makes it refuse
float64 as MPS does. Each operation takes about a tenth of a millisecond longer.

Not like CUDA, since PyTorch 2.15 has no hook in Python for it:
- `torch.Generator(device="pretend")` raises NotImplementedError (`getNewGenerator`);
- `torch.accelerator.memory_allocated()` and its kin fail: the device has no allocator. Memory is the CPU's;
- `is_pinned()` is False after `pin_memory()`, which copies into ordinary memory;
- `data_ptr()` is 0, and views do not share a storage: what compares storages, as `torch.save` does to write what is
  shared once, sees separate tensors. `torch.compile`, `share_memory_` and CUDA's own modules are out of reach;
- the type of a tensor is `Pretend`, of a parameter too (though `isinstance(p, nn.Parameter)` holds); an image of
  `torchvision.tv_tensors` that is moved here becomes a plain tensor;
- a module cannot be moved while an unfinished graph holds its parameters ("Couldn't swap").
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.optim.optimizer import _foreach_supported_types as _foreach_in_optimizers
from torch.utils import _foreach_utils
from torch.utils._mode_utils import no_dispatch
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

if real := torch.accelerator.current_accelerator(check_available=True):
    raise ImportError(f"this machine has an accelerator of its own, {real}")

NAME = "pretend"

aten = torch.ops.aten
ACROSS_DEVICES = {aten.copy_, aten._to_copy, aten._copy_from, aten._foreach_copy_, aten._local_scalar_dense}
BY_INDEX = {aten.index, aten._unsafe_index, aten.index_put, aten.index_put_, aten._index_put_impl_}
# What takes a CPU tensor without dimensions, besides the elementwise operations.
WITH_SCALAR = {aten.fill, aten.fill_, aten.masked_fill, aten.masked_fill_, aten._fused_adam_, aten._fused_adamw_}

_float64 = True
_generator = torch.Generator()


class Pretend(torch.Tensor):
    """A tensor on the device: a shell with its shape and type around `inner`, the CPU tensor with the numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Pretend":
        if inner.dtype == torch.float64 and not _float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
                "Please use float32 instead."
            )
        shell = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        shell.inner = inner
        return shell

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})

    def __repr__(self, *, tensor_contents=None) -> str:
        gradient = ", requires_grad=True" if self.requires_grad else ""
        if self.grad_fn is not None:
            gradient = f", grad_fn=<{self.grad_fn.name()}>"
        return f"{repr(self.inner)[:-1]}, device='{self.device}'{gradient})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else super().__format__(spec)

    def tolist(self) -> list:
        return self.inner.tolist()

    def as_subclass(self, cls) -> "Pretend":
        return self

    def numpy(self, *, force: bool = False):
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __dlpack__(self, **options):
        raise BufferError(f"{self.device} has no memory that others could read")

    def __reduce_ex__(self, protocol):
        content = (self.detach().cpu(), self.dtype, str(self.device), self.requires_grad)
        tensor = (torch._utils._rebuild_device_tensor_from_cpu_tensor, content)
        if not isinstance(self, nn.Parameter):
            return tensor
        return torch._utils._rebuild_parameter, (self.detach(), self.requires_grad, {})

    @property
    def data(self) -> torch.Tensor:
        return self.detach()

    @data.setter
    def data(self, value: torch.Tensor) -> None:
        if not isinstance(value, Pretend):
            raise RuntimeError("incompatible tensor type: `.data` of a tensor on the device takes another one there.")
        self.inner = value.inner.detach()
        follow(self)


def unwrap(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.inner if isinstance(tensor, Pretend) else tensor


def is_pretend(device) -> bool:
    return device is not None and torch.device(device).type == NAME


def compute(func, args: tuple, kwargs: dict):
    """Run one operation of PyTorch on the numbers inside; what comes out is on the device again."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    refuse_mixture(func, args, kwargs, tensors)
    kwargs = dict(kwargs)
    device = kwargs.get("device")
    if is_pretend(device):
        kwargs["device"] = torch.device("cpu")
    kwargs.pop("pin_memory", None)
    known = {id(unwrap(tensor)): tensor for tensor in tensors}  # an operation in place returns what it got

    def wrap(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) in known:
            return known[id(tensor)]
        # A view is what its base is: of a parameter, in inference mode too, it is no inference tensor.
        with torch.inference_mode(False) if func.is_view and not tensors[0].is_inference() else nullcontext():
            return Pretend(tensor)

    numbers, options = tree_map_only(Pretend, unwrap, (args, kwargs))
    if torch.Tag.nondeterministic_seeded in func.tags:
        if kwargs.get("generator") is not None:
            raise RuntimeError(f"Expected a {NAME!r} device type for generator but found 'cpu'")
        with own_random_state():
            result = func(*numbers, **options)
    else:
        result = func(*numbers, **options)
    if func._schema.is_mutable:
        for tensor in tensors:
            if isinstance(tensor, Pretend) and (tensor.shape, tensor.stride()) != (
                tensor.inner.shape,
                tensor.inner.stride(),
            ):
                follow(tensor)
    stays = device is None or is_pretend(device)
    return tree_map_only(torch.Tensor, wrap, result) if stays else result


def refuse_mixture(func, args: tuple, kwargs: dict, tensors: list[torch.Tensor]) -> None:
    """As CUDA: tensors of two devices do not meet, but for copies, indices, and one number on the CPU.

    Raises:
        RuntimeError: they do; it names the operation.
    """
    packet = func.overloadpacket
    strangers = [tensor for tensor in tensors if not isinstance(tensor, Pretend)]
    if not strangers or packet in ACROSS_DEVICES:
        return
    if packet in BY_INDEX:
        if not isinstance(args[0], Pretend):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        indices = [id(index) for index in args[1] if index is not None]
        strangers = [tensor for tensor in strangers if id(tensor) not in indices]
    changed = [
        id(value)
        for argument, value in zip(func._schema.arguments, args, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    takes_number = torch.Tag.pointwise in func.tags or packet in WITH_SCALAR | BY_INDEX or "foreach" in func.name()
    if takes_number and len(strangers) == 1 and strangers[0].ndim == 0 and id(strangers[0]) not in changed:
        return
    if strangers:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{torch.device(NAME, 0)} and cpu! ({func})"
        )


def follow(tensor: Pretend) -> None:
    """Give the shell the shape of the numbers inside, which an operation in place has changed."""
    inner = tensor.inner
    included = torch._C._meta_in_tls_dispatch_include()
    torch._C._set_meta_in_tls_dispatch_include(True)  # the shell alone: there are no numbers to be moved
    try:
        with no_dispatch():
            aten.set_.source_Storage_storage_offset(
                tensor, tensor.untyped_storage(), inner.storage_offset(), inner.shape, inner.stride()
            )
    finally:
        torch._C._set_meta_in_tls_dispatch_include(included)


@contextmanager
def own_random_state() -> Iterator[None]:
    """Random numbers come from the device's state; the CPU's stays as it is."""
    before = torch.get_rng_state()
    torch.set_rng_state(_generator.get_state())
    try:
        yield
    finally:
        _generator.set_state(torch.get_rng_state())
        torch.set_rng_state(before)


@contextmanager
def without_float64() -> Iterator[None]:
    """The device refuses float64, as Apple's MPS does."""
    global _float64
    before, _float64 = _float64, False
    try:
        yield
    finally:
        _float64 = before


# --- What PyTorch asks of the module `torch.pretend`, which is this one


def is_available() -> bool:
    return os.environ.get("TL_DEVICE") == NAME


def is_initialized() -> bool:
    return True


def device_count() -> int:
    return int(is_available())


def current_device() -> int:
    return 0


def synchronize(device=None) -> None:
    """There is nothing to wait for."""


def manual_seed_all(seed: int) -> None:
    """Other numbers than the CPU's from the same seed, as on a graphics card."""
    _generator.manual_seed((seed + 1) % 2**63)


def get_rng_state(device=NAME) -> torch.Tensor:
    return _generator.get_state()


def set_rng_state(new_state: torch.Tensor, device=NAME) -> None:
    _generator.set_state(new_state)


def _is_in_bad_fork() -> bool:
    return False


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.bfloat16, torch.float16]


# --- Autocast: of PyTorch's lists for CUDA, what networks for images call

IN_LOW_PRECISION = (
    "conv1d", "conv2d", "conv3d", "conv_transpose2d.input", "linear", "matmul", "mm", "bmm", "mv", "addmm", "addmv",
    "baddbmm", "prelu", "scaled_dot_product_attention",
)  # fmt: skip
IN_FLOAT32 = (
    "exp", "log", "log1p", "reciprocal", "rsqrt", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "softplus", "layer_norm",
    "group_norm", "cosine_similarity", "nll_loss", "nll_loss_nd", "cross_entropy_loss", "kl_div", "l1_loss",
    "smooth_l1_loss", "mse_loss", "binary_cross_entropy_with_logits", "cdist", "logsumexp", "upsample_nearest2d",
    "upsample_bilinear2d", "upsample_bicubic2d", "prod", "softmax.int", "log_softmax.int", "cumsum",
    "linalg_vector_norm", "sum", "sum.dim_IntList",
)  # fmt: skip
_autocast_key = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def cast_before(operation, low_precision: bool) -> Callable:
    """The operation, with its float tensors cast first."""

    def cast(*args, **kwargs):
        dtype = torch.get_autocast_dtype(NAME) if low_precision else torch.float32

        def to_dtype(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != torch.float64 else tensor

        with torch._C._ExcludeDispatchKeyGuard(_autocast_key):
            return operation(*tree_map_only(Pretend, to_dtype, args), **tree_map_only(Pretend, to_dtype, kwargs))

    return cast


# --- Registration


def empty(operation) -> Callable:
    """A new tensor on the device, for all the functions of PyTorch that begin with one."""

    def make(*args, **kwargs):
        options = {name: value for name, value in kwargs.items() if name in ("dtype", "memory_format")}
        return Pretend(operation(*args, device="cpu", **options))

    return make


def copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    unwrap(target).copy_(unwrap(source))
    return target


def load_onto_device(load: Callable) -> Callable:
    """`torch.load` that knows `map_location="pretend"`, for which it would want a storage on the device."""

    def load_and_move(file, map_location=None, *args, **kwargs):
        if not isinstance(map_location, (str, torch.device)) or not is_pretend(map_location):
            return load(file, map_location, *args, **kwargs)
        return tree_map_only(torch.Tensor, lambda tensor: tensor.to(NAME), load(file, "cpu", *args, **kwargs))

    return load_and_move


def moving_keeps_parameters(apply: Callable) -> Callable:
    """`module.to` leaves the parameters the same objects, as it does between the CPU and CUDA: optimizers hold them.

    PyTorch exchanges only their numbers where both kinds of tensor allow it; here they have to be swapped.
    """

    def swap(module: nn.Module, function: Callable, recurse: bool = True) -> nn.Module:
        if not is_available():
            return apply(module, function, recurse)
        before = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            return apply(module, function, recurse)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(before)

    return swap


def register() -> list[torch.library.Library]:
    """Make the device known to PyTorch. Returns what has to live as long as it."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=sys.modules[__name__])
    kernels = torch.library.Library("aten", "IMPL")
    kernels.impl("empty.memory_format", empty(aten.empty.memory_format), "PrivateUse1")
    kernels.impl("empty_strided", empty(aten.empty_strided.default), "PrivateUse1")
    kernels.impl("_copy_from", copy_from, "PrivateUse1")
    kernels.impl("_local_scalar_dense", lambda tensor: tensor.inner.item(), "PrivateUse1")
    kernels.impl("_pin_memory", lambda tensor, device=None: tensor.clone(), "CPU")
    others = torch.library.Library("_", "IMPL")
    others.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for names, low_precision in ((IN_LOW_PRECISION, True), (IN_FLOAT32, False)):
        for name in names:
            packet, _, overload = name.partition(".")
            operation = getattr(getattr(aten, packet), overload or "default")
            kernels.impl(name, cast_before(operation, low_precision), "AutocastPrivateUse1")
    torch.accelerator.synchronize = synchronize  # its own wants a hook in C++
    for types in (_foreach_utils._foreach_supported_types, _foreach_in_optimizers):
        types.append(Pretend)  # as on CUDA: many tensors in one operation
    nn.Module._apply = moving_keeps_parameters(nn.Module._apply)
    torch.load = load_onto_device(torch.load)
    return [kernels, others]


_registered = register()
