"""Several at once, stopped, on a full disk: nothing is lost, and the next run goes on."""

import os
import shutil
import signal
import subprocess
from _thread import interrupt_main
from pathlib import Path
from threading import Thread, Timer

import pytest
import torch
import torchvision
from support.archives import PICTURES, make_zip
from support.checks import line, names
from support.server import BODY, SHA256, running_server
from support.training import sgd, tiny_loaders, tiny_model
from torch import nn

from helpers.downloads import fetch
from helpers.errors import LessonError
from helpers.files import atomic_write, exclusive_lock, partial_path
from helpers.inference import load_saved, save_model
from helpers.own_images import extract_pictures
from helpers.training import train_model
from helpers.weights import Preprocessing

# --- Several at once; `make stress` kills them, too


def test_who_writes_waits_for_the_others(tmp_path):
    path = tmp_path / "mine"
    writer = Thread(target=atomic_write, args=(path, b"mine"))
    with exclusive_lock(path):
        writer.start()
        writer.join(0.3)
        assert writer.is_alive() and not partial_path(path).exists()
    writer.join()
    assert path.read_bytes() == b"mine" and names(tmp_path) == ["mine"]


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
    save_model(path, model, ["ants", "bees"], Preprocessing(96), "squeezenet1_1")
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
    archive = make_zip(tmp_path / "images.zip", PICTURES)
    with running_server() as server:
        yield {
            "download": lambda path: fetch(server.url(), path, SHA256),
            "extraction": lambda path: extract_pictures(archive, path),
        }


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
