"""What a training step costs, alone and on several processes, and whether the cost model says so (lesson 11).

    python -m benchmarks.scaling

A benchmark that was stopped goes on where it ended. What counts is the processor's time of one process, its exchange
with the other included, with one thread each: so it matters little what else the machine does. Only what several
threads gain is measured by the clock.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.runs import PREPROCESSING, SIZE, measure_all, write_section
from helpers.costs import Costs, duration
from helpers.data import ImageDataset, SampleDataset, make_dataloader
from helpers.distributed import process_group, rank, replicate, world_size
from helpers.images import load_image
from helpers.models import freeze_norms, load_model, replace_head
from helpers.shard import ShardDataset, write_shards
from helpers.tracks import IMAGES
from helpers.training import run_epoch
from helpers.transforms import eval_transform

RESULTS = Path(__file__).with_suffix(".json")
BATCHES = (8, 16, 32, 64)  # images of all processes together
PROCESSES = (1, 2)
THREADS = (1, 2, 4)
STEPS = 5
SIZES = (10**4, 10**5, 10**6, 10**7)  # numbers that are averaged
CPU = torch.device("cpu")


def network() -> nn.Module:
    return freeze_norms(replace_head(load_model("embedded"), 2))


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])


def random_batch(images: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(images, 3, SIZE, SIZE), torch.zeros(images, dtype=torch.long)


def each(work: Callable[[], object], times: int = STEPS) -> float:
    """Seconds of this process's processor, the mean of so many times after one that warms up."""
    work()
    start = time.process_time()
    for _ in range(times):
        work()
    return round((time.process_time() - start) / times, 6)


# --- Steps, on processes that torchrun starts


def one_of_many() -> None:
    """Print what a step costs this process, by the number of images, and what an exchange costs, by its numbers."""
    torch.set_num_threads(1)
    with process_group(CPU):
        model, criterion = network(), nn.CrossEntropyLoss()
        replica, optimizer = replicate(model), adamw(model)
        result = {}
        for batch in BATCHES:
            images = random_batch(batch // world_size())
            result[f"step {batch}"] = each(lambda images=images: run_epoch(replica, [images], criterion, optimizer))
        for size in SIZES if world_size() > 1 else ():
            values = torch.ones(size)
            result[f"exchange {size}"] = each(lambda values=values: torch.distributed.all_reduce(values))
        if rank() == 0:
            print(json.dumps(result))


def started(processes: int) -> dict:
    """What the first of so many processes has measured."""
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    run = subprocess.run(
        [sys.executable, *command, "-m", "benchmarks.scaling", "one of many"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def threaded(threads: int) -> dict:
    """A step of 32 images with so many threads: the shortest of several by the clock, which other programs disturb."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    model, images = network(), random_batch(32)
    optimizer, seconds = adamw(model), []
    for _ in range(2 * STEPS):
        start = time.perf_counter()
        run_epoch(model, [images], nn.CrossEntropyLoss(), optimizer)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return {"seconds": round(min(seconds), 4)}


# --- The ladder


def ladder(rung: str) -> dict:
    """A step on 32 images in one process, and what comes before the first one."""
    model, criterion = network(), nn.CrossEntropyLoss()
    images, labels = random_batch(32)
    if rung == "channels-last":
        model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = adamw(model)
    parts = 4 if rung == "4 x 8 images, accumulated" else 1
    forward = torch.compile(model) if rung == "torch.compile" else model
    precision = torch.autocast("cpu", torch.bfloat16) if rung == "bfloat16" else nullcontext()
    model.train()

    def work() -> None:
        optimizer.zero_grad()
        for x, y in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            with precision:
                loss = criterion(forward(x), y) / parts
            loss.backward()
        optimizer.step()

    with torch.autocast("cpu", enabled=False):  # the other benchmarks share one
        start = time.process_time()
        work()
        first = time.process_time() - start
        return {"first": round(first, 2), "seconds": each(work)}


RUNGS = ("float32", "channels-last", "bfloat16", "4 x 8 images, accumulated", "torch.compile")


# --- Reading


def reading(way: str) -> dict:
    """Seconds of the processor to make tensors of all training images, each; the floor only decodes them."""
    source = ImageDataset(IMAGES["insects"] / "train")
    transform = eval_transform(PREPROCESSING)
    dataset = SampleDataset(source.samples, source.classes, transform)
    with tempfile.TemporaryDirectory() as folder:
        write_shards({"train": dataset}, Path(folder) / "shards", megabytes=1)
        if way == "floor":
            contents = [Path(path).read_bytes() for path, _ in source.samples]
            work = lambda: [load_image(content) for content in contents]  # noqa: E731
        elif way == "shards":
            loader = make_dataloader(ShardDataset(Path(folder) / "shards", "train", transform), 32)
            work = partial(list, loader)
        else:
            loader = make_dataloader(dataset, 32)
            work = partial(list, loader)
        return {"seconds": each(work) / len(dataset)}


WAYS = ("folder", "shards", "floor")


# --- All of it


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    runs: list[tuple[dict, Callable[[], dict]]] = [({"processes": n}, partial(started, n)) for n in PROCESSES]
    runs += [({"threads": n}, partial(threaded, n)) for n in THREADS]
    runs += [({"reading": way}, partial(reading, way)) for way in WAYS]
    return runs + [({"ladder": rung}, partial(ladder, rung)) for rung in RUNGS]


def the(results: list[dict], **run) -> dict:
    return next(result for result in results if run.items() <= result.items())


def line_through(xs: tuple[int, ...], ys: list[float]) -> tuple[float, float]:
    """Slope and height, not below 0; relative errors count."""
    slope, height = np.polyfit(xs, ys, 1, w=1 / np.array(ys))
    return float(slope), max(float(height), 0.0)


def costs(results: list[dict]) -> Costs:
    """The model of this machine, from the steps of one process and the exchanges of two."""
    one, two = (the(results, processes=processes) for processes in PROCESSES)
    per_image, per_step = line_through(BATCHES, [one[f"step {batch}"] for batch in BATCHES])
    per_number, fixed = line_through(SIZES, [two[f"exchange {size}"] for size in SIZES])
    gradients = 4 * sum(p.numel() for p in network().parameters() if p.requires_grad)
    # Between two, an exchange has two steps, and in each of them a process sends half of the numbers.
    return Costs(per_image, per_step, 0, gradients, 4 / per_number, fixed / 2)


def table(results: list[dict]) -> str:
    model = costs(results)
    lines = ["| images of a step | processes | predicted, ms | measured, ms |", "|---|---|---|---|"]
    for batch, processes in product(BATCHES, PROCESSES):
        predicted, found = model.step_seconds(batch, processes), the(results, processes=processes)[f"step {batch}"]
        lines.append(f"| {batch} | {processes} | {1000 * predicted:.0f} | {1000 * found:.0f} |")
    lines += ["", "| threads of one process | a step of 32 images, ms of the clock |", "|---|---|"]
    lines += [f"| {n} | {1000 * the(results, threads=n)['seconds']:.0f} |" for n in THREADS]
    lines += ["", "| a step of 32 images | ms | before the first one, s |", "|---|---|---|"]
    for rung in RUNGS:
        found = the(results, ladder=rung)
        lines.append(f"| {rung} | {1000 * found['seconds']:.0f} | {found['first'] - found['seconds']:.1f} |")
    lines += ["", "| reading | images per second and core |", "|---|---|"]
    lines += [f"| {way} | {1 / the(results, reading=way)['seconds']:.0f} |" for way in WAYS]
    epoch = 1e8 * the(results, reading="shards")["seconds"] / 64
    lines += [
        "",
        f"To read a hundred million such images from shards on 64 cores takes {duration(epoch)}, at this speed.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:]:
        one_of_many()
    else:
        write_section("scaling", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
