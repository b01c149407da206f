"""One image: the same pixels, however it comes, and one line for what cannot be read."""

import base64
import io
import struct
import sys
import warnings
import zlib
from datetime import datetime

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from support.checks import line
from support.images import BLUE, GREEN, GREY, INSECTS, RED, corners, fill, noise, quarters
from torch.utils.data import DataLoader

from helpers.data import SampleDataset
from helpers.errors import LessonError
from helpers.images import MAX_PIXELS, decode_image, load_image, sniff, sniff_file
from helpers.transforms import eval_transform
from helpers.weights import Preprocessing


def stored(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def png_of_16_bits(numbers: np.ndarray) -> bytes:
    """A colour PNG of 16 bits, which Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, channels = numbers.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


KINDS = {
    "turned.jpg": stored(noise(1, (90, 60)), "JPEG", exif=turned()),
    "turned.png": stored(quarters((32, 16)), "PNG", exif=turned()),
    "grey16.png": stored(Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 15), "PNG"),
    "grey12.tif": stored(Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)), "TIFF"),
    "colour12.png": png_of_16_bits(np.arange(48 * 64 * 3).reshape(48, 64, 3) % 4096),
    "palette.png": stored(quarters((32, 16)).quantize(4), "PNG", transparency=0),
    "clear.webp": stored(noise(2).convert("RGBA").rotate(30), "WEBP", lossless=True),
    "cmyk.jpg": stored(noise(3).convert("CMYK"), "JPEG"),
    "bits.png": stored(noise(4).convert("1"), "PNG"),
    "avif.avif": stored(noise(5), "AVIF"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_same_picture_however_it_comes(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(KINDS[name])
    expected = np.asarray(load_image(path))
    upload = {"name": name, "type": "", "size": 1, "content": memoryview(KINDS[name])}
    with path.open("rb") as file:
        ways = [str(path), KINDS[name], bytearray(KINDS[name]), memoryview(KINDS[name]), upload, file, Image.open(path)]
        for way in ways:
            assert np.array_equal(np.asarray(load_image(way)), expected), type(way)
    assert np.array_equal(np.asarray(load_image(expected)), expected), "an array"
    assert np.array_equal(np.asarray(load_image(load_image(path))), expected), "what was read before"
    assert np.array_equal(np.asarray(load_image(Image.open(io.BytesIO(KINDS[name])))), expected)


def test_arrays_with_and_without_colours():
    grey = np.array([[0, 200], [100, 255]], dtype=np.uint8)
    assert [value for value, *_ in corners(load_image(grey))] == [0, 200, 100, 255]
    assert load_image(grey[..., None]).tobytes() == load_image(grey).tobytes()
    assert corners(load_image(grey > 150)) == [(0, 0, 0), (255, 255, 255), (0, 0, 0), (255, 255, 255)]
    clear = np.dstack([grey, grey, grey, np.array([[0, 255], [255, 255]], dtype=np.uint8)])
    assert corners(load_image(clear))[:2] == [(255, 255, 255), (200, 200, 200)]


CLOSED = io.BytesIO()
CLOSED.close()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            np.zeros((4, 4, 3), dtype=np.float32),
            "it has values of float32); give an array of uint8, where 255 is white",
        ),
        (np.zeros((3, 8, 8), dtype=np.uint8), "it has the shape (3, 8, 8)); give an array of (height, width, 3)"),
        (np.zeros((0, 8, 3), dtype=np.uint8), "it has the shape (0, 8, 3))"),
        (torch.zeros(3, 8, 8), "it is of the type Tensor); give a path, a file, bytes, a PIL image or a NumPy array"),
        (None, "it is of the type NoneType)"),
        (io.StringIO("text"), "it is a file opened as text); open it with the mode 'rb'"),
        (CLOSED, "it is damaged (I/O operation on closed file.)"),
        (b"", "it holds no image); replace it"),
        ({"name": "x.png"}, "it is of the type dict)"),
        (Image.new("RGB", (0, 8)), "it has no pixels)"),
    ],
)
def test_what_is_no_picture_is_one_line(source, said):
    with pytest.raises(LessonError) as error:
        load_image(source)
    assert line(error).startswith("The image cannot be read (it ") and said in line(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(128) + b"DICM" + bytes(50), "it is DICOM, which is not read); export it as PNG or JPEG."),
        (b"8BPS\0\1" + bytes(60), "it is "),
        (b"\xff\x0a" + bytes(60), "it is JPEG XL, which is not read); export it"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(60), "it is camera raw, which is not read); export it"),
        (KINDS["avif.avif"][:200], "it is "),
        (b"<html>", "it holds no image); replace it or take it out."),
    ],
)
def test_formats_that_are_not_read_are_called_by_their_name(tmp_path, content, said):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(LessonError) as error:
        load_image(path)
    assert line(error).startswith(f"{path} cannot be read (it ") and said in line(error)


def test_a_folder_is_not_told_to_be_taken_out(tmp_path):
    with pytest.raises(LessonError, match="it is a folder\\); give an image in it"):
        load_image(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.org/a.jpg", "it is an address on the web); download it first"),
        ("x" * 5000, "it cannot be opened: File name too long); check its name"),
        ("a\0b", "null"),
    ],
)
def test_names_of_no_file_are_one_line(name, said):
    with pytest.raises(LessonError) as error:
        load_image(name)
    assert said in line(error)


def test_formats_by_their_content(tmp_path):
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"):
        assert sniff(stored(noise(0), kind)[:132]).upper() == kind
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf") == "HEIC"
    assert sniff(b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf") == "AVIF"
    assert sniff(b"BM is how this text begins") is None and sniff(b"\0\0\0\x18ftypmp42" + bytes(20)) is None
    (tmp_path / "a.NEF").write_bytes(b"II*\0" + bytes(200))
    assert sniff_file(tmp_path / "a.NEF") == "camera raw"


# `quarters((32, 16))` as a telephone would save it: Pillow and pi-heif only read this format.
HEIC = base64.b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0004eZDn*}000000000XXk=`10000000000aA{+700000000000000000000B57=I"
    "V*mgE07O6l0RRC200001pa1~?00000004sk001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn01j|zbZr0t000010002|"
    "X>f9I0002oX>en20001WXm(>m0RwOV0058x000009`FGC{rLC*01pFT0096PKmiN^|NjGU00093kN^M!000939=ZZRVE_RDDMA4O"
    "18@KU0|1Z!00RI30{|YNAb|yz>aLpR;31&EfB*mtfB*mk0EA)y0RRR>0l{;?i2wiq6Ju{|a&BX6cmM$a4FCp!0000KX>)L800000"
    "0000$0000$0000eV{Bn?0000W000010000G00001|NsBs00002|NsBc000020000GaA|mH000000|*ER0000OX>e^}0000000001"
    "009Mo0s{qv0001sZDe6|0001gC;_h%faNka|ACY5T>A2CDxZN6wc%e{&3KX4|0SEVZ^zThIZk!sZY|Tc7*8a$Zg3Upk1|u}x?#V|"
    "I4f;rI64W!ggvb$CWX|+m?HW@0J*x&A@hWAtVHC-MX$>QWh&CVE4eBp2S_rQTYXVe_|V~_D=%L0%fVe<pb?M"
)


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "renamed.jpg"])
def test_heic_is_read_like_any_other(tmp_path, name):
    pytest.importorskip("pi_heif")
    (tmp_path / name).write_bytes(HEIC)
    seen = load_image(tmp_path / name)
    assert seen.size == (32, 16)
    assert np.abs(np.subtract(corners(seen), [RED, GREEN, BLUE, GREY])).max() < 10
    (tmp_path / name).write_bytes(HEIC[:400])
    with pytest.raises(LessonError, match="is HEIC, and damaged"):
        load_image(tmp_path / name)


def test_heic_without_its_library_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(LessonError, match="it is HEIC, which needs pi-heif\\); run `pip install pi-heif`"):
        load_image(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(500))


# --- 16 bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "array"])
def test_the_bits_in_use_reach_from_black_to_white(bits, kind):
    numbers = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    decoded = decode_image(numbers if kind == "array" else stored(Image.fromarray(numbers), kind))
    grey = np.asarray(decoded.image)[..., 0]
    assert decoded.bits == bits
    assert (grey.min(), grey.max()) == (0, 255) and np.array_equal(grey, numbers >> (bits - 8))


def test_colours_of_twelve_bits_keep_their_steps():
    numbers = np.random.default_rng(0).integers(0, 4096, (32, 32, 3))
    decoded = decode_image(png_of_16_bits(numbers))
    assert decoded.bits == 12 and np.array_equal(np.asarray(decoded.image), numbers >> 4)
    whole = decode_image(png_of_16_bits(numbers * 16))
    assert whole.bits == 16 and np.array_equal(np.asarray(whole.image), numbers >> 4)
    opaque = np.concatenate([numbers, np.full((32, 32, 1), 65535)], 2)
    for source in (png_of_16_bits(opaque), opaque.astype(np.uint16)):
        decoded = decode_image(source)
        assert decoded.bits == 12 and np.array_equal(np.asarray(decoded.image), numbers >> 4)


def test_only_what_is_said_to_be_read_is_decoded(monkeypatch):
    """Each of Pillow's other decoders is a door for an upload; that of EPS starts another program."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("it was started"))
    for kind, reason in (("EPS", "holds no image"), ("PCX", "holds no image"), ("JPEG2000", "JPEG 2000, which is not")):
        with pytest.raises(LessonError, match=reason):
            load_image(stored(noise(1), kind))


# --- Size and speed


def test_too_many_pixels_are_refused_without_decoding_them(tmp_path):
    side = int(MAX_PIXELS**0.5) + 1
    for width, height in ((side, side), (30_000, 30_000)):
        content = bytearray(stored(Image.new("1", (8, 8)), "PNG"))
        content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        (tmp_path / "large.png").write_bytes(content)
        with pytest.raises(LessonError, match=r"it has \d+ megapixels, too large: 179 are read\); scale it down"):
            load_image(tmp_path / "large.png")


def test_a_large_picture_is_read_in_silence(tmp_path):
    Image.new("1", (11_000, 9_000)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(tmp_path / "a.png").size == (11_000, 9_000)


@pytest.mark.parametrize("min_side", [0, 128])
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG"])
def test_the_size_is_upright(kind, min_side):
    """Also where the date is no date."""
    exif = turned()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "0000:00:00 00:00:00"
    decoded = decode_image(stored(noise(1, (600, 400)), kind, exif=exif), min_side)
    assert (decoded.width, decoded.height) == (400, 600)


def test_a_photograph_can_be_decoded_at_the_size_that_is_needed(tmp_path):
    noise(1, (1200, 800)).save(tmp_path / "a.jpg", exif=turned(), quality=95)
    small = decode_image(tmp_path / "a.jpg", min_side=128)
    assert (small.width, small.height) == (800, 1200) == load_image(tmp_path / "a.jpg").size
    assert small.image.size == (200, 300) == (800 // 4, 1200 // 4)
    whole = load_image(tmp_path / "a.jpg").resize((200, 300), Image.Resampling.BOX)
    assert np.abs(np.asarray(small.image).astype(int) - np.asarray(whole)).mean() < 3
    assert decode_image(tmp_path / "a.jpg", min_side=2000).image.size == (800, 1200)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(LessonError, match="is damaged"):
        decode_image(tmp_path / "cut.jpg", min_side=128)


def test_the_time_of_a_photograph(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:01 12:30:59"
    noise(1).save(tmp_path / "a.jpg", exif=exif)
    assert decode_image(tmp_path / "a.jpg").taken == datetime(2024, 5, 1, 12, 30, 59)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "0000:00:00 00:00:00"
    noise(1).save(tmp_path / "b.jpg", exif=exif)
    assert decode_image(tmp_path / "b.jpg").taken is None


# --- Workers


@pytest.mark.parametrize("kind", ["cut", "folder"])
def test_an_error_in_a_worker_is_one_line(tmp_path, kind):
    path = fill(tmp_path / "a", "0.png") / "0.png"
    if kind == "cut":
        path.write_bytes(min((INSECTS / "val" / "ants").iterdir()).read_bytes()[:2000])
    else:
        path.unlink()
        path.mkdir()
    dataset = SampleDataset([(str(path), 0)], ["a"], eval_transform(Preprocessing(16)))
    with pytest.raises(LessonError) as error:
        list(DataLoader(dataset, num_workers=1))
    assert line(error).startswith(f"{path} cannot be read (it ")
    with pytest.raises(LessonError) as alone:
        dataset[0]
    assert line(error) == line(alone)
