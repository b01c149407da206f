"""Killed, ten at once, stopped, on a full disk: nothing is lost, and the next run goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from _thread import interrupt_main
from pathlib import Path
from threading import Thread, Timer

import pytest
import torch
import torchvision
from test_downloads import BODY, PICTURES, SHA256, Server, make_zip
from test_training import sgd, tiny_loaders, tiny_model
from torch import nn

from helpers import ROOT
from helpers.downloads import fetch
from helpers.errors import LessonError
from helpers.files import atomic_write
from helpers.inference import load_saved, save_model
from helpers.own_images import extract_pictures
from helpers.training import train_model


def line(error: pytest.ExceptionInfo) -> str:
    """The message, which is one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- Killed, and ten at once: a short `make stress`

SHORT = """if True:
    import json, os, tempfile, time
    from pathlib import Path
    from benchmarks.interruptions import DATA, Job, jobs, state, survive, together
    from helpers.files import atomic_write

    def half(folder):
        (folder / "file").write_bytes(b"whole")

    def piling_up(folder):
        part = folder / f"{os.getpid()}.part"
        part.write_bytes(b"whole")
        part.replace(folder / "file")

    def losing(folder):
        (folder / "file").unlink()
        atomic_write(folder / "file", b"whole")

    def unlocked(folder):
        part = folder / "file.part"
        part.write_bytes(b"whole")
        time.sleep(0.1)
        part.replace(folder / "file")

    def raised(function, work, before=None):
        try:
            function(Job(work.__name__, work, [whole] if before else [{}, whole], before), 9)
        except RuntimeError as error:
            return str(error)

    before = Path(tempfile.mkdtemp())
    (before / "file").write_bytes(b"whole")
    whole = state(before)
    with jobs() as every:
        report = {
            "writable": os.access(DATA, os.W_OK),
            "killed": [survive(job, 3) for job in list(every.values())[:4]],
            "together": [together(job, 1) for job in every.values()],
            "careless": [raised(survive, half), raised(survive, losing, before), raised(survive, piling_up)],
            "unlocked": raised(together, unlocked),
        }
    print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def report() -> dict:
    if not hasattr(os, "fork"):
        pytest.skip("Windows has neither fork nor kill -9")
    from benchmarks.interruptions import READ_ONLY, can_be_read_only  # here, because Windows cannot import it

    command = [*(READ_ONLY if can_be_read_only() else []), sys.executable, "-c", SHORT]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_kills_at_random_moments(report):
    for name, kills, parts, ends in report["killed"]:
        assert len(kills) == 3 and min(kills.values()) >= 3, name
        assert parts and ends, name


def test_ten_at_once_of_which_some_are_killed(report):
    assert [name for name, *_ in report["together"]][-1] == "features and a probe"
    assert all(processes == 10 for _, processes, _ in report["together"])
    assert sum(killed for *_, killed in report["together"]) >= 5


def test_the_data_may_be_read_only(report):
    if report["writable"]:
        pytest.skip("nobody but `unshare` can keep root from writing, and it is missing or not allowed to")


def test_careless_programs_are_seen(report):
    half, losing, piling_up = report["careless"]
    assert "half: half a file, or a loss" in half and "losing: half a file, or a loss" in losing
    assert ".part'} is left" in piling_up
    assert "FileNotFoundError" in report["unlocked"]


def test_the_stored_table_is_of_two_hundred_kills_or_more():
    shown = (ROOT / "benchmarks" / "README.md").read_text().split("<!-- interruptions -->\n")[1]
    rows = [row.split(" | ") for row in shown.splitlines()[2:6]]
    assert all(int(by_time) + int(by_operation) >= 200 for _, by_time, by_operation, *_ in rows)


# --- The stop button


def test_the_stop_button_keeps_the_best_weights():
    model, best, histories = tiny_model(), {}, []

    def on_epoch(history):
        histories.append(history)
        *earlier, accuracy = history["val_acc"]
        if accuracy > max(earlier, default=-1):
            best.update({name: value.clone() for name, value in model.state_dict().items()})
        if len(earlier) == 2:
            Timer(0.003, interrupt_main).start()  # in the middle of a later epoch

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the test runner has set
    with pytest.raises(KeyboardInterrupt):
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), num_epochs=10**6, on_epoch=on_epoch)
    signal.signal(signal.SIGINT, before)
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())
    assert len({len(values) for values in histories[-1].values()}) == 1


# --- A disk that is full, or may only be read


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Something else that takes all the room."""
    free = os.statvfs(disk)
    (disk / "other").write_bytes(bytes(free.f_bavail * free.f_frsize))
    return disk / "other"


def train(path: Path, version: int) -> None:
    model = tiny_model()
    train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), num_epochs=version, checkpoint=path)


def save(path: Path, version: int) -> None:
    torch.manual_seed(version)
    model = torchvision.models.squeezenet1_1(num_classes=2)
    save_model(path, model, ["ants", "bees"], 96, "squeezenet1_1")
    load_saved(path)


@pytest.mark.parametrize("write", [train, save], ids=["checkpoint", "model"])
def test_a_full_disk_keeps_what_was_there(small_disk, write):
    path = small_disk / "mine"
    write(path, 1)
    before = path.read_bytes()
    other = fill(small_disk)
    with pytest.raises(LessonError, match="Cannot write .*mine: No space left .*; free some disk space") as error:
        write(path, 2)
    line(error)
    assert path.read_bytes() == before and names(small_disk) == ["mine", "other"]
    other.unlink()
    write(path, 2)
    assert path.read_bytes() != before and names(small_disk) == ["mine"], "it goes on when there is room again"


@pytest.fixture
def bring(tmp_path):
    """Two ways in which files come from elsewhere to a path."""
    archive = make_zip(tmp_path / "pictures.zip", PICTURES)
    with Server() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield {
            "download": lambda path: fetch(server.url(), path, SHA256),
            "extraction": lambda path: extract_pictures(archive, path),
        }
        server.shutdown()


@pytest.mark.parametrize("way", ["download", "extraction"])
def test_a_full_disk_gets_nothing_half(small_disk, bring, way):
    path = small_disk / "mine"
    other = fill(small_disk)
    with pytest.raises(LessonError, match=r"Cannot .*: .*No space left .*; free some disk space") as error:
        bring[way](path)
    line(error)
    assert not path.exists()
    other.unlink()
    bring[way](path)
    assert names(small_disk) == ["mine"]


@pytest.mark.parametrize("way", ["download", "extraction"])
def test_what_is_there_already_may_lie_where_nobody_may_write(small_disk, bring, way):
    path = small_disk / "mine"
    bring[way](path)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert bring[way](path) == path
    with pytest.raises(LessonError, match="Cannot write .*new: Read-only file system; choose another place") as error:
        atomic_write(small_disk / "new", BODY)
    line(error)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(LessonError, match="Permission denied; choose another place"):
        atomic_write(tmp_path / "m", b"")


def test_a_place_that_is_no_folder_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LessonError, match="Cannot write .*choose another place") as error:
        atomic_write(tmp_path / "file" / "m", b"")
    line(error)
