"""What a training takes, before it runs: a few measured steps, and how they grow with processes (lesson 11)."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
import torch
from torch import nn
from torch.utils.data import DataLoader

from helpers.devices import device_of, synchronize, to_device
from helpers.models import forward_checked
from helpers.training import run_epoch


@dataclass(frozen=True)
class Costs:
    """What one process needs, and what connects it with others.

    Attributes:
        seconds_per_image: to compute a training step's share of one image: forward, backward, update.
        seconds_per_step: what each step takes besides, however many images it has.
        loading_seconds: to read, decode and transform one image, on one core.
        gradient_bytes: what the processes exchange in each step: 4 for each trainable parameter in float32.
        bandwidth: between two processes, in bytes per second.
        latency: of one message, in seconds.
    """

    seconds_per_image: float
    seconds_per_step: float
    loading_seconds: float
    gradient_bytes: float
    bandwidth: float
    latency: float

    def all_reduce_seconds(self, processes: int) -> float:
        """To average the gradients around a ring, on which each sends 2 (p - 1) / p of them (Patarasuk, Yuan, 2009)."""
        steps = 2 * (processes - 1)
        return steps * (self.gradient_bytes / processes / self.bandwidth + self.latency)

    def step_seconds(self, batch_size: int, processes: int = 1, workers: int = 0) -> float:
        """One training step.

        Computing and exchanging are added up, although they overlap in part. That processes on one machine slow each
        other down is left out.

        Args:
            batch_size: of all processes together.
            processes: that share the batch.
            workers: that load images, for each process; with 0 the process loads them itself, before it computes.
        """
        images = batch_size / processes
        computing = images * self.seconds_per_image + self.seconds_per_step + self.all_reduce_seconds(processes)
        loading = images * self.loading_seconds
        return max(computing, loading / workers) if workers else computing + loading

    def epoch_seconds(self, images: int, batch_size: int, processes: int = 1, workers: int = 0) -> float:
        """One pass over so many images."""
        return images / batch_size * self.step_seconds(batch_size, processes, workers)

    def speed_up(self, batch_size: int, processes: int, workers: int = 0) -> float:
        """How many times faster so many processes are than one, with the same batches."""
        return self.step_seconds(batch_size, 1, workers) / self.step_seconds(batch_size, processes, workers)

    def with_threads(self, threads: int, parallel_share: float) -> "Costs":
        """The same on so many cores: only a share of the computing can be divided among them (Amdahl, 1967)."""
        factor = 1 - parallel_share + parallel_share / threads
        return replace(self, seconds_per_image=self.seconds_per_image * factor)


@dataclass(frozen=True)
class Measured:
    """A few steps of this training on this machine.

    Attributes:
        train_step, val_step: seconds of each, loading included.
        memory: the most that the process had in memory, in bytes; on a GPU, that of the GPU.
    """

    train_step: float
    val_step: float
    memory: int


def measure_steps(
    model: nn.Module,
    replica: nn.Module,
    loaders: Mapping[str, DataLoader[Any]],
    optimizer: torch.optim.Optimizer,
    steps: int = 4,
) -> Measured:
    """Train and evaluate for some steps, after one that warms up; the model changes.

    Args:
        model: on its device.
        replica: what `helpers.distributed.replicate` makes of the model.
        loaders: `train` and `val`, as from `make_dataloaders`; short ones are passed over again.
        optimizer: of the model.
        steps: how many are timed, of each kind.
    """
    device, criterion = device_of(model), nn.CrossEntropyLoss()

    def train(batch: Any) -> None:
        run_epoch(replica, [batch], criterion, optimizer)

    @torch.inference_mode()
    def evaluate(batch: Any) -> None:
        forward_checked(model.eval(), to_device(batch[0], model))

    def seconds(loader: DataLoader[Any], work: Callable[[Any], None]) -> float:
        batches = (batch for _ in repeat(None) for batch in loader)
        times: list[float] = []
        full = 0
        while len(times) <= steps:
            start = time.perf_counter()
            batch = next(batches)
            full = full or len(batch[1])
            if len(batch[1]) == full:  # the last one of a pass may be smaller
                work(batch)
                synchronize(device)
                times.append(time.perf_counter() - start)
        return fmean(times[1:])

    return Measured(seconds(loaders["train"], train), seconds(loaders["val"], evaluate), peak_memory(device))


def peak_memory(device: torch.device) -> int:
    """The most that this process had in memory so far, in bytes; on a GPU, that of the GPU.

    Where the system does not keep the most (macOS), what it has now.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    memory = psutil.Process().memory_info()
    return getattr(memory, "peak_wset", memory.rss)  # Windows keeps it


def duration(seconds: float) -> str:
    """As people say it: `40 s`, `12 min`, `3.5 h`, `2.0 days`."""
    for unit, size, places in (("days", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{places}f} {unit}"
    return f"{seconds:.{int(seconds < 9.95)}f} s"
