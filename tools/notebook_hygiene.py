"""The rules that every committed notebook keeps; most close a hole through which nbval lets errors pass.

A rule takes a lesson and yields one line for each breach, naming the cell.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median

import nbformat
from nbformat import NotebookNode

MAX_BYTES = 1_500_000
MAX_LINE = 100
MAX_MEDIAN_CELL = 8
MAX_LIX = 35  # easy for whoever reads English as a second language

# A tag takes a cell out of the comparison, or is read by the exercises; a misspelt one does nothing.
TAGS = {
    "nbval-ignore-output": 2,  # what differs from machine to machine, as the check of the set-up does
    "raises-exception": 6,  # a common mistake, shown happening; nbval compares its message
    r"exercise-q\d+": 20,  # an answer cell: the tests put solutions and wrong answers into it
}

WIDGET = "application/vnd.jupyter.widget-view+json"
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")  # as editors make them
POSITION_ID = re.compile(r"cell-\d+")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = {"tags", "jupyter", "mystnb"}
ALT_TEXT = re.compile(r"^# Alt text: (.*(?:\n#.*)*)", re.MULTILINE)
ALT_LENGTHS = range(40, 401)  # characters: enough to say what is seen, little enough to be listened to

ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|tmp|private|var|usr|opt|mnt|srv|work|workspaces?|content)/[\w.-]+"
    r"|\b[A-Za-z]:\\\w"
)
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
EMBEDDED_DATA = re.compile(r"base64,[A-Za-z0-9+/=\s]+")
IMAGE_WITHOUT_ALT = re.compile(r"!\[\s*\]\(|<img\b(?![^>]*\balt=\"[^\"]+\")")
PROGRESS = re.compile(r"\d+%\|.*\|")
VERDICT = re.compile(r"^(?!On this machine: ).*: (True|False)$", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """A notebook and where it lies."""

    path: Path
    notebook: NotebookNode

    @classmethod
    def read(cls, path: Path) -> "Lesson":
        return cls(path, nbformat.v4.upgrade(nbformat.read(path, as_version=4)))

    @cached_property
    def code(self) -> list[tuple[str, NotebookNode]]:
        """Every code cell, with the words that name it in a message."""
        return [(name, cell) for name, cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def cells(self) -> list[tuple[str, NotebookNode]]:
        """Every cell, with the words that name it in a message."""
        return [(f"{self.path.name}, {cell.id}", cell) for cell in self.notebook.cells]

    @cached_property
    def prose(self) -> list[str]:
        """The markdown cells, without their code blocks."""
        return [without_code(cell.source) for _, cell in self.cells if cell.cell_type == "markdown"]


def without_code(markdown: str) -> str:
    """Markdown without its blocks of code, quoted ones too."""
    return re.sub(r"^(?:> )?( *)```.*?^(?:> )?\1```", "", markdown, flags=re.MULTILINE | re.DOTALL)


def tags_of(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def texts_of(output: NotebookNode) -> list[str]:
    """What an output says in words: its stream, its error, or its text, HTML and LaTeX."""
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return [output.evalue, *output.traceback]
    return [EMBEDDED_DATA.sub("", text) for mime, text in output.data.items() if mime.startswith("text/")]


def images_of(output: NotebookNode) -> list[str]:
    """The MIME types of the pictures in an output."""
    return [mime for mime in output.get("data", {}) if mime.startswith("image/")]


def alt_text(cell: NotebookNode) -> str:
    """What a screen reader says in place of a cell's figure; empty where there is no figure, or nothing to say.

    It stands in the cell, in a comment `# Alt text: ...`, as long as need be. A widget brings its own: the sentence
    that stands in for it.
    """
    figures = [output for output in cell.get("outputs", []) if images_of(output)]
    if not figures:
        return ""
    if found := ALT_TEXT.search(cell.source):
        return " ".join(found[1].replace("\n#", " ").split())
    own = figures[0].data.get("text/plain", "")
    return "" if own.startswith("<") else own


def set_alt_text(cell: NotebookNode) -> None:
    """Write the text of a cell's figure where renderers look for it: nbconvert in the output, myst-nb in the cell."""
    cell.metadata.pop("mystnb", None)
    if not (text := alt_text(cell)):
        return
    cell.metadata["mystnb"] = {"image": {"alt": text}}
    for output in cell.outputs:
        for mime in images_of(output):
            output.metadata[mime] = {**output.metadata.get(mime, {}), "alt": text}


def says(cell: NotebookNode) -> bool:
    """Whether a code cell shows words, and not just the name of an object, as in `<Figure size ...>`."""
    texts = [text for output in cell.outputs for text in texts_of(output)]
    return any(text.strip() and not re.fullmatch(r"<.*>", text.strip()) for text in texts)


def asserts(cell: NotebookNode) -> bool:
    return bool(re.search(r"^\s*assert\b", cell.source, re.MULTILINE))


# --- What nbval compares, and what would make it compare nothing


def counts_in_order(lesson: Lesson) -> Iterator[str]:
    """Without counts nbval compares nothing and passes."""
    for expected, (name, cell) in enumerate(lesson.code, start=1):
        if cell.execution_count != expected:
            yield f"{name}: execution count {cell.execution_count}, expected {expected}; run `make notebooks`"


def no_markers_in_comments(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        if re.search(r"NBVAL_|PYTEST_VALIDATE", cell.source):
            yield f"{name}: a marker in a comment; use a tag"


def known_tags(lesson: Lesson) -> Iterator[str]:
    used = Counter()
    for name, cell in lesson.cells:
        for tag in tags_of(cell):
            known = next((pattern for pattern in TAGS if re.fullmatch(pattern, tag)), None)
            if known is None:
                yield f"{name}: tag {tag!r} is unknown; known are {', '.join(TAGS)}"
            used[known] += 1
    for tag, budget in TAGS.items():
        if used[tag] > budget:
            yield f"{lesson.path.name}: tag {tag!r} is used {used[tag]} times, at most {budget} are allowed"


def no_errors(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags_of(cell):
                yield f"{name}: ends in {output.ename}"


def no_stderr(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                yield f"{name}: prints to stderr: {output.text.strip().splitlines()[0]!r}"


def no_addresses(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        for text in (text for output in cell.outputs for text in texts_of(output)):
            if found := ADDRESS.search(text):
                yield f"{name}: shows the memory address {found.group()}"


def no_absolute_paths(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.cells:
        texts = [text for output in cell.get("outputs", []) for text in texts_of(output)]
        for text in [cell.source, *texts]:
            if found := ABSOLUTE_PATH.search(text):
                yield f"{name}: names a path of one machine, {found.group()}"


def widgets_fall_back(lesson: Lesson) -> Iterator[str]:
    """A widget is dead without its kernel: a picture and a line of text must stand in for it."""
    for name, cell in lesson.code:
        for output in cell.outputs:
            data = output.get("data", {})
            bar = PROGRESS.search(data.get("text/plain", ""))
            if WIDGET in data and not bar and not {"image/png", "text/plain"} <= data.keys():
                yield f"{name}: a widget without a picture and a text that stand in for it"


def figures_are_told(lesson: Lesson) -> Iterator[str]:
    """nbval compares no pictures: words or an assert say what a figure shows, there or one code cell on."""

    def tells(cell: NotebookNode) -> bool:
        return asserts(cell) or says(cell)

    cells = [cell for _, cell in lesson.code]
    for (name, cell), after in zip(lesson.code, [*cells[1:], None], strict=True):
        shows = any(images_of(output) for output in cell.outputs)
        if shows and not tells(cell) and not (after and tells(after)):
            yield f"{name}: a figure that no text and no assert in this or the next code cell tells of"


def masked_figures_are_asserted(lesson: Lesson) -> Iterator[str]:
    """The sanitizer masks what a processor computes in its own way.

    An assert holds what the text claims, or a line that says whether it is True, which nbval compares.
    """
    for name, cell in lesson.code:
        said = [text for output in cell.outputs for text in texts_of(output)]
        shows = any("On this machine: " in text for text in said)
        if shows and not asserts(cell) and not any(VERDICT.search(text) for text in said):
            yield f"{name}: figures of this machine, which nbval does not compare, no assert, and no True or False"


def figures_have_alt_text(lesson: Lesson) -> Iterator[str]:
    """In the cell, of a useful length, and stored where renderers look for it."""
    for name, cell in lesson.code:
        if not any(images_of(output) for output in cell.outputs):
            continue
        text = alt_text(cell)
        if len(text) not in ALT_LENGTHS:
            yield (
                f"{name}: a figure with an alternative text of {len(text)} characters, expected {ALT_LENGTHS[0]} to "
                f"{ALT_LENGTHS[-1]}; say what is seen in a comment, `# Alt text: ...`"
            )
        elif cell.metadata.get("mystnb") != {"image": {"alt": text}}:
            yield f"{name}: the alternative text is not stored; run `make notebooks`"


def images_have_alt_text(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.cells:
        if cell.cell_type == "markdown" and IMAGE_WITHOUT_ALT.search(cell.source):
            yield f"{name}: a picture without alternative text"


# --- What keeps the files small and the diffs quiet


def plain_metadata(lesson: Lesson) -> Iterator[str]:
    """No widget state, no versions, no times."""
    if lesson.notebook.metadata != METADATA:
        yield f"{lesson.path.name}: metadata beside the kernel's name; run `make notebooks`"
    for name, cell in lesson.cells:
        if extra := cell.metadata.keys() - CELL_METADATA:
            yield f"{name}: metadata {', '.join(sorted(extra))}; run `make notebooks`"


def stable_ids(lesson: Lesson) -> Iterator[str]:
    """An id is authored, or the cell's position."""
    for position, (name, cell) in enumerate(lesson.cells, start=1):
        if RANDOM_ID.fullmatch(cell.id):
            yield f"{name}: a random id; run `make notebooks`"
        if POSITION_ID.fullmatch(cell.id) and cell.id != position_id(position):
            yield f"{name}: stands at position {position}; run `make notebooks`"


def position_id(position: int) -> str:
    return f"cell-{position:02d}"


def small_file(lesson: Lesson) -> Iterator[str]:
    size = len(nbformat.writes(lesson.notebook).encode())
    if size > MAX_BYTES:
        yield f"{lesson.path.name}: {size:,} bytes, at most {MAX_BYTES:,}; show smaller figures"


# --- How a lesson reads


def named_by_number(lesson: Lesson) -> Iterator[str]:
    if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", lesson.path.name):
        yield f"{lesson.path.name}: the name of a lesson is NN_topic.ipynb"


def rhythm(lesson: Lesson) -> Iterator[str]:
    first, last = lesson.prose[:1], lesson.prose[-1:]
    opening = "".join(lesson.prose[:3])
    if not first or not first[0].startswith("# "):
        yield f"{lesson.path.name}: the first cell is not the title"
    for word in ("You will", "Time", "Before this"):
        if f"**{word}**" not in opening:
            yield f"{lesson.path.name}: **{word}** is not in the opening"
    if not last or "**You have**" not in last[0]:
        yield f"{lesson.path.name}: **You have** is not in the last markdown cell"


def headings_in_order(lesson: Lesson) -> Iterator[str]:
    yield from heading_breaches(lesson.path.name, lesson.prose)


def heading_breaches(name: str, prose: list[str]) -> Iterator[str]:
    """One title, and no level left out: whoever listens to a page finds the way by its headings."""
    levels = [len(marks) for source in prose for marks in re.findall(r"^(#+) ", source, re.MULTILINE)]
    if levels.count(1) != 1:
        yield f"{name}: {levels.count(1)} titles, expected one"
    for before, level in pairwise(levels):
        if level > before + 1:
            yield f"{name}: a heading of level {level} directly below one of level {before}"


def easy_to_read(lesson: Lesson) -> Iterator[str]:
    """By LIX (Bjornsson, 1968): words in a sentence, plus the percentage of words with more than six letters."""
    found = lix("\n\n".join(lesson.prose))
    if found > MAX_LIX:
        yield f"{lesson.path.name}: LIX {found:.0f}, at most {MAX_LIX}; make shorter sentences"


def lix(prose: str) -> float:
    """How hard a text is to read: up to 30 very easy, 40 easy, 50 as a newspaper, 60 as a textbook."""
    prose = re.sub(r"^\s*(\||#+ ).*$", "", prose, flags=re.MULTILINE)  # tables and headings are no sentences
    prose = re.sub(r"`[^`]*`|\$[^$]+\$|\]\([^)]*\)", " it ", prose)  # a piece of code or a formula is one short word
    prose = re.sub(r"\n\s*\n|^\s*([-*>]|\d+\.) ", ". ", prose, flags=re.MULTILINE)
    sentences = [part for part in re.split(r"[.!?]+\s", prose + " ") if re.search(r"[A-Za-z]{2}", part)]
    words = re.findall(r"[A-Za-z][A-Za-z'-]*", prose)
    return len(words) / len(sentences) + 100 * sum(len(word) > 6 for word in words) / len(words)


def no_installs(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        if re.search(r"^\s*[!%]+\s*(pip|conda|mamba|uv)\b", cell.source, re.MULTILINE):
            yield f"{name}: installs something; the set-up does that"


def no_hidden_output(lesson: Lesson) -> Iterator[str]:
    """nbval understands none of these: what they hide or replace, it still compares."""
    for name, cell in lesson.code:
        if re.search(r"^(?!\s*#).*;\s*$", cell.source, re.MULTILINE):
            yield f"{name}: a line ends with a semicolon, which hides no output here"
        if found := re.search(r"clear_output|update_display|display_id", cell.source):
            yield f"{name}: {found.group()} replaces an output; assign to a widget's value"


def answers_hold_no_import(lesson: Lesson) -> Iterator[str]:
    """An answer takes the place of everything in its cell, and later cells would miss what it imported."""
    for name, cell in lesson.code:
        if any(tag.startswith("exercise-") for tag in tags_of(cell)) and re.search(
            r"^(from|import) ", cell.source, re.M
        ):
            yield f"{name}: an exercise's cell imports something; do that in a cell before"


def short_lines(lesson: Lesson) -> Iterator[str]:
    for name, cell in lesson.code:
        longest = max(map(len, cell.source.splitlines()), default=0)
        if longest > MAX_LINE:
            yield f"{name}: a line of {longest} characters, at most {MAX_LINE}"


def short_cells(lesson: Lesson) -> Iterator[str]:
    lengths = [len(cell.source.splitlines()) for _, cell in lesson.code]
    if lengths and median(lengths) > MAX_MEDIAN_CELL:
        yield f"{lesson.path.name}: the median cell has {median(lengths):g} lines, at most {MAX_MEDIAN_CELL}"


OUTPUT_RULES = (
    counts_in_order,
    no_errors,
    no_stderr,
    no_addresses,
    no_absolute_paths,
    widgets_fall_back,
    plain_metadata,
    stable_ids,
    small_file,
)
WRITING_RULES = (
    no_markers_in_comments,
    known_tags,
    figures_are_told,
    masked_figures_are_asserted,
    figures_have_alt_text,
    images_have_alt_text,
    named_by_number,
    rhythm,
    headings_in_order,
    easy_to_read,
    no_installs,
    no_hidden_output,
    answers_hold_no_import,
    short_lines,
    short_cells,
)
RULES = OUTPUT_RULES + WRITING_RULES
