"""Where a model computes, and in which precision (lesson 04)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def best_device() -> torch.device:
    """The fastest device of this machine: CUDA, Apple's MPS, or the CPU. `TL_DEVICE` overrides it, as in `cpu`."""
    if name := os.environ.get("TL_DEVICE"):
        return torch.device(name)
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def device_of(model: nn.Module) -> torch.device:
    """Where the parameters of `model` are; batches have to go there."""
    return next(model.parameters()).device


def autocast_dtype(device: torch.device) -> torch.dtype:
    """The fastest precision that `device` multiplies in hardware. `TL_PRECISION` overrides it, as in `float32`.

    Returns:
        bfloat16 where it is native; float16 on older CUDA cards, which need a `GradScaler`; float32 elsewhere, and on
        MPS, where nothing else was tested.
    """
    if name := os.environ.get("TL_PRECISION"):
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """A context in which layers compute in `autocast_dtype`; it does nothing where that is float32."""
    dtype = autocast_dtype(device)
    # Without the cache, one context may span many steps: it would go on using the weights of the first.
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32, cache_enabled=False)


def memory_format_of(model: nn.Module) -> torch.memory_format:
    """The order in which a model's convolutions expect the values of a batch: `channels_last` or the usual one."""
    for parameter in model.parameters():
        if parameter.ndim == 4 and parameter.shape[1] > 1:  # with one channel, both orders are the same
            last = parameter.is_contiguous(memory_format=torch.channels_last) and not parameter.is_contiguous()
            return torch.channels_last if last else torch.contiguous_format
    return torch.contiguous_format


def to_device(images: torch.Tensor, model: nn.Module) -> torch.Tensor:
    """A batch (n, 3, h, w) as `model` takes it: on its device, in its precision and its convolutions' memory format.

    From pinned memory, the copy runs while the CPU goes on. Whole numbers stay such.
    """
    moved = images.to(device_of(model), non_blocking=True, memory_format=memory_format_of(model))
    dtype = next(model.parameters(), images).dtype
    return moved.to(dtype) if moved.is_floating_point() and moved.dtype != dtype else moved


def synchronize(device: torch.device) -> None:
    """Wait until `device` has finished: a GPU computes while Python goes on, which would stop a clock too early."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of the random generators that a computation on `device` draws from: the CPU's, and its own."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def restore_random_states(states: dict[str, torch.Tensor]) -> None:
    """Restore those that this machine has: they may come from another one."""
    torch.set_rng_state(states["cpu"])
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator and accelerator.type in states:
        torch.get_device_module(accelerator).set_rng_state(states[accelerator.type])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed`; afterwards those of the notebook go on as if none had been drawn."""
    states = random_states(best_device())
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore_random_states(states)
