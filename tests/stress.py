"""Kill what writes files at random moments, run it ten times at once, and see what the next run finds.

    make stress

Each process is a fork of this one, which has imported everything and starts no threads: a kill costs milliseconds.
After each, only what is whole stands under a final name, and nothing that stood there is lost. The next run goes on
from what it finds, until one comes to its end; what lies there then is compared, bit for bit, with the work of a run
that nobody disturbed.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
import torchvision
from support.server import Server
from torch import nn
from torch.utils.data import Subset, TensorDataset

from helpers import ROOT
from helpers.archives import extract
from helpers.data import image_datasets, make_dataloaders
from helpers.downloads import fetch, find_mismatch
from helpers.features import extract_features, linear_probe
from helpers.files import atomic_write
from helpers.inference import save_model
from helpers.models import load_model
from helpers.tracks import IMAGES
from helpers.training import train_model
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED, Preprocessing

KILLS = 100  # of each kind and each job
ROUNDS = 3  # of ten processes at once, for each job
DOWNLOAD_BYTES = 8_000_000
EPOCHS = 8
PATIENCE_S = 120  # for one process, before it counts as hanging
OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")  # as Python's audit events call them
LESSON = "notebooks/00_start_here.ipynb"
DATA = ROOT / "data"
# Before a command: it runs where `data/` may only be read, by root as well.
READ_ONLY = [
    *("unshare", "--map-root-user", "--mount", "sh", "-c"),
    'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"',
    str(DATA),
]

State = dict[str, str]  # what lies under final names: each file, and the sum of its content


class Job(NamedTuple):
    """Something that writes files.

    Attributes:
        name: for the table.
        work: writes into a folder, or goes on from what lies there.
        states: all that may be seen there under final names, in the order in which it comes.
        before: a folder with what lies there before; None for nothing.
    """

    name: str
    work: Callable[[Path], None]
    states: list[State]
    before: Path | None = None

    def begin(self, folder: Path) -> None:
        if self.before:
            shutil.copytree(self.before, folder)
        else:
            folder.mkdir()


# --- What lies in a folder


def content(path: Path) -> str:
    """The sum of a file; of a checkpoint that of its numbers, since the same ones can be pickled in several ways."""
    data = path.read_bytes()
    if path.suffix == ".pt":
        try:
            data = flat(torch.load(path, weights_only=True)).encode()
        except Exception as error:
            return f"damaged: {error}"
    return hashlib.sha256(data).hexdigest()


def flat(value) -> str:
    """A nested value as text, to the last bit."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flat(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flat, value))}]"
    return hashlib.sha256(value.numpy().tobytes()).hexdigest() if isinstance(value, torch.Tensor) else repr(value)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def is_final(name: str) -> bool:
    return not any(part.endswith((".part", ".lock")) for part in Path(name).parts)


def state(folder: Path) -> State:
    return {name: content(folder / name) for name in files(folder) if is_final(name)}


# --- Processes that are killed


def die_before(operation: str, count: int) -> None:
    """Kill this process when it is about to do this for the `count`-th time."""

    def hook(event: str, arguments: tuple) -> None:
        nonlocal count
        if event == operation:
            count -= 1
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def die_writing(size: int) -> None:
    """Let the system kill this process where a file grows beyond `size` bytes: the rest of it is not written."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def log_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def start(work: Callable[[Path], None], folder: Path, doom: Callable[[], None] | None = None) -> int:
    """Fork a process that does the work, after `doom`. Returns its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    log = os.open(log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.alarm(PATIENCE_S)
    try:
        if doom:
            doom()
        work(folder)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def wait(child: int) -> int:
    """The status of a process at its end."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def has_ended(status: int, folder: Path) -> bool:
    """Whether a process came to its end by itself; False where it was killed.

    Raises:
        RuntimeError: it failed, or hung.
    """
    if status not in (0, -signal.SIGKILL, -signal.SIGXFSZ):
        raise RuntimeError(f"a run ended with {status}:\n{log_of(folder).read_text()[-2000:]}")
    return not status


def finish(work: Callable[[Path], None], folder: Path) -> None:
    """Do the work in a process that nobody disturbs.

    Raises:
        RuntimeError: it did not come to its end.
    """
    if not has_ended(wait(start(work, folder)), folder):
        raise RuntimeError(f"somebody else killed a run in {folder}")


def check(job: Job, folder: Path, reached: int = 0) -> int:
    """Which state of the job is there, `reached` or a later one.

    Raises:
        RuntimeError: it is none of them, or something is lost; or more lies beside it than a part and a lock for
            each final name.
    """
    found = state(folder)
    if found not in job.states[reached:]:
        raise RuntimeError(f"{job.name}: half a file, or a loss: {found} after {job.states[reached]}")
    final = {Path(name).parts[0] for states in job.states for name in states}
    beside = {path.name for path in folder.iterdir()} - final
    if strange := beside - {f"{name}.{end}" for name in final for end in ("part", "lock")}:
        raise RuntimeError(f"{job.name}: {strange} is left")
    return job.states.index(found)


def check_end(job: Job, folder: Path) -> None:
    """As `check`: all is there, as undisturbed, and no part is left."""
    check(job, folder, len(job.states) - 1)
    if parts := list(folder.glob("*.part")):
        raise RuntimeError(f"{job.name}: {parts} is left")


class Undisturbed(NamedTuple):
    """What one run of a job takes: seconds, file operations by kind, bytes of its largest file."""

    seconds: float
    operations: Counter
    size: int


def measure(job: Job, folder: Path) -> Undisturbed:
    counts = folder.with_name("counts.json")

    def work(folder: Path) -> None:
        operations = Counter()
        sys.addaudithook(lambda event, arguments: operations.update([event] if event in OPERATIONS else []))
        job.work(folder)
        counts.write_text(json.dumps(operations))

    job.begin(folder)
    begin = time.perf_counter()
    finish(work, folder)
    seconds = time.perf_counter() - begin
    check_end(job, folder)
    largest = max((folder / name).stat().st_size for name in files(folder))
    return Undisturbed(seconds, Counter(json.loads(counts.read_text())), largest)


WAYS = ("at a random time", "before a file operation", "in the middle of a write")


def draw(way: str | None, chance: random.Random, usual: Undisturbed) -> tuple[Callable[[], None] | None, float | None]:
    """How a process shall die: by what it does to itself before it begins, or from outside after some seconds."""
    if way is None:
        return None, None
    if way == "at a random time":
        return None, chance.uniform(0, usual.seconds)
    if way == "before a file operation":  # each kind equally often: so the one rename among many is hit as well
        operation = chance.choice(sorted(usual.operations))
        return partial(die_before, operation, chance.randint(1, usual.operations[operation])), None
    return partial(die_writing, chance.randrange(usual.size)), None


class Survived(NamedTuple):
    """How often a job was killed in each way, how often that left a part, and how many runs came to their end."""

    name: str
    kills: dict[str, int]
    parts: int
    ends: int


def survive(job: Job, kills: int, seed: int = 0) -> Survived:
    """Kill a job so many times in each way; each run goes on from what the one before it left.

    Raises:
        RuntimeError: as `check` and `has_ended`.
    """
    chance, killed, parts, ends = random.Random(seed), Counter(), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        usual = measure(job, Path(temporary) / "undisturbed")
        while lacking := [way for way in WAYS if killed[way] < kills]:
            folder, reached, ended = Path(temporary) / f"run {ends}", 0, False
            job.begin(folder)
            while not ended:
                way = chance.choice(lacking) if chance.random() < 0.9 else None  # now and then it may come to its end
                doom, seconds = draw(way, chance, usual)
                child = start(job.work, folder, doom)
                if seconds is not None:
                    time.sleep(seconds)
                    os.kill(child, signal.SIGKILL)  # of a process that has ended it changes nothing
                ended = has_ended(wait(child), folder)
                if not ended:
                    killed[way] += 1
                    parts += any(folder.glob("*.part"))
                reached = check(job, folder, reached)
            check_end(job, folder)
            ends += 1
            shutil.rmtree(folder)
    return Survived(job.name, dict(killed), parts, ends)


# --- Ten at once


class Together(NamedTuple):
    """How many processes did a job at the same time in one folder, and how many of these were killed."""

    name: str
    processes: int
    killed: int


def together(job: Job, rounds: int, seed: int = 0) -> Together:
    """Ten processes at once, of which up to three are killed, so many times; then one more finds all as it shall be.

    Raises:
        RuntimeError: as `check` and `has_ended`: one that was not killed failed, too.
    """
    chance, killed = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as temporary:
        usual = measure(job, Path(temporary) / "undisturbed")
        for number in range(rounds):
            folder = Path(temporary) / f"round {number}"
            job.begin(folder)
            dooms = [draw(chance.choice(WAYS[1:]), chance, usual)[0] for _ in range(3)] + 7 * [None]
            children = [start(job.work, folder, doom) for doom in dooms]
            statuses = [wait(child) for child in children]
            killed += sum(not has_ended(status, folder) for status in statuses)
            finish(job.work, folder)
            check_end(job, folder)
    return Together(job.name, 10 * rounds, killed)


def can_be_read_only() -> bool:
    """Whether this system has and grants what `READ_ONLY` needs."""
    if not shutil.which("unshare"):
        return False
    return not subprocess.run([*READ_ONLY, "true"], stderr=subprocess.DEVNULL).returncode


def ten_kernels(*prefix: str) -> None:
    """Run lesson 00 in ten kernels at once on this checkout, each compared strictly with what is stored.

    Raises:
        RuntimeError: one failed, or something under `data/` has changed.
    """
    before = state(DATA)
    command = [*prefix, sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", LESSON]
    options = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    processes = [subprocess.Popen(command, **options) for _ in range(10)]
    outputs = [process.communicate()[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode:
            raise RuntimeError(f"a kernel failed:\n{output[-2000:]}")
    if state(DATA) != before:
        raise RuntimeError("the lesson has changed data/")


# --- The jobs


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """An address of this machine from which a process of its own sends `body`."""
    with Server() as server, tempfile.TemporaryDirectory() as temporary:
        server.files = {"/file.bin": body}

        def serve(folder: Path) -> None:
            signal.alarm(3600)  # it outlives the others, but not for ever
            server.serve_forever()

        child = start(serve, Path(temporary) / "server")
        try:
            yield server.url()
        finally:
            os.kill(child, signal.SIGKILL)
            wait(child)


def train(folder: Path, num_epochs: int = EPOCHS) -> None:
    """A small network with dropout, a shuffled loader and momentum, and then what a reader keeps of it."""
    torch.manual_seed(0)
    x = torch.rand(64, 3, 8, 8)
    pictures = TensorDataset(x, (x[:, 0].mean((1, 2)) > x[:, 1].mean((1, 2))).long())
    loaders = make_dataloaders({"train": Subset(pictures, range(40)), "val": Subset(pictures, range(40, 64))}, 8)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(288, 2)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs, folder / "run.pt")
    atomic_write(folder / "best.safetensors", safetensors.torch.save(model.state_dict()))


def save(seed: int, folder: Path) -> None:
    torch.manual_seed(seed)
    model = torchvision.models.squeezenet1_1(num_classes=2)
    save_model(folder / "model.safetensors", model, ["ants", "bees"], Preprocessing(96), "squeezenet1_1")


def learn(folder: Path) -> None:
    """What lesson 00 does, with a few of its pictures: features once, then a linear probe."""
    datasets = image_datasets(IMAGES["insects"], EMBEDDED.at(96))
    for pictures in datasets.values():
        pictures.transform = eval_transform(EMBEDDED.at(96))
    few = {split: Subset(datasets[split], range(0, len(datasets[split]), 40)) for split in ("train", "test")}
    loaders, backbone = make_dataloaders(few), load_model()
    probe = linear_probe(*extract_features(backbone, loaders["train"]))
    probabilities = probe.predict_proba(extract_features(backbone, loaders["test"])[0])
    atomic_write(folder / "probabilities", probabilities.tobytes())


def end_of(work: Callable[[Path], None], folder: Path) -> State:
    """What an undisturbed run of a job leaves in the new folder."""
    folder.mkdir(parents=True)
    finish(work, folder)
    return state(folder)


def training_states(folder: Path) -> list[State]:
    """The checkpoints of each epoch, from as many runs that nobody disturbed; then the best weights beside the last."""
    ends = [end_of(partial(train, num_epochs=n), folder / f"{n} epochs") for n in range(1, EPOCHS + 1)]
    return [{}, *({"run.pt": end["run.pt"]} for end in ends), ends[-1]]


@contextmanager
def jobs() -> Iterator[dict[str, Job]]:
    """All jobs by their names, with what they need."""
    torch.set_num_threads(1)
    body = random.Random(0).randbytes(DOWNLOAD_BYTES)
    with tempfile.TemporaryDirectory() as temporary, served(body) as url:
        source = Path(temporary)
        pictures = IMAGES["insects"] / "val"
        with zipfile.ZipFile(source / "val.zip", "w") as file:
            for name in files(pictures):
                file.write(pictures / name, f"val/{name}")
        sums = {f"val/{name}": content(pictures / name) for name in files(pictures)}
        (source / "manifest").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
        old, new = (end_of(partial(save, seed), source / f"model {seed}") for seed in (0, 1))
        digest = hashlib.sha256(body).hexdigest()

        def download(folder: Path) -> None:
            fetch(url, folder / "file.bin", digest)

        def unpack(folder: Path) -> None:
            matches = partial(find_mismatch, manifest=source / "manifest")
            extract(source / "val.zip", folder / "val", "val", matches)

        yield {
            job.name: job
            for job in (
                Job("download", download, [{}, {"file.bin": digest}]),
                Job("extraction", unpack, [{}, sums]),
                Job("training with a checkpoint", train, training_states(source / "training")),
                Job("saving over a model", partial(save, 1), [old, new], source / "model 0"),
                Job("features and a probe", learn, [{}, end_of(learn, source / "probe")]),
            )
        }


def killed_and_together(kills: int, rounds: int) -> None:
    """Kill each job so many times in each way, and run it ten times at once so often; prints what happened.

    Raises:
        RuntimeError: as `check` and `has_ended`.
    """
    with jobs() as every:
        for job in list(every.values())[:-1]:  # features are kept in memory: there is no file of them to spoil
            print(survive(job, kills), flush=True)
        for job in every.values():
            print(together(job, rounds), flush=True)


def main() -> None:
    killed_and_together(KILLS, ROUNDS)
    ten_kernels()
    print("lesson 00, in ten kernels")
    if can_be_read_only():
        ten_kernels(*READ_ONLY)
        print("lesson 00, in ten kernels that may only read data/")


if __name__ == "__main__":
    main()
