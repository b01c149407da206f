"""Runs notebooks from a fresh kernel and stores their outputs in the one form that is committed.

    python -m tools.refresh_notebooks          all of them
    python -m tools.refresh_notebooks 00 03    the lessons whose names begin so

A second run of an unchanged notebook changes nothing: where an output differs only in what the tests mask
(a duration, a progress bar), the stored one is kept. A notebook that fails is left as it was.
"""

import argparse
import io
import re
import struct
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns
from PIL import Image

from tools import environment
from tools.notebook_hygiene import (
    CELL_METADATA,
    METADATA,
    OUTPUT_RULES,
    POSITION_ID,
    RANDOM_ID,
    WIDGET,
    Lesson,
    position_id,
    set_alt_text,
    widgets_fall_back,
)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Refused(Exception):
    """A notebook that must not be stored; the message says why."""


def png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file: the type, and the bytes with length and checksum."""
    start = len(PNG_SIGNATURE)
    while start < len(png):
        (length,) = struct.unpack_from(">I", png, start)
        end = start + length + 12  # the length, the type and the checksum take four bytes each
        yield png[start + 4 : start + 8], png[start:end]
        start = end


def in_palette(png: bytes) -> bytes:
    """The PNG in the 256 colours that suit it best, where that makes it smaller; transparent ones stay."""
    image = Image.open(io.BytesIO(png))
    if image.mode == "P" or image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        return png
    smaller = io.BytesIO()
    # Median cut keeps white white; k-means brings the other colours closer.
    palette = image.convert("RGB").quantize(method=Image.Quantize.MEDIANCUT, kmeans=1)
    palette.save(smaller, "PNG", optimize=True)
    return min(png, smaller.getvalue(), key=len)


def bare(png: bytes) -> bytes:
    """The PNG without its text and times."""
    # The chunks that make the picture begin with an upper-case letter; transparency is the exception.
    kept = [chunk for kind, chunk in png_chunks(png) if kind[:1].isupper() or kind == b"tRNS"]
    return PNG_SIGNATURE + b"".join(kept)


def small_png(encoded: str) -> str:
    """A base64 PNG as it is stored."""
    return b64encode(bare(in_palette(b64decode(encoded)))).decode()


def small_jpeg(encoded: str) -> str:
    """A base64 PNG as JPEG, with fewer pixels, as photographs need; empty where it is transparent."""
    image = Image.open(io.BytesIO(b64decode(encoded))).convert("RGBA")
    if image.getchannel("A").getextrema()[0] < 255:
        return ""
    jpeg = io.BytesIO()
    smaller = image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)
    smaller.save(jpeg, "JPEG", quality=80, optimize=True)
    return b64encode(jpeg.getvalue()).decode()


def store_small(output: NotebookNode) -> None:
    """Keeps the picture of an output as PNG, or as JPEG where that takes much less: photographs."""
    png = output.data.pop("image/png")
    small, jpeg = small_png(png), small_jpeg(png)
    mime = "image/jpeg" if jpeg and len(jpeg) < 0.8 * len(small) else "image/png"
    output.data[mime] = jpeg if mime == "image/jpeg" else small
    if size := output.get("metadata", {}).pop("image/png", None):
        output.metadata[mime] = size


def sanitize(text: str) -> str:
    """The text as nbval compares it."""
    for regex, replacement in get_sanitize_patterns(environment.SANITIZER.read_text()):
        text = re.sub(regex, replacement, text)
    return text


def compared(output: NotebookNode) -> NotebookNode:
    """An output with what the tests mask, masked."""
    masked = nbformat.from_dict(output)
    if "text" in masked:
        masked.text = sanitize(masked.text)
    for mime, value in masked.get("data", {}).items():
        if isinstance(value, str) and mime.startswith("text/"):
            masked.data[mime] = sanitize(value)
    return masked


def number_cells(notebook: NotebookNode) -> None:
    """Gives each cell without an authored id its position as id."""
    for position, cell in enumerate(notebook.cells, start=1):
        if RANDOM_ID.fullmatch(cell.id) or POSITION_ID.fullmatch(cell.id):
            cell.id = position_id(position)


def normalise(notebook: NotebookNode) -> None:
    """Takes out of an executed notebook whatever the next run would not repeat."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET, None)  # its model lives in the kernel that has just ended
            if "image/png" in data:
                store_small(output)
            if output.output_type == "error":  # the traceback names paths of this machine
                output.traceback = [f"{output.ename}: {output.evalue}"]
        set_alt_text(cell)


def keep_equal_outputs(notebook: NotebookNode, stored: NotebookNode) -> None:
    """Gives a cell its stored outputs back where the tests could not tell them from the new ones."""
    code = [[cell for cell in version.cells if cell.cell_type == "code"] for version in (notebook, stored)]
    for new, old in zip(*code, strict=True):
        if [compared(output) for output in new.outputs] == [compared(output) for output in old.outputs]:
            new.outputs = old.outputs


def execute(path: Path) -> NotebookNode:
    """The notebook, run from top to bottom in a fresh kernel that stands in its folder."""
    notebook = Lesson.read(path).notebook
    number_cells(notebook)  # first, so that messages name the cells as they will be
    client = NotebookClient(
        notebook,
        timeout=environment.CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    last = []
    client.on_cell_execute = lambda cell, cell_index: last.append(cell.id)
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the notebook holds what its cells print to stderr
    except (CellControlSignal, DeadKernelError) as error:
        reason = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else str(error).splitlines()[0]
        raise Refused(f"{path.name}, {last[-1]}: {reason}") from None
    return notebook


def for_lessons(work: Callable[[Path], str], names: list[str] | None = None) -> int:
    """Does something with each lesson, or with those whose names begin with one of `names`, and prints what it returns.

    Returns:
        The exit status of a command: 1 if a lesson was refused; the others are done all the same.

    Raises:
        SystemExit: no lesson's name begins so.
    """
    paths = sorted(p for p in environment.NOTEBOOKS.glob("*.ipynb") if p.name.startswith(tuple(names or [""])))
    if not paths:
        sys.exit(f"no notebook's name begins with {' or '.join(names)}")
    environment.enter()
    failed = False
    for path in paths:
        try:
            print(work(path), flush=True)
        except Refused as refusal:
            failed = True
            print(refusal, file=sys.stderr, flush=True)
    return int(failed)


def refresh(path: Path) -> bool:
    """Runs one notebook and stores its outputs.

    Returns:
        Whether the file changed.

    Raises:
        Refused: a cell failed, or shows what must not be committed. The file is as it was.
    """
    stored = path.read_text(encoding="utf-8")
    notebook = execute(path)
    breaches = list(widgets_fall_back(Lesson(path, notebook)))  # asked now: the widgets are taken out next
    normalise(notebook)
    keep_equal_outputs(notebook, nbformat.reads(stored, as_version=4))
    breaches += [breach for rule in OUTPUT_RULES for breach in rule(Lesson(path, notebook))]
    if breaches:
        raise Refused("\n".join(breaches))

    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise Refused(f"{path.name}: {error.message}") from None
    text = nbformat.writes(notebook) + "\n"
    if text == stored:
        return False
    if path.read_text(encoding="utf-8") != stored:
        raise Refused(f"{path.name}: was edited while it ran; run it again")
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Run notebooks anew and store their outputs.")
    parser.add_argument("names", nargs="*", help="how a lesson's name begins; all without one")
    names = parser.parse_args().names
    return for_lessons(lambda path: f"{path.name}: {'stored' if refresh(path) else 'unchanged'}", names)


if __name__ == "__main__":
    sys.exit(main())
