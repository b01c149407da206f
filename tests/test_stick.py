"""A stick for a class without a network, and the laptop that is set up from it. No package is downloaded here."""

import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import pytest

from helpers.errors import LessonError
from tools import start_from_stick as start
from tools import stick
from tools.environment import ROOT

pytestmark = pytest.mark.nightly


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """What would be run, in words; git alone is."""
    ran = []
    run = subprocess.run

    def note(command, **kwargs):
        if command[0] == "git":
            return run(command, **kwargs)
        ran.append([str(part) for part in command])
        if "download" in command:
            command[command.index("--dest") + 1].mkdir(parents=True, exist_ok=True)
        if "venv" in command:
            start.python_of(command[-1].parent).parent.mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", note)
    return ran


@pytest.fixture
def filled(tmp_path, commands):
    """A stick with the lessons, and a folder for its packages."""
    stick.copy_lessons(tmp_path / "stick")
    stick.download_packages(tmp_path / "stick")
    return tmp_path / "stick"


needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: git does not know what belongs here")


@needs_git
def test_the_stick_has_what_git_knows_of(filled):
    lessons = filled / "lessons"
    for name in ("notebooks/00_start_here.ipynb", "data/weights/SHA256SUMS", "requirements.txt", "Makefile"):
        assert (lessons / name).read_bytes() == (ROOT / name).read_bytes()
    assert not (lessons / ".venv").exists()
    assert not (lessons / "data" / "downloads").exists()
    assert (filled / "start.py").read_bytes() == (ROOT / "tools" / "start_from_stick.py").read_bytes()


@pytest.mark.parametrize("built", [True, False])
def test_the_web_edition_is_taken_along_where_it_is_built(tmp_path, monkeypatch, built):
    monkeypatch.setattr(stick, "ROOT", tmp_path)
    if built:
        (tmp_path / "build" / "site" / "notebooks").mkdir(parents=True)
        (tmp_path / "build" / "site" / "index.html").write_text("first page")
        (tmp_path / "build" / "site" / "notebooks" / "00.html").write_text("lesson")
    assert stick.copy_site(tmp_path / "stick") is built
    assert (tmp_path / "stick" / "site" / "notebooks" / "00.html").exists() is built


@needs_git
def test_what_is_gone_leaves_a_stick_that_is_filled_again(filled):
    old = filled / "lessons" / "notebooks" / "99_old.ipynb"
    old.touch()
    stick.copy_lessons(filled)
    assert not old.exists() and (filled / "lessons" / "notebooks" / "00_start_here.ipynb").is_file()


@needs_git
def test_the_packages_are_the_pinned_ones(filled, commands):
    (download,) = commands
    assert download[:4] == [sys.executable, "-m", "pip", "download"]
    assert download[download.index("--constraint") + 1] == str(ROOT / "requirements.txt")
    assert any(part.startswith("torch>=") for part in download)
    assert any(part.startswith("flit_core") for part in download), "the helpers are built on the laptop"


@needs_git
def test_packages_that_did_not_all_come_are_not_offered_to_a_laptop(filled, monkeypatch, tmp_path):
    def cut(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", cut)
    with pytest.raises(subprocess.CalledProcessError):
        stick.download_packages(filled)
    with pytest.raises(SystemExit, match=rf"has packages for {start.kind()}\.part\. .* `make stick`, to its end"):
        start.install(filled, tmp_path / "transfer-learning")


def test_a_stick_that_is_not_mounted_does_not_fill_the_disk(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stick", str(tmp_path / "nowhere")])
    assert stick.main() == 1
    assert (
        capsys.readouterr().err
        == f"There is no folder {tmp_path / 'nowhere'}: mount the stick, or make the folder first.\n"
    )
    assert not (tmp_path / "nowhere").exists()


def test_a_full_stick_is_one_line(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "argv", ["stick", str(tmp_path)])
    monkeypatch.setattr(stick, "copy_lessons", full)
    assert stick.main() == 1
    assert capsys.readouterr().err.endswith("No space left on device. The same command goes on.\n")


def test_without_git_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(stick, "ROOT", tmp_path)
    with pytest.raises(LessonError, match="must be a clone"):
        stick.tracked_files()


# --- On the laptop


@needs_git
def test_a_laptop_is_set_up_once_and_without_an_index(filled, tmp_path, commands):
    folder = tmp_path / "laptop" / "transfer-learning"
    folder.parent.mkdir()
    start.copy_lessons(filled, folder)
    commands.clear()
    start.install(filled, folder)
    make_environment, install = commands
    assert make_environment[1:3] == ["-m", "venv"]
    assert install[1:6] == ["-m", "pip", "install", "--no-index", "--find-links"]
    assert install[6] == str(filled / "wheels" / start.kind())
    assert " ".join(install[7:]) == "--constraint requirements.txt --editable ."

    start.install(filled, folder)
    assert len(commands) == 2, "a finished set-up is not repeated"


@needs_git
def test_what_the_reader_wrote_stays(filled, tmp_path):
    folder = tmp_path / "transfer-learning"
    start.copy_lessons(filled, folder)
    lesson = folder / "notebooks" / "00_start_here.ipynb"
    lesson.write_text("my answers")
    start.copy_lessons(filled, folder)
    assert lesson.read_text() == "my answers"


def test_what_comes_from_a_stick_that_may_only_be_read_can_be_written(tmp_path):
    lesson = tmp_path / "stick" / "lessons" / "notebooks" / "00.ipynb"
    lesson.parent.mkdir(parents=True)
    lesson.write_text("{}")
    lesson.chmod(0o444)
    lesson.parent.chmod(0o555)
    folder = tmp_path / "transfer-learning"
    start.copy_lessons(tmp_path / "stick", folder)
    for copy in (folder, folder / "notebooks", folder / "notebooks" / "00.ipynb"):
        assert copy.stat().st_mode & 0o200, f"{copy} cannot be written"


def test_too_small_a_disk_is_told_before_anything_is_installed(tmp_path, commands, monkeypatch):
    wheels = tmp_path / "stick" / "wheels" / start.kind()
    wheels.mkdir(parents=True)
    (wheels / "torch.whl").write_bytes(bytes(10**6))
    usage = namedtuple("Usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SystemExit, match=r"needs 0\.0 GB of disk, 0\.0 GB are free: make room, or name another folder"):
        start.install(tmp_path / "stick", tmp_path)
    assert commands == []


def test_a_set_up_that_fails_ends_in_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "argv", ["start.py", str(tmp_path / "lessons")])
    monkeypatch.setattr(start, "copy_lessons", full)
    with pytest.raises(SystemExit, match="No space left on device. The same command starts it afresh.$"):
        start.main()


def test_a_set_up_that_is_stopped_ends_in_one_line(tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "copy_lessons", stopped)
    monkeypatch.setattr(sys, "argv", ["start.py", str(tmp_path / "lessons")])
    with pytest.raises(SystemExit, match="did not finish. The same command starts it afresh"):
        start.main()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no groups of processes")
def test_ctrl_c_is_for_jupyterlab(tmp_path):
    """It asks what is meant; the program that started it waits for its answer."""
    folder = tmp_path / "lessons"
    (folder / "notebooks").mkdir(parents=True)
    lab = start.python_of(folder)
    lab.parent.mkdir(parents=True)
    (folder / ".venv" / "ready").touch()
    lab.write_text("#!/bin/sh\ntrap 'echo asked; exit 0' INT\necho up\nwhile :; do sleep 0.05; done\n")
    lab.chmod(0o755)
    program = [sys.executable, str(ROOT / "tools" / "start_from_stick.py"), str(folder)]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        while running.stdout.readline().strip() != "up":
            pass
        os.killpg(running.pid, signal.SIGINT)
        said, errors = running.communicate(timeout=30)
    assert (running.returncode, said.strip(), errors) == (0, "asked", "")


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(SystemExit, match="holds no lessons; name another folder"):
        start.copy_lessons(tmp_path / "stick", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_another_kind_of_laptop_is_told_which_the_stick_is_for(tmp_path):
    (tmp_path / "wheels" / "python3.9-Windows-ARM64").mkdir(parents=True)
    with pytest.raises(SystemExit, match=f"This laptop is {start.kind()}; .* for python3.9-Windows-ARM64"):
        start.install(tmp_path, tmp_path / "transfer-learning")
