"""Unpacking: whole and verified or not at all, and nothing outside the folder."""

import os
import shutil
import signal
import stat
import zipfile
from functools import partial
from pathlib import Path

import pytest
from support.archives import PICTURES, content, make_zip, write_manifest
from support.checks import line, names
from support.processes import start

from helpers.downloads import find_mismatch
from helpers.errors import LessonError
from helpers.own_images.archives import WrongBytes, extract

pytestmark = pytest.mark.quick


@pytest.fixture
def archive(tmp_path):
    return make_zip(tmp_path / "pictures.zip", PICTURES)


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path / "pictures.sha256")


def extract_verified(archive: Path, folder: Path, manifest: Path | None = None) -> Path:
    """As `helpers.downloads` unpacks the photographs."""
    return extract(archive, folder, folder.name, manifest and partial(find_mismatch, manifest=manifest))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "in" / "a" / "hymenoptera_data"


def test_an_archive_is_extracted_without_the_litter_of_desktops(tmp_path, folder):
    litter = {"__MACOSX/hymenoptera_data/._x": b"", "hymenoptera_data/train/.DS_Store": b"", "Thumbs.db": b""}
    assert extract_verified(make_zip(tmp_path / "x.zip", PICTURES | litter), folder) == folder
    assert content(folder) == PICTURES
    assert names(folder.parent) == ["hymenoptera_data"]


def test_a_folder_that_is_there_stays_as_it_is(archive, folder):
    folder.mkdir(parents=True)
    (folder / "mine").touch()
    assert extract_verified(archive, folder) == folder
    assert names(folder) == ["mine"]
    assert names(folder.parent) == ["hymenoptera_data"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "hymenoptera_data/../../evil",
        "hymenoptera_data/../evil",
        "/evil",
        "/hymenoptera_data/evil",
        "..\\evil",
        "hymenoptera_data\\..\\..\\evil",
        "C:\\evil",
        "C:evil",
        "\\\\host\\share\\evil",
        "another_folder/evil",
        "evil",
        "__MACOSX/../../evil",
    ],
)
def test_members_that_lead_out_are_refused(tmp_path, folder, name):
    archive = make_zip(tmp_path / "x.zip", PICTURES | {name: b"evil"})
    with pytest.raises(WrongBytes) as error:
        extract_verified(archive, folder)
    assert repr(name) in line(error)
    assert str(archive) in line(error)
    assert names(folder.parent) == []
    assert names(tmp_path) == ["in", "x.zip"]


def test_links_are_refused(tmp_path, folder):
    archive = make_zip(tmp_path / "x.zip", PICTURES)
    with zipfile.ZipFile(archive, "a") as file:
        link = zipfile.ZipInfo("hymenoptera_data/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(WrongBytes, match="'hymenoptera_data/link' is a link") as error:
        extract_verified(archive, folder)
    assert line(error)
    assert names(folder.parent) == []


def test_damage_at_any_byte_is_found(archive, folder, manifest):
    whole = archive.read_bytes()
    damaged = [whole[:at] for at in range(0, len(whole), 97)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 29)]
    refused = 0
    for bytes_of_it in damaged:
        archive.write_bytes(bytes_of_it)
        try:
            extract_verified(archive, folder, manifest)
        except LessonError:
            assert not folder.exists()
            refused += 1
        else:  # a byte that does not matter, as in a date
            assert content(folder) == PICTURES
            shutil.rmtree(folder)
    assert refused > len(damaged) / 2
    assert names(folder.parent) == []


def test_a_disk_that_fills_up_leaves_no_folder(archive, folder, monkeypatch):
    written = []

    def copy(source, target, *args):
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(target.name)
        target.write(source.read())

    monkeypatch.setattr(zipfile.shutil, "copyfileobj", copy)
    with pytest.raises(LessonError, match=r"No space left.*free some disk space") as error:
        extract_verified(archive, folder)
    assert line(error)
    assert len(written) == 3
    assert names(folder.parent) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_killed_extraction_leaves_no_folder(archive, folder, manifest):
    code = """if True:
        import os, pathlib, shutil, signal, sys
        from helpers.own_images.archives import extract
        archive, folder = map(pathlib.Path, sys.argv[1:])
        def copy(source, target, *args):
            target.write(source.read(3))
            target.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        shutil.copyfileobj = copy
        extract(archive, folder, folder.name)
    """
    assert start(code, archive, folder).wait(60) == -signal.SIGKILL
    assert not folder.exists()
    (folder.parent / "hymenoptera_data.part" / "hymenoptera_data" / "stale").touch()
    extract_verified(archive, folder, manifest)
    assert content(folder) == PICTURES
    assert names(folder.parent) == ["hymenoptera_data"]
