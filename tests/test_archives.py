"""Archives of strangers: unpacked whole or not at all, nothing outside, and sound ones never called damaged."""

import io
import os
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.archives import PICTURES, content, make_zip
from support.checks import line, names
from support.images import fill_different

from helpers.archives import WrongBytes, extract
from helpers.errors import LessonError
from helpers.files import partial_path
from helpers.own_images import check_folder, extract_pictures

pytestmark = pytest.mark.quick


@pytest.fixture
def archive(tmp_path):
    return make_zip(tmp_path / "images.zip", PICTURES)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "in" / "a" / "hymenoptera_data"


@pytest.fixture
def real(tmp_path):
    """The bytes of two images of each of two classes, by their names."""
    for name in ("larch", "pine"):
        fill_different(tmp_path / "real" / name, 2)
    files = sorted((tmp_path / "real").rglob("*.png"))
    return {path.relative_to(tmp_path / "real").as_posix(): path.read_bytes() for path in files}


def test_an_archive_is_extracted_without_the_litter_of_desktops(tmp_path, folder):
    litter = {"__MACOSX/hymenoptera_data/._x": b"", "hymenoptera_data/train/.DS_Store": b"", "Thumbs.db": b""}
    archive = make_zip(tmp_path / "x.zip", PICTURES | litter)
    assert extract(archive, folder, "hymenoptera_data") == folder
    assert content(folder) == PICTURES
    assert names(folder.parent) == ["hymenoptera_data"]


def test_a_folder_that_is_there_stays_as_it_is(archive, folder):
    folder.mkdir(parents=True)
    (folder / "mine").touch()
    assert extract(archive, folder) == folder
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
        extract(archive, folder, "hymenoptera_data")
    assert repr(name) in line(error)
    assert str(archive) in line(error)
    assert names(folder.parent) == []
    assert names(tmp_path) == ["in", "x.zip"]


@pytest.mark.parametrize("hidden", ["..", "C:", "/"])
def test_names_that_lead_out_only_once_they_are_decoded_are_refused(tmp_path, hidden):
    """Backslashes become slashes and code pages letters before a name is looked at."""
    archive = make_zip(tmp_path / "x.zip", {f"ä\\{hidden}\\..\\..\\evil.png": b"evil"})
    with pytest.raises(WrongBytes, match="leads out of the folder"):
        extract_pictures(archive, tmp_path / "in" / "mine")
    assert not any((tmp_path / "in").iterdir())


def test_links_are_refused(tmp_path, folder):
    archive = make_zip(tmp_path / "x.zip", PICTURES)
    with zipfile.ZipFile(archive, "a") as file:
        link = zipfile.ZipInfo("hymenoptera_data/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(WrongBytes, match="'hymenoptera_data/link' is a link") as error:
        extract(archive, folder, "hymenoptera_data")
    assert line(error)
    assert names(folder.parent) == []


@pytest.mark.filterwarnings("ignore:The names in")
def test_damage_at_any_byte_is_found(archive, folder):
    def find_mismatch(unpacked: Path) -> str | None:
        return None if content(unpacked) == PICTURES else "it differs"

    whole = archive.read_bytes()
    damaged = [whole[:at] for at in range(0, len(whole), 97)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 29)]
    refused = 0
    for bytes_of_it in damaged:
        archive.write_bytes(bytes_of_it)
        try:
            extract(archive, folder, "hymenoptera_data", find_mismatch)
        except LessonError:
            assert not folder.exists()
            refused += 1
        else:  # a byte that does not matter, as in a date
            assert content(folder) == PICTURES
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
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
        extract(archive, folder)
    assert line(error)
    assert len(written) == 3
    assert names(folder.parent) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_killed_extraction_leaves_no_folder(archive, folder):
    code = """if True:
        import os, pathlib, shutil, signal, sys
        from helpers.archives import extract
        archive, folder = map(pathlib.Path, sys.argv[1:])
        def copy(source, target, *args):
            target.write(source.read(3))
            target.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        shutil.copyfileobj = copy
        extract(archive, folder, "hymenoptera_data")"""
    killed = subprocess.run([sys.executable, "-c", code, archive, folder], timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists() and partial_path(folder).is_dir()
    assert content(extract(archive, folder, "hymenoptera_data")) == PICTURES
    assert names(folder.parent) == ["hymenoptera_data"]


# --- As people zip them


def unpacked(tmp_path, members, **options) -> dict[str, int]:
    archive = make_zip(tmp_path / "p.zip", members)
    return check_folder(extract_pictures(archive, tmp_path / "mine", **options)).counts()


BOTH = {"larch": 2, "pine": 2}


@pytest.mark.parametrize("prefix", ["", "trees\\", "C\\trees\\", "a\\b\\c\\"])
def test_backslashes_of_old_windows_programs(tmp_path, real, prefix):
    members = {(prefix + name).replace("/", "\\"): data for name, data in real.items()}
    assert (
        unpacked(tmp_path, {**({prefix: b""} if prefix else {}), "larch\\": b"", **members} if not prefix else members)
        == BOTH
    )


@pytest.mark.parametrize(
    "beside",
    [["README.md"], ["trees/README.md"], ["labels.csv", "trees/notes.txt"], ["__MACOSX/trees/._x"], [".DS_Store"]],
)
def test_files_beside_a_wrapping_folder_do_not_hide_the_classes(tmp_path, real, beside):
    members = {f"trees/{name}": data for name, data in real.items()} | dict.fromkeys(beside, b"text")
    assert unpacked(tmp_path, members) == BOTH
    kept = [Path(name).name for name in beside if Path(name).suffix]
    assert all((tmp_path / "mine" / name).exists() == (name != "._x") for name in kept)


def test_several_folders_around_the_classes(tmp_path, real):
    assert unpacked(tmp_path, {f"archive/2024/trees/{name}": data for name, data in real.items()}) == BOTH


def test_a_picture_beside_a_folder_keeps_the_folder(tmp_path, real):
    first = next(iter(real.values()))
    archive = make_zip(tmp_path / "p.zip", {f"trees/{name}": data for name, data in real.items()} | {"map.png": first})
    folder = extract_pictures(archive, tmp_path / "mine")
    assert names(folder) == ["map.png", "trees"]
    assert "trees alone, which holds larch, pine; give" in str(check_folder(folder))
    assert "1 outside the classes' folders: map.png; move it" in str(check_folder(folder))


def in_code_page(path: Path, members: dict[str, bytes], code_page: str) -> Path:
    """A zip as a program writes it that does not say how its names are written."""
    stand_ins = {name: f"n{i:03}" + "x" * (len(name.encode(code_page)) - 4) for i, name in enumerate(members)}
    make_zip(path, {stand_ins[name]: data for name, data in members.items()})
    data = path.read_bytes()
    for name, stand_in in stand_ins.items():
        data = data.replace(stand_in.encode(), name.encode(code_page))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("code_page", "encoding", "classes"),
    [
        ("utf-8", None, ["Lärche", "Łuk"]),
        ("utf-8", None, ["松の木", "杉の木"]),
        ("cp932", "cp932", ["松の木", "ソテツ"]),  # whose first letter has a backslash for its second byte
        ("gbk", "gbk", ["松树属", "杉木属"]),
        ("cp866", "cp866", ["Сосна", "Ель и"]),
        ("cp437", None, ["Lärche", "Föhre"]),
    ],
)
@pytest.mark.filterwarnings("ignore:The names in")
def test_names_in_other_code_pages(tmp_path, real, code_page, encoding, classes):
    data = list(real.values())
    archive = in_code_page(
        tmp_path / "p.zip", {f"{name}/{i}.png": data[i] for i, name in enumerate(classes)}, code_page
    )
    folder = extract_pictures(archive, tmp_path / "mine", encoding)
    assert names(folder) == sorted(classes)


def test_names_in_an_unknown_code_page_are_warned_of(tmp_path, real):
    archive = in_code_page(tmp_path / "p.zip", {"Сосна/1.png": b"1", "Береза/1.png": b"2"}, "cp866")
    with pytest.warns(
        UserWarning, match="do not say how they are written, as .*; if they look wrong, remove the folder"
    ):
        extract_pictures(archive, tmp_path / "mine")
    with pytest.raises(LessonError, match="are not written in utf-8; give another encoding"):
        extract_pictures(archive, tmp_path / "other", encoding="utf-8")
    with pytest.raises(LessonError, match="There is no encoding 'klingon'"):
        extract_pictures(archive, tmp_path / "other", encoding="klingon")


@pytest.mark.parametrize("kind", [str, Path, Path.read_bytes, lambda path: bytearray(path.read_bytes())])
def test_archives_as_text_path_and_bytes(tmp_path, archive, kind):
    assert names(extract_pictures(kind(archive), str(tmp_path / "mine"))) == ["train", "val"]


def test_the_home_folder_may_be_short(tmp_path, archive, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # the home folder on Windows
    assert extract_pictures("~/images.zip", "~/mine") == tmp_path / "mine"


# --- Sound, and not read


def patched(archive: Path, method: int | None = None, flag: int | None = None) -> bytes:
    """The same zip, said to be compressed with another method, or encrypted."""
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            if flag is not None:
                data[at + offset : at + offset + 2] = struct.pack("<H", flag)
            if method is not None:
                data[at + offset + 2 : at + offset + 4] = struct.pack("<H", method)
            at += 4
    return bytes(data)


def tar(mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda z: patched(z, method=9), "is compressed with Deflate64, which Python cannot unpack"),
        (lambda z: patched(z, method=93), "is compressed with Zstandard"),
        (lambda z: patched(z, method=77), "is compressed with method 77"),
        (lambda z: patched(z, flag=1), "is encrypted with a password"),
        (lambda z: patched(z, method=99, flag=1), "is encrypted with a password"),
        (lambda z: b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7z archive, and a zip is expected"),
        (lambda z: b"Rar!\x1a\x07\0" + bytes(99), "is a RAR archive, and a zip is expected"),
        (lambda z: tar("w"), "is a tar archive, and a zip is expected"),
        (lambda z: tar("w:gz"), "is a tar.gz or gzip archive, and a zip is expected"),
        (lambda z: tar("w:xz"), "is an xz archive, and a zip is expected"),
        (lambda z: tar("w:bz2"), "is a bzip2 archive, and a zip is expected"),
    ],
)
@pytest.mark.parametrize("upload", [False, True])
def test_what_is_sound_is_not_called_damaged(tmp_path, archive, make, said, upload):
    archive.write_bytes(make(archive))
    with pytest.raises(LessonError, match=said) as error:
        extract_pictures(archive.read_bytes() if upload else archive, tmp_path / "mine")
    assert "unpack it with the program of your system and give its folder" in line(error)
    assert "damaged" not in line(error) and "anew" not in line(error) and not (tmp_path / "mine").exists()


def test_what_is_not_there_or_a_folder(tmp_path):
    with pytest.raises(LessonError, match=r"none\.zip is not there; check its name"):
        extract_pictures(tmp_path / "none.zip", tmp_path / "mine")
    with pytest.raises(LessonError, match="is a folder, which needs no unpacking; give it"):
        extract_pictures(tmp_path, tmp_path / "mine")


def test_an_empty_zip_is_one_line(tmp_path):
    with pytest.raises(WrongBytes, match="is not the expected archive: it is empty; get") as error:
        extract_pictures(make_zip(tmp_path / "p.zip", {}), tmp_path / "mine")
    line(error)


def test_the_folder_where_one_stands_is_there_already(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert extract_pictures(archive, ".") == tmp_path
