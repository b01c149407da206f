"""Downloads against a real server on this machine: cut, wrong, hostile, killed, and two at once."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from support.archives import PICTURES, content, make_zip, write_manifest
from support.checks import line, names
from support.processes import start
from support.server import BODY, SHA256, running_server

from helpers import ROOT, downloads
from helpers.archives import WrongBytes
from helpers.downloads import MANIFEST, fetch, fetch_photos
from helpers.errors import LessonError
from helpers.files import partial_path

FETCH = """
import pathlib, sys
from helpers.downloads import fetch
print("here", flush=True)
fetch(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3])
"""


@pytest.fixture
def server():
    with running_server() as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "file.bin"


def assert_alone(path: Path) -> None:
    """The right file, and neither part nor lock beside it."""
    assert path.read_bytes() == BODY
    assert names(path.parent) == [path.name]


# fetch


def test_a_file_comes_whole_with_a_progress_bar_and_only_once(server, path, capsys):
    assert fetch(server.url(), path, SHA256) == path
    assert_alone(path)
    assert re.search(r"file\.bin: 100%.*300k/300k", capsys.readouterr().err)
    fetch(server.url(), path, SHA256)
    assert server.answers == 1
    assert capsys.readouterr().out == f"{path} is there already.\n"


def test_the_beginning_of_a_sum_is_enough(server, path):
    fetch(server.url(), path, SHA256[:8])
    with pytest.raises(WrongBytes):
        fetch(server.url(), path.with_name("other.bin"), "0" * 8)


@pytest.mark.parametrize("cut", [0, 1, len(BODY) - 1])
def test_a_cut_download_leaves_nothing_and_the_next_brings_all(server, path, cut):
    server.cut = cut
    with pytest.raises(LessonError, match="more expected.*; run it again") as error:
        fetch(server.url(), path)  # without a sum, the length tells
    line(error)
    assert names(path.parent) == []
    server.cut = None
    fetch(server.url(), path, SHA256)
    assert_alone(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_what_a_killed_download_leaves_is_written_over(server, path):
    server.pause = 60
    process = start(FETCH, server.url(), path, SHA256)
    while not partial_path(path).exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    server.pause = 0
    partial_path(path).write_bytes(b"?" * 2 * len(BODY))
    fetch(server.url(), path, SHA256)
    assert_alone(path)


def test_wrong_bytes_are_removed_and_named(server, path):
    server.files["/file.bin"] = wrong = b"<html>Please log in</html>"
    with pytest.raises(WrongBytes) as error:
        fetch(server.url(), path, SHA256)
    for word in ("file.bin", SHA256, hashlib.sha256(wrong).hexdigest(), "Run it again"):
        assert word in line(error)
    assert names(path.parent) == []


def test_a_wrong_file_is_replaced_only_by_the_right_one(server, path):
    path.parent.mkdir()
    path.write_bytes(b"wrong")
    with pytest.raises(LessonError):
        fetch(server.url("missing"), path, SHA256)
    assert path.read_bytes() == b"wrong"
    fetch(server.url(), path, SHA256)
    assert_alone(path)


def test_404_leaves_nothing(server, path):
    with pytest.raises(LessonError, match="404") as error:
        fetch(server.url("missing"), path)
    assert server.url("missing") in line(error)
    assert str(path) in line(error)
    assert names(path.parent) == []


def test_an_unreachable_host_is_one_line_even_while_another_error_is_handled(path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file.bin"
        try:
            raise ValueError("something else")
        except ValueError:
            with pytest.raises(LessonError, match=f"Cannot download {url}: .*refused") as error:
                fetch(url, path)
    assert len(line(error)) < 300
    assert error.value.__suppress_context__


def test_a_silent_server_is_left(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    server.pause = 1
    with pytest.raises(LessonError, match="timed out") as error:
        fetch(server.url(), path)
    assert line(error)
    assert not path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_line(server, path):
    path.parent.mkdir()
    partial_path(path).symlink_to("/dev/full")
    with pytest.raises(LessonError, match=r"No space left.*free some disk space") as error:
        fetch(server.url(), path)
    assert line(error)
    assert names(path.parent) == []


def test_a_folder_that_cannot_be_made_is_one_line(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LessonError, match=str(tmp_path)) as error:
        fetch(server.url(), tmp_path / "file" / "file.bin")
    assert line(error)


def test_two_processes_bring_one_file_once(server, path):
    server.go.clear()
    both = [start(FETCH, server.url(), path, SHA256) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == b"here\n"
    time.sleep(0.3)  # one waits for the server now, the other for the one
    server.go.set()
    assert [process.wait(60) for process in both] == [0, 0]
    assert_alone(path)
    assert server.answers == 1


def test_whoever_waits_for_a_removed_lock_still_waits_for_its_holder(tmp_path):
    code = """if True:
        import pathlib, sys, time
        from helpers.files import exclusive_lock
        counter = pathlib.Path(sys.argv[1])
        unlink = pathlib.Path.unlink
        def slow_unlink(path):  # so that the others come in between, if they can
            time.sleep(0.1)
            unlink(path)
        pathlib.Path.unlink = slow_unlink
        for _ in range(3):
            with exclusive_lock(counter):
                count = int(counter.read_text())
                time.sleep(0.1)
                counter.write_text(str(count + 1))
    """
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [start(code, counter) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "9"
    assert names(tmp_path) == ["counter"]


@pytest.fixture
def archive(tmp_path):
    return make_zip(tmp_path / "images.zip", PICTURES)


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path / "images.sha256")


# fetch_photos and fetch_weights


@pytest.fixture
def bring(server, archive, manifest, tmp_path):
    """`fetch_photos` with eight small images from the server, into the folder `downloads`."""
    server.files["/hymenoptera_data.zip"] = archive.read_bytes()
    return partial(fetch_photos, tmp_path / "downloads", server.url("hymenoptera_data.zip"), manifest=manifest)


def test_photos_come_once(bring, server, tmp_path, capsys):
    photos = bring()
    assert photos == tmp_path / "downloads" / "hymenoptera_data"
    assert content(photos) == PICTURES
    assert names(photos.parent) == ["hymenoptera_data", "hymenoptera_data.zip"]
    assert capsys.readouterr().out == f"{photos} is ready, every file verified.\n"
    bring()
    assert capsys.readouterr().out == f"{photos} is there already, every file verified.\n"
    assert server.answers == 1


NAME = "hymenoptera_data/val/bees/an image 1.jpg"


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            PICTURES | {NAME: b"wrong"},
            f"{NAME} has the SHA-256 {hashlib.sha256(b'wrong').hexdigest()}, expected",
        ),
        ({name: data for name, data in PICTURES.items() if name != NAME}, f"{NAME} is missing"),
        (PICTURES | {f"{NAME}.exe": b""}, f"{NAME}.exe does not belong there"),
    ],
    ids=["corrupted", "missing", "extra"],
)
def test_a_picture_that_is_not_as_listed_is_named(bring, server, tmp_path, members, problem):
    good = server.files["/hymenoptera_data.zip"]
    server.files["/hymenoptera_data.zip"] = make_zip(tmp_path / "x.zip", members).read_bytes()
    with pytest.raises(WrongBytes) as error:
        bring()
    assert problem in line(error)
    assert names(tmp_path / "downloads") == []
    server.files["/hymenoptera_data.zip"] = good
    assert content(bring()) == PICTURES


def test_pictures_that_changed_on_the_disk_are_named(bring):
    photos = bring()
    (photos / ".DS_Store").touch()
    bring()
    (photos.parent / NAME).write_bytes(b"edited")
    with pytest.raises(WrongBytes, match=f"{NAME} has the SHA-256") as error:
        bring()
    assert line(error).endswith("remove it and run this again.")
    assert (photos.parent / NAME).read_bytes() == b"edited"


def test_a_login_page_in_place_of_the_archive_is_removed(bring, server, tmp_path):
    server.files["/hymenoptera_data.zip"] = b"<html>Please log in</html>"
    with pytest.raises(WrongBytes, match="not the expected archive: it is damaged"):
        bring()
    assert names(tmp_path / "downloads") == []


def test_an_archive_from_the_disk_needs_no_network_and_is_never_removed(bring, server, archive, tmp_path):
    wrong = make_zip(tmp_path / "x.zip", {NAME: b"wrong"})
    with pytest.raises(WrongBytes, match=re.escape(str(wrong))):
        bring(archive=wrong)
    assert wrong.exists()
    assert content(bring(archive=archive)) == PICTURES
    assert server.answers == 0


def test_an_archive_laid_among_the_downloads_is_used_and_never_removed(bring, server, archive, tmp_path):
    placed = tmp_path / "downloads" / "hymenoptera_data.zip"
    placed.parent.mkdir()
    placed.write_bytes(b"wrong")
    with pytest.raises(WrongBytes):
        bring()
    assert placed.read_bytes() == b"wrong"
    shutil.copy(archive, placed)
    assert content(bring()) == PICTURES
    assert server.answers == 0


def test_the_manifest_lists_the_whole_archive():
    lines = MANIFEST.read_text(encoding="ascii").splitlines()
    assert len(lines) == len(set(lines)) == 398
    pattern = r"[0-9a-f]{64}  hymenoptera_data/(train|val)/(ants|bees)/[^/]+\.(jpg|jpeg|gif)"
    found = [re.fullmatch(pattern, line).groups() for line in lines]
    assert Counter((split, name) for split, name, suffix in found if suffix != "gif") == {
        ("train", "ants"): 123,
        ("train", "bees"): 121,
        ("val", "ants"): 70,
        ("val", "bees"): 83,
    }
    assert [line[66:] for line in lines if line.endswith("gif")] == ["hymenoptera_data/train/ants/imageNotFound.gif"]


def test_weights_go_where_torchvision_looks_for_them(tmp_path, monkeypatch):
    import torch
    from torchvision.models import ResNet18_Weights

    def save(url: str, path: Path, sha256: str) -> Path:
        assert (url, sha256) == (ResNet18_Weights.IMAGENET1K_V1.url, "f37072fd")
        path.parent.mkdir(parents=True)
        torch.save({"weight": torch.ones(1)}, path)
        return path

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "fetch", save)
    downloads.fetch_weights()
    assert ResNet18_Weights.IMAGENET1K_V1.get_state_dict() == {"weight": torch.ones(1)}


# the command


@pytest.fixture
def command(tmp_path, manifest):
    """`python -m helpers.downloads` in a copy of the repository whose manifest lists the small images."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "helpers", root / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "weights", root / "data" / "weights")
    shutil.copy(manifest, root / "data" / "hymenoptera.sha256")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "helpers.downloads", *map(str, arguments)]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)

    return run


def test_the_command_takes_an_archive_from_the_disk(command, archive, tmp_path):
    done = command("--archive", archive)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(tmp_path / "repository" / "data" / "downloads" / "hymenoptera_data") == PICTURES
    assert "is there already, every file verified" in command("--archive", archive).stdout


def test_the_command_fails_in_one_line(command, tmp_path):
    done = command("--archive", tmp_path / "missing.zip")
    assert done.returncode == 1
    assert re.fullmatch(r".*missing\.zip is not there; check its name\.\n", done.stderr)
    assert done.stdout == ""


def test_the_command_brings_both(monkeypatch):
    brought = []
    monkeypatch.setattr(sys, "argv", ["downloads"])
    monkeypatch.setattr(downloads, "fetch_photos", lambda archive: brought.append(archive))
    monkeypatch.setattr(downloads, "fetch_weights", lambda: brought.append("weights"))
    downloads.main()
    assert brought == [None, "weights"]


def test_the_command_can_be_interrupted(monkeypatch):
    def interrupt(archive):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["downloads"])
    monkeypatch.setattr(downloads, "fetch_photos", interrupt)
    with pytest.raises(SystemExit, match="Stopped; run it again"):
        downloads.main()
