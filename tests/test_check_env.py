"""Every problem of a machine, provoked: its remedy appears."""

import shutil
import sys
from collections import namedtuple
from importlib import metadata

import psutil
import pytest
import torch

from helpers import check_env, tracks
from helpers.errors import LessonError

pytestmark = pytest.mark.quick


def row(name: str) -> check_env.Finding:
    return next(row for row in check_env.check() if row.name == name)


def test_this_machine_is_ready(capsys):
    assert check_env.main() == 0
    assert capsys.readouterr().out == check_env.report() + "\n"


def test_the_report_has_ten_lines():
    lines = check_env.report().splitlines()
    assert len(lines) == 10
    assert lines[-1] == "This machine is ready."


def test_a_problem_is_marked_and_counted(monkeypatch, capsys):
    bad = check_env.Finding("disk", "0 GB free", "free some space")
    monkeypatch.setattr(check_env, "CHECKS", (lambda: bad, check_env.check_python))
    assert check_env.main() == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "!!  disk       0 GB free; free some space"
    assert second.startswith("ok  python")
    assert last == "Not ready: see the lines with !! (1)."


def test_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert check_env.check_python().remedy == "install Python 3.11 or newer"


@pytest.mark.parametrize(
    ("look", "package"),
    [
        (check_env.check_torch, "torchvision"),
        (check_env.check_lab, "jupyterlab"),
        (check_env.check_widgets, "jupyterlab_widgets"),
        (check_env.check_kernel, "ipykernel"),
    ],
)
class TestPackages:
    def test_another_version(self, look, package, monkeypatch):
        version = metadata.version
        monkeypatch.setattr(metadata, "version", lambda p: "0.1" if p == package else version(p))
        pin = check_env.pinned(package)
        assert look().remedy == f"checked with {package} {pin}: {check_env.INSTALL}"

    def test_missing(self, look, package, monkeypatch):
        monkeypatch.setitem(sys.modules, package, None)
        assert f"{package} does not import" in look().found
        assert look().remedy == check_env.INSTALL


def test_cpu_build_of_torch_is_the_pinned_version(monkeypatch):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda package: version(package) + "+cpu")
    assert not check_env.check_torch().remedy
    assert "+cpu" not in check_env.check_torch().found


def test_torch_that_breaks_while_importing(monkeypatch):
    def broken(name):
        raise OSError("libtorch.so: cannot open shared object file\nand more")

    monkeypatch.setattr(check_env, "import_module", broken)
    assert check_env.check_torch().found == "torch does not import: libtorch.so: cannot open shared object file"


def test_kernel_of_another_python(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    assert "make lab" in check_env.check_kernel().remedy


def test_no_kernel(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert check_env.check_kernel().remedy == check_env.INSTALL


def test_track_that_is_not_there(monkeypatch):
    def missing():
        raise LessonError("the photographs are not here: `make photos` brings them")

    monkeypatch.setattr(tracks, "current_track", missing)
    assert "make photos" in check_env.check_track().remedy


def test_little_memory(monkeypatch):
    memory = namedtuple("Memory", "available total")(500_000_000, 8_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert "of 8 GB memory free" in check_env.check_machine().found
    assert "close other programs" in check_env.check_machine().remedy


def test_little_disk(monkeypatch):
    usage = namedtuple("Usage", "total used free")(10, 10, 1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "free some space" in check_env.check_disk().remedy


def test_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA T4")
    assert check_env.check_gpu() == check_env.Finding("GPU", "NVIDIA T4")


def test_no_gpu_is_no_problem(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert not check_env.check_gpu().remedy


def test_without_torch_and_psutil_the_rest_is_still_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert row("GPU").found == "not known without torch"
    assert row("machine").remedy == check_env.INSTALL
