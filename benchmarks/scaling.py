"""What a training step costs, alone and on several processes, and whether the cost model says so (lesson 11).

    python -m benchmarks.scaling

A benchmark that was stopped goes on where it ended. Steps of one process are counted in seconds of the processor, those
of several processes or threads by the clock: of many steps the quickest, which other programs have disturbed least.
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
from statistics import median

import numpy as np
import torch
from torch import nn

from benchmarks.runs import PREPROCESSING, SIZE, measure_all, processor_seconds, write_section
from helpers.costs import Costs, duration
from helpers.data import ImageDataset, SampleDataset, make_dataloader
from helpers.distributed import process_group, rank, replicate
from helpers.images import load_image
from helpers.models import freeze_norms, load_model, replace_head
from helpers.shard import ShardDataset, write_shards
from helpers.tracks import IMAGES
from helpers.training import run_epoch
from helpers.transforms import eval_transform

RESULTS = Path(__file__).with_suffix(".json")
BATCHES = (8, 16, 32, 64)
THREADS = (1, 2, 4)
PROCESSES = (1, 2)
STEPS = 15
SIZES = (10**4, 10**5, 10**6, 10**7)  # numbers that are averaged
CPU = torch.device("cpu")


def network() -> nn.Module:
    return freeze_norms(replace_head(load_model("embedded"), 2))


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])


def random_batch(images: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(images, 3, SIZE, SIZE), torch.zeros(images, dtype=torch.long)


def each(work: Callable[[], object], times: int = STEPS) -> dict:
    """The median, by the clock and in seconds of the processor, of many times after one that warms up."""
    work()
    clock, processor = [], []
    for _ in range(times):
        start = time.perf_counter(), processor_seconds()
        work()
        clock.append(time.perf_counter() - start[0])
        processor.append(processor_seconds() - start[1])
    return {"seconds": round(median(clock), 5), "least": round(min(clock), 5), "processor": round(median(processor), 5)}


# --- Steps, on processes that torchrun starts


def step(batch: int) -> dict:
    model = network()
    replica, optimizer, criterion = replicate(model), adamw(model), nn.CrossEntropyLoss()
    images = random_batch(batch)
    return each(lambda: run_epoch(replica, [images], criterion, optimizer))


def all_reduce(numbers: int) -> dict:
    values = torch.ones(numbers)
    return each(lambda: torch.distributed.all_reduce(values))


MEASURED = {"step": step, "all_reduce": all_reduce}


def started(what: str, argument: int, processes: int, threads: int = 1) -> dict:
    """What the first of so many processes has measured."""
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "benchmarks.scaling", what, str(argument), str(threads)]
    run = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def one_of_many(what: str, argument: str, threads: str) -> None:
    torch.set_num_threads(int(threads))
    with process_group(CPU):
        result = MEASURED[what](int(argument))
        if rank() == 0:
            print(json.dumps(result))


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
        start = processor_seconds()
        work()
        first = processor_seconds() - start
        return {"first": round(first, 2)} | each(work, 5)


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
        result = each(work, 5)
    return {"processor": round(result["processor"] / len(dataset), 6)}


WAYS = ("folder", "shards", "floor")


# --- All of it


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    runs: list[tuple[dict, Callable[[], dict]]] = [({"reading": way}, partial(reading, way)) for way in WAYS]
    runs += [({"all_reduce": size}, partial(started, "all_reduce", size, 2)) for size in SIZES]
    runs += [
        (
            {"batch": batch, "processes": processes, "threads": threads},
            partial(started, "step", batch // processes, processes, threads),
        )
        for batch in BATCHES
        for processes in PROCESSES
        for threads in (THREADS if processes == 1 else (1,))
    ]
    runs += [({"ladder": rung}, partial(ladder, rung)) for rung in RUNGS]
    return runs


def the(results: list[dict], **run) -> dict:
    return next(result for result in results if run.items() <= result.items())


def line_through(xs: tuple[int, ...], ys: list[float]) -> tuple[float, float]:
    """Slope and height, not below 0; relative errors count."""
    slope, height = np.polyfit(xs, ys, 1, w=1 / np.array(ys))
    return float(slope), max(float(height), 0.0)


def costs(results: list[dict]) -> Costs:
    """The model of this machine, from the steps of one process with one thread, and from exchanges between two."""
    steps = [the(results, batch=batch, processes=1, threads=1)["processor"] for batch in BATCHES]
    per_image, per_step = line_through(BATCHES, steps)
    per_number, fixed = line_through(SIZES, [the(results, all_reduce=size)["least"] for size in SIZES])
    gradients = 4 * sum(p.numel() for p in network().parameters() if p.requires_grad)
    loading = the(results, reading="folder")["processor"]
    # Between two, an exchange has two steps, and in each of them a process sends half of the numbers.
    return Costs(per_image, per_step, loading, gradients, 4 / per_number, fixed / 2)


def table(results: list[dict]) -> str:
    model = costs(results)
    lines = ["| images of a step | processes | predicted, ms | measured, ms |", "|---|---|---|---|"]
    for batch, processes in product(BATCHES, PROCESSES):
        found = the(results, batch=batch, processes=processes, threads=1)
        predicted = model.step_seconds(batch, processes) - batch / processes * model.loading_seconds
        lines.append(f"| {batch} | {processes} | {1000 * predicted:.0f} | {1000 * found['least']:.0f} |")
    lines += ["", "| threads of one process | 8 images, ms | 64 images, ms |", "|---|---|---|"]
    for threads in THREADS:
        least = [the(results, batch=batch, processes=1, threads=threads)["least"] for batch in (8, 64)]
        lines.append(f"| {threads} | {1000 * least[0]:.0f} | {1000 * least[1]:.0f} |")
    lines += ["", "| a step of 32 images | ms of the processor | before the first one, s |", "|---|---|---|"]
    for rung in RUNGS:
        found = the(results, ladder=rung)
        lines.append(f"| {rung} | {1000 * found['processor']:.0f} | {found['first'] - found['processor']:.1f} |")
    lines += ["", "| reading | images per second and core |", "|---|---|"]
    lines += [f"| {way} | {1 / the(results, reading=way)['processor']:.0f} |" for way in WAYS]
    all_of_them = 1e8 * the(results, reading="shards")["processor"] / 64
    lines += ["", f"A hundred million such images, from shards, on 64 cores: {duration(all_of_them)} for each epoch."]
    return "\n".join(lines) + "\n"


def main() -> None:
    if len(sys.argv) == 4:
        one_of_many(*sys.argv[1:])
    else:
        write_section("scaling", table(measure_all(RESULTS, plan())))


if __name__ == "__main__":
    main()
