"""One image, from a file, an upload or an array, as it is meant to be seen (lesson 01)."""

import io
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from helpers.errors import LessonError, is_lfs_pointer

TORCHVISION = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # importing it takes torch
ENDINGS = (*TORCHVISION, ".jfif", ".jpe", ".heic", ".heif", ".hif", ".avif")
FORMATS = {"JPEG", "PNG", "WebP", "BMP", "TIFF", "HEIC", "AVIF"}  # that are read, whatever a file's name ends in
OPENED = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "PPM", "GIF")  # by Pillow: EPS would start Ghostscript
RAW_ENDINGS = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw")
SNIFFED = 132  # bytes; DICOM's mark comes last
MAX_PIXELS = 178_956_970  # where Pillow suspects a decompression bomb: half a gigabyte in RGB
PngImagePlugin.MAX_TEXT_CHUNK = 2**24  # bytes; Pillow's own megabyte is too little for what some programs note
BIT_DEPTHS = (8, 10, 12, 14, 16)  # of sensors and scanners, in a file of 16 bits

ImageSource = str | Path | BinaryIO | bytes | Mapping[str, Any] | Image.Image | np.ndarray
Opened = Path | io.BytesIO | Image.Image  # what Pillow takes


class UnreadableImage(LessonError):
    """An image cannot be read.

    Attributes:
        reason: what is wrong, to be read after the image's name.
        remedy: what to do about it.
    """

    def __init__(self, message: str, reason: str = "", remedy: str = ""):
        super().__init__(message)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class DecodedImage:
    """An image and what its file says of it.

    Attributes:
        image: upright, RGB.
        width, height: of the file, in pixels, upright; larger than `image` if it was decoded at a smaller scale.
        bits: that the values of a file of 16 bits make use of, one of `BIT_DEPTHS`; 0 for files of 8 bits.
        taken: when the photograph was taken, by its EXIF data.
    """

    image: Image.Image
    width: int
    height: int
    bits: int
    taken: datetime | None


def load_image(source: ImageSource) -> Image.Image:
    """The image as it is meant to be seen: upright by its EXIF tag, RGB, transparency over white.

    Of a file of 16 bits, the largest value decides how many bits are in use: 8, 10, 12, 14 or 16. The largest value of
    so many bits becomes white. This depends on nothing but the image, so training and prediction see the same.

    Args:
        source: a path, an open file, the bytes of one, an upload of ipywidgets, a PIL image, or an array of uint8 or
            uint16 of the shape (height, width), (height, width, 3) in the order RGB, or (height, width, 4) with alpha.

    Raises:
        UnreadableImage: it is no image, damaged, too large, or nobody knows which of its numbers is white.
    """
    return decode_image(source).image


def decode_image(source: ImageSource, min_side: int = 0) -> DecodedImage:
    """`load_image`, with what the file says of the image.

    Args:
        source: as `load_image` takes it.
        min_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, several times faster, if both sides keep this
            many pixels; 0 decodes it whole.
    """
    name = source if isinstance(source, (str, Path)) else "The image"  # what is uploaded has none that counts
    try:
        if isinstance(source, np.ndarray):
            decoded, width, height, bits, taken = *_from_array(source), 0, None
        else:
            decoded, width, height, bits, taken = _decode(source, min_side)
        image, grey_bits = _to_rgb(decoded)
    except UnreadableImage as error:
        message = f"{name} cannot be read (it {error.reason}); {error.remedy}."
        raise UnreadableImage(message, error.reason, error.remedy) from error.__cause__
    return DecodedImage(image, width, height, bits or grey_bits, taken)


def sniff(head: bytes) -> str | None:
    """The name of an image format, by the first `SNIFFED` bytes of a file; None where it is none that is known."""
    marks = {
        b"\xff\xd8\xff": "JPEG",
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"GIF8": "GIF",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",
        b"8BPS": "Photoshop",
        b"\xff\x4f\xff\x51": "JPEG 2000",
        b"\0\0\0\x0cjP  ": "JPEG 2000",
        b"\xff\x0a": "JPEG XL",
        b"\0\0\0\x0cJXL ": "JPEG XL",
        b"v/1\x01": "OpenEXR",
        b"FUJIFILMCCD-RAW": "camera raw",
        b"IIU\0": "camera raw",
        b"IIRO": "camera raw",
    }
    for mark, name in marks.items():
        if head.startswith(mark):
            return name
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "BMP"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "HEIC"
        if b"crx " in brands:
            return "camera raw"
    return None


def sniff_file(path: Path) -> str | None:
    """The format of a file that looks like an image, by its content; None for others and for what cannot be opened."""
    try:
        with path.open("rb") as file:
            found = sniff(file.read(SNIFFED))
    except (OSError, ValueError):
        return None
    return "camera raw" if found == "TIFF" and path.suffix.lower() in RAW_ENDINGS else found


def _from_array(array: np.ndarray) -> tuple[Image.Image | np.ndarray, int, int]:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise UnreadableImage("", f"has the shape {array.shape}", "give an array of (height, width, 3) in RGB")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype not in (np.uint8, np.uint16):
        raise UnreadableImage("", f"has values of {array.dtype}", "give an array of uint8, where 255 is white")
    decoded = Image.fromarray(np.ascontiguousarray(array)) if array.dtype == np.uint8 else array
    return decoded, array.shape[1], array.shape[0]


def _decode(source: ImageSource, min_side: int) -> tuple[Image.Image, int, int, int, datetime | None]:
    """The upright image in its own mode, its size before it was scaled, the bits of colours of 16 bits, its date."""
    opened: Opened | None = None
    try:
        opened = _openable(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # there is a limit below
            file = opened if isinstance(opened, Image.Image) else _open(opened)
        if not file.width * file.height:
            raise UnreadableImage("", "has no pixels", "replace it or take it out")
        if file.width * file.height > MAX_PIXELS:
            raise _too_large(file.width * file.height)
        size = file.size
        wide = file.mode in ("RGB", "RGBA") and any(";16" in str(tile) for tile in getattr(file, "tile", ()))
        if min_side and file.format in ("JPEG", "MPO"):
            file.draft(None, (min_side, min_side))
        scaled = file.size != size
        try:
            low = _low_bytes(file) if wide else 0
            taken, turned = _exif(file)
            file.load()
            image, bits = _lower_bits(file, low) if wide else (file, 0)
            image = ImageOps.exif_transpose(image)
        finally:
            if isinstance(opened, Path):  # bytes are looked at once more, should they be damaged
                file.close()
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(int(str(error).partition("(")[2].partition(" ")[0] or 0)) from error
    except UnidentifiedImageError as error:
        raise _unidentified(opened) from error
    except FileNotFoundError as error:
        raise UnreadableImage("", "is not there", "check its name") from error
    except PermissionError as error:
        raise UnreadableImage("", "may not be read by you", "change its permissions") from error
    except OSError as error:
        if error.errno is None:
            raise _damaged(opened, error) from error
        raise UnreadableImage("", f"cannot be opened: {error.strerror}", "check its name and its disk") from error
    except Exception as error:  # each of Pillow's decoders fails in its own way
        raise _damaged(opened, error) from error
    if not scaled:  # TIFF's size is upright before it is turned
        size, turned = image.size, False
    return image, *(size[::-1] if turned else size), bits, taken


def _openable(source: ImageSource) -> Opened:
    """What Pillow opens: a path, a file or an image."""
    if isinstance(source, Mapping):  # an upload of ipywidgets
        source = source.get("content", source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, (str, Path)):
        if str(source).startswith(("http://", "https://")):
            raise UnreadableImage("", "is an address on the web", "download it first")
        path = Path(source).expanduser()
        if path.is_dir():
            raise UnreadableImage("", "is a folder", "give an image in it")
        if path.is_file() and path.stat().st_size == 0:
            raise UnreadableImage("", "is empty", "replace it or take it out")
        return path
    if isinstance(source, Image.Image):
        return source
    if hasattr(source, "read"):
        content = source.read()
        if not content and hasattr(source, "seek"):  # it was written to, or read, just before
            source.seek(0)
            content = source.read()
        if isinstance(content, bytes):
            return io.BytesIO(content)
        raise UnreadableImage("", "is a file opened as text", "open it with the mode 'rb'")
    raise UnreadableImage(
        "", f"is of the type {type(source).__name__}", "give a path, a file, bytes, a PIL image or a NumPy array"
    )


def _open(source: Path | io.BytesIO) -> Image.Image:
    try:
        return Image.open(source, formats=OPENED)
    except UnidentifiedImageError:
        if _format(source) != "HEIC":
            raise
        try:  # only now: most folders have none
            import pi_heif
        except ImportError:
            raise UnreadableImage("", "is HEIC, which needs pi-heif", "run `pip install pi-heif`") from None
        pi_heif.register_heif_opener()
        return Image.open(source, formats=("HEIF",))


def _format(source: Opened | None) -> str | None:
    if isinstance(source, Path):
        return sniff_file(source)
    if isinstance(source, Image.Image):
        return source.format
    return sniff(source.getvalue()[:SNIFFED]) if source else None


def _unidentified(source: Opened | None) -> UnreadableImage:
    kind = _format(source)
    if kind == "TIFF":
        return UnreadableImage("", "is a TIFF of more bands than colours, or damaged", "save its colours as PNG")
    if isinstance(source, Path) and is_lfs_pointer(source):
        return UnreadableImage("", "is a note of Git LFS in place of the image", "run `git lfs pull` to fetch it")
    if kind is None:
        return UnreadableImage("", "holds no image", "replace it or take it out")
    if kind in FORMATS:
        return UnreadableImage("", f"is {kind}, and damaged", "replace it or take it out")
    return UnreadableImage("", f"is {kind}, which is not read", "export it as PNG or JPEG")


def _damaged(source: Opened | None, error: Exception) -> UnreadableImage:
    if isinstance(source, Image.Image) and getattr(source, "fp", None) is None:
        return UnreadableImage("", "was closed before it was read", "give it within its `with`, or give its path")
    kind = "HEIC, and damaged" if _format(source) == "HEIC" else "damaged"
    return UnreadableImage("", f"is {kind} ({' '.join(str(error).split())})", "replace it or take it out")


def _too_large(pixels: int) -> UnreadableImage:
    reason = f"has {pixels / 1e6:.0f} megapixels, too large: {MAX_PIXELS / 1e6:.0f} are read"
    return UnreadableImage("", reason, "scale it down")


def _exif(file: Image.Image) -> tuple[datetime | None, bool]:
    """When a photograph was taken, and whether its width and height are to be exchanged."""
    taken: datetime | None = None
    turned = False
    with suppress(Exception):  # a broken EXIF block hides no image, and a broken date no orientation
        exif = file.getexif()
        turned = exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        text = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or "").strip("\0 ")
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S") if text else None
    return taken, turned


def _to_rgb(image: Image.Image | np.ndarray) -> tuple[Image.Image, int]:
    """RGB of 8 bits, and how many bits of 16 are in use (0: it has 8)."""
    bits = 0
    if isinstance(image, np.ndarray) or image.mode.startswith(("I", "F")):
        numbers = np.asarray(image)
        if numbers.dtype.kind == "f" or numbers.min() < 0 or numbers.max() > 65535:
            raise UnreadableImage("", "does not say which number is white", "save it with 8 or 16 bits")
        image, bits = _to_eight_bits(numbers)
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB"), bits
    except ValueError as error:
        raise UnreadableImage("", f"has colours of the kind {image.mode}", "save it in RGB") from error


def _to_eight_bits(numbers: np.ndarray) -> tuple[Image.Image, int]:
    """Values of 16 bits, of which the largest decides how many bits are in use. A plain conversion would clip."""
    bits = _bits_in_use(numbers[..., :3] if numbers.ndim == 3 else numbers)
    eight = numbers >> (bits - 8)
    if numbers.ndim == 3 and numbers.shape[2] == 4:  # opaque is 65535, however few bits the colours use
        eight[..., 3] = numbers[..., 3] >> (_bits_in_use(numbers) - 8)
    return Image.fromarray(eight.astype(np.uint8)), bits


def _bits_in_use(numbers: np.ndarray) -> int:
    return next(bits for bits in BIT_DEPTHS if numbers.max() < 2**bits)


def _lower_bits(file: Image.Image, low: np.ndarray | int) -> tuple[Image.Image, int]:
    """Colours of 16 bits, of which Pillow keeps the upper 8. Where those are nearly empty, the image is below."""
    high = np.asarray(file).astype(np.uint16)
    if high[..., :3].max() >= 2**6:
        return file, 16
    image, bits = _to_eight_bits((high << 8) | low)
    image.getexif()[ExifTags.Base.Orientation] = file.getexif().get(ExifTags.Base.Orientation, 1)
    return image, bits


def _low_bytes(file: Image.Image) -> np.ndarray | int:
    """The lower 8 of 16 bits of a file: read with the other byte order, they are where Pillow looks for the upper."""
    stream: Any = getattr(file, "fp", None)  # what Pillow opened has one
    place = stream.tell()
    stream.seek(0)
    content = stream.read()
    stream.seek(place)
    try:
        with Image.open(io.BytesIO(content)) as other:
            other.tile = [tile._replace(args=_swapped(tile.args)) for tile in other.tile]
            return np.asarray(other)
    except (ValueError, KeyError):  # no such order, as for grey with transparency: the upper bits have to do
        return 0


def _swapped(args: Any) -> Any:
    if not isinstance(args, str):
        return (_swapped(args[0]), *args[1:])
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    return args[:-1] + other[args[-1]]
