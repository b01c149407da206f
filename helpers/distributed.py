"""One training on several processes: who takes which images, and how their results become one (lesson 11).

`torchrun` starts the processes, and `process_group` connects them. Everywhere else these functions are those of one
process, so that the same program runs with and without `torchrun`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler, RandomSampler, Sampler

from helpers.errors import LessonError

# The others wait while the first process looks at every image of a folder.
PATIENCE = timedelta(hours=2)
CONNECTING = timedelta(minutes=5)  # until all processes are there

T = TypeVar("T")
Rows = TypeVar("Rows", torch.Tensor, np.ndarray)


def rank() -> int:
    """The number of this process, from 0; process 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_launched() -> bool:
    """Whether this process is one of several, by the environment that `torchrun` (or Slurm, or Kubernetes) sets."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Connect the processes that `torchrun` has started: gloo between CPUs, nccl between GPUs.

    Without `torchrun` it does nothing. If a process fails, its error is raised there; the others, which it leaves
    alone, end in silence with the exit status 1. So the reader sees one message, and not one from each process.

    Args:
        device: where this process computes. Of several GPUs each process takes its own.

    Raises:
        LessonError: the first process does not answer, its port is in use, or there are more processes than GPUs; or
            another process was killed.
    """
    if not is_launched():
        yield
        return
    store = _connect(device)
    try:
        yield
    except BaseException as error:
        if not _is_first_to_report(store):
            raise SystemExit(1) from None
        if _is_lost_connection(error):
            raise LessonError(
                "Another process was ended from outside (was its memory full?). Start the same command again: it goes "
                "on from its checkpoint. `torchrun --max-restarts=3` does that by itself."
            ) from error
        raise
    dist.destroy_process_group()


def _connect(device: torch.device) -> Store:
    address, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    if device.type not in ("cpu", "cuda") and int(os.environ["WORLD_SIZE"]) > 1:
        raise LessonError(
            f"PyTorch connects no processes on {device.type}; compute on the CPU (--device cpu), or start one process."
        )
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise LessonError(
                f"Process {local} of this machine has no GPU: there are {torch.cuda.device_count()}. Start as many "
                "processes as GPUs (--nproc-per-node), or compute on the CPU (--device cpu)."
            )
        torch.cuda.set_device(local)
    try:
        store, number, processes = next(iter(rendezvous("env://", timeout=CONNECTING)))
        store.set_timeout(CONNECTING)
        # After a restart the store may still hold the addresses of processes that have ended.
        store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=number, world_size=processes, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:  # each store and each backend has errors of its own
        if "EADDRINUSE" in str(error) or "address already in use" in str(error).lower():
            raise LessonError(
                f"Port {port} is in use on this machine; `torchrun --standalone` finds a free one, "
                "--master-port takes another."
            ) from error
        raise LessonError(
            f"The first process, at {address}:{port}, does not answer, or a process is missing; is the address right, "
            "and is every machine started?"
        ) from error
    return store


def _is_first_to_report(store: Store) -> bool:
    try:
        return store.add("reported", 1) == 1
    except RuntimeError:  # whoever kept the store has ended, after its own report
        return False


def _is_lost_connection(error: BaseException) -> bool:
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


# --- Who takes what


def share(images: int) -> range:
    """Which of so many images this process evaluates: each is in the share of exactly one process."""
    return range(images * rank() // world_size(), images * (rank() + 1) // world_size())


class TrainingShare(Sampler[int]):
    """The part of a shuffled order that this process trains on.

    All processes draw the same order, and take turns: so a batch of all together is the batch that one process would
    have had. PyTorch's `DistributedSampler` deals; it repeats some images where the last round is not full, for a
    process without a batch would make the others wait for ever.

    Args:
        order: with a generator that has the same seed on each process.
    """

    def __init__(self, order: RandomSampler):
        self.order = order

    def __iter__(self) -> Iterator[int]:
        order: Any = list(self.order)
        places: DistributedSampler[int] = DistributedSampler(order, shuffle=False)
        return (order[place] for place in places)

    def __len__(self) -> int:
        return -(-len(self.order) // world_size())


def batch_per_process(batch_size: int) -> int:
    """A process's part of a batch.

    Raises:
        LessonError: the batch cannot be divided evenly; some images would count more than others.
    """
    if batch_size % world_size():
        fitting = -(-batch_size // world_size()) * world_size()
        raise LessonError(
            f"A batch of {batch_size} images cannot be divided among {world_size()} processes; {fitting} can."
        )
    return batch_size // world_size()


# --- What they put together


def replicate(model: nn.Module) -> nn.Module:
    """The model as it trains on several processes: each backward pass averages the gradients of all.

    Call it after `freeze`: `DistributedDataParallel` waits for the gradient of each parameter that is trainable now.
    It shares its parameters with `model`, which stays usable.
    """
    if world_size() == 1:
        return model
    try:
        return DistributedDataParallel(model)
    except RuntimeError as error:
        if "SyncBatchNorm" in str(error):
            raise LessonError("Synchronised BatchNorm needs GPUs; freeze BatchNorm, or keep it per process.") from error
        raise


def take_buffers_of_first(model: nn.Module) -> None:
    """Give every process the buffers of the first one: BatchNorm's statistics differ where each saw other images."""
    if world_size() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)


def add_up(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The sums over all processes, in place."""
    if world_size() > 1:
        for value in values:
            dist.all_reduce(value)
    return values


def gather(value: T) -> list[T]:
    """What each process has, in their order."""
    if world_size() == 1:
        return [value]
    everyone: list[Any] = [None] * world_size()
    dist.all_gather_object(everyone, value)
    return everyone


def gather_rows(rows: Rows) -> Rows:
    """A tensor or array of all processes: the rows of the first one, then those of the next; on the CPU.

    After `share`, that is the order of the images.
    """
    if world_size() == 1:
        return rows
    parts = gather(rows)
    return torch.cat(parts) if isinstance(rows, torch.Tensor) else np.concatenate(parts)


def of_first(value: T) -> T:
    """What the first process has."""
    box = [value]
    if world_size() > 1:
        dist.broadcast_object_list(box)
    return box[0]
