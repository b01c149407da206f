"""The pages of the web edition: from what the repository holds to what Sphinx reads.

The pages keep the places that their sources have in the repository, so links between them hold as they are.
"""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from datetime import date
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import nbformat
from docutils import nodes
from latex2mathml.converter import convert
from nbformat import NotebookNode, v4
from sphinx.addnodes import pending_xref

from helpers.exercises import Exercise
from tools.environment import NOTEBOOKS, ROOT
from tools.exercise_cells import exercise_of, exercises_of
from tools.glossary import TERMS, Definition, definitions
from tools.links import repository, website
from tools.notebook_hygiene import WIDGET, Lesson, alt_text, images_of, texts_of

SITE = ROOT / "site"
DOCUMENTS = ("*.md", "benchmarks/*.md", "data/*.md", "data/weights/*.md", "docs/*.md", "docs/*/*.md")
EXPLORERS = ROOT / "build" / "explorers"  # where `tools.explorer_states` puts the states of explorers
TITLES = {"README.md": "Install the lessons"}  # where a document's own title is that of the site
BRANCH = "main"
REPOSITORY = f"https://github.com/{repository()}"
HOME = f"https://{website(repository())}/"
DESCRIPTION = (
    "Teach a neural network to tell your own images apart: Jupyter lessons with PyTorch, and a lab in the browser."
)
NO_TERMS = (nodes.title, nodes.literal, nodes.literal_block, nodes.strong, nodes.raw, nodes.table)
NO_TERMS += (nodes.reference, pending_xref)  # a link cannot hold another one
LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def lessons() -> list[Lesson]:
    return [Lesson.read(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]


# --- What a lesson says of itself


def opening(lesson: Lesson) -> str:
    """What stands before the first section, without its title."""
    text = "\n\n".join(lesson.prose[:3])
    return re.split(r"^## ", re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE), flags=re.MULTILINE)[0]


def title_of(lesson: Lesson) -> str:
    return re.search(r"^# (.+)$", lesson.prose[0], re.MULTILINE)[1]


def objectives(lesson: Lesson) -> list[str]:
    """What the reader will do, line by line, without Markdown."""
    items = re.findall(r"^(?:> ?)?[-*] (.+(?:\n(?:> ?)?  .+)*)", opening(lesson), re.MULTILINE)
    return [plain(" ".join(item.replace("\n>", "\n").split())).rstrip(".;") for item in items]


def minutes_to_read(lesson: Lesson) -> int | None:
    """As the opening has it: the first number of minutes in it."""
    found = re.search(r"(\d+) minutes", opening(lesson))
    return int(found[1]) if found else None


@cache
def table_of_lessons() -> dict[str, tuple[str, str]]:
    """The one idea of each lesson and how long its cells run, by its file's name, as the README's table has them."""
    rows = re.findall(
        r"^\| \[[^\]]*\]\(notebooks/(\w+)\.ipynb\) \| (.+?) \| (.+?) \|",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return {stem: (idea, time) for stem, idea, time in rows}


def plain(markdown: str) -> str:
    """A line of Markdown as text."""
    return re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", markdown)


def lesson_cards() -> str:
    """The list of lessons for the first page, as Markdown."""
    cards = []
    for lesson in lessons():
        stem, read = lesson.path.stem, minutes_to_read(lesson)
        idea, time = table_of_lessons().get(stem, ("", ""))
        times = [f"{read} minutes to read"] * bool(read) + [f"cells run in {time}"] * bool(time)
        lines = [f"**[{title_of(lesson)}](notebooks/{stem}.ipynb)**", idea, f"*{'; '.join(times)}*"]
        cards.append("- " + "\\\n  ".join(filter(None, lines)))
    return "\n".join(cards)


# --- A lesson as a page


def page_of(lesson: Lesson, explorers: Path, pictures: Path) -> NotebookNode:
    """The notebook as Sphinx reads it: with links, the steps of its exercises, and explorers that move.

    Args:
        lesson: is left as it is.
        explorers: where the states of explorers are.
        pictures: where this function puts the stored pictures of explorers.
    """
    exercises = {exercise.name: exercise for exercise in exercises_of(lesson.path)}
    cells = []
    for index, cell in enumerate(lesson.notebook.cells):
        page_cell = nbformat.from_dict(cell)
        cells.append(page_cell)
        if cell.cell_type == "code":
            for output in page_cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
            if pictures_of(cell):
                page_cell.metadata["mystnb"] = {"image": picture_options(lesson, index)}
            if is_explorer(cell):
                name = explorer_name(lesson.path, lesson.notebook, cell)
                html = explorer(cell, name, explorers, pictures)
                page_cell.outputs = [v4.new_output("display_data", {"text/html": html})]
            if name := exercise_of(cell):
                cells.append(v4.new_markdown_cell(steps(exercises[name])))
        elif index == 0:
            cells.append(v4.new_markdown_cell(ways_to_run(lesson.path)))
    return v4.new_notebook(cells=cells, metadata=lesson.notebook.metadata)


def ways_to_run(path: Path) -> str:
    """Where one can run a lesson, as a line of links."""
    address, name = repository(), path.name
    links = {
        "Download the notebook": name,
        "Colab": f"https://colab.research.google.com/github/{address}/blob/{BRANCH}/notebooks/{name}",
        "Binder": f"https://mybinder.org/v2/gh/{address}/{BRANCH}?urlpath=lab/tree/notebooks/{name}",
        "Codespaces": f"https://codespaces.new/{address}",
    }
    items = [
        f'<li><a href="{escape(url)}"{" download" if url == name else ""}>{text}</a></li>'
        for text, url in links.items()
    ]
    return f'<ul class="ways-to-run" aria-label="Run this lesson">{"".join(items)}</ul>'


def steps(exercise: Exercise) -> str:
    """Hints and solution of an exercise, each inside the one before: they open in steps."""
    answer = f"```python\n{exercise.answer}\n```"
    if exercise.rubric:
        answer += "\n\nThe rest is yours to judge, a point for each:\n\n" + "\n".join(f"- {p}" for p in exercise.rubric)
    inner = folded("One solution", answer)
    for number, hint in reversed(list(enumerate(exercise.hints, start=1))):
        inner = folded(f"{exercise.name}, hint {number} of {len(exercise.hints)}", f"{hint}\n\n{inner}")
    return inner


def folded(summary: str, content: str) -> str:
    """Markdown that opens on a click."""
    return f'<details class="step">\n<summary>{escape(summary)}</summary>\n\n{content}\n\n</details>'


def is_explorer(cell: NotebookNode) -> bool:
    """Whether a code cell shows a picture with a sentence of its own, as `helpers.widgets` stores them."""
    return explorer_output(cell) is not None


def has_states(cell: NotebookNode) -> bool:
    """Whether a code cell shows an explorer whose states can be rendered: not where one uploads a file to it."""
    return is_explorer(cell) and "upload_explorer(" not in cell.source


def explorer_name(path: Path, notebook: NotebookNode, cell: NotebookNode) -> str:
    """A name for the states of an explorer; it changes with the code that leads to them."""
    code = [other.source for other in notebook.cells if other.cell_type == "code"]
    helpers = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "helpers").rglob("*.py"))]
    digest = sha256("\0".join([*code[: code.index(cell.source) + 1], *helpers]).encode()).hexdigest()
    return f"{path.stem}-{digest[:8]}"


def explorer_output(cell: NotebookNode) -> NotebookNode | None:
    for output in cell.get("outputs", []):
        words = output.get("data", {}).get("text/plain", "")
        if output.output_type == "execute_result" and images_of(output) and words[:1] != "<":
            return output
    return None


def explorer(cell: NotebookNode, name: str, explorers: Path, pictures: Path) -> str:
    """HTML of an explorer: its stored picture and sentence, and its states, where they were rendered."""
    output = explorer_output(cell)
    words, (mime, *_) = output.data["text/plain"], images_of(output)
    width = output.get("metadata", {}).get(mime, {}).get("width")
    picture = f"{name}.{mime.removeprefix('image/')}"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / picture).write_bytes(b64decode(output.data[mime]))
    folder, states = "../_static/explorers", explorers / name / "states.json"
    moving = ""
    if states.is_file():
        shutil.copytree(states.parent, pictures / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.json"))
        data = json.dumps(json.loads(states.read_text(encoding="utf-8"))).replace("</", "<\\/")
        moving = f'<script type="application/json">{data}</script>'
    return dedent(f"""\
        <figure class="explorer" data-folder="{folder}/{name}/">
        <img{f' width="{width}"' if width else ""} src="{folder}/{picture}" alt="{escape(words)}">
        <figcaption>{escape(words)}</figcaption>
        {moving}
        </figure>""")


def pictures_of(cell: NotebookNode) -> list[NotebookNode]:
    """The outputs of a code cell that are pictures."""
    return [output for output in cell.outputs if images_of(output)]


def picture_options(lesson: Lesson, index: int) -> dict[str, str]:
    """The words that stand in for the pictures of a cell, and how wide they are where they are finer than a screen."""
    first = pictures_of(lesson.notebook.cells[index])[0]
    width = first.metadata.get(images_of(first)[0], {}).get("width")
    return {"alt": words_for_picture(lesson, index)} | ({"width": f"{width}px"} if width else {})


def still_explorers() -> list[str]:
    """The names of the explorers whose states are not rendered."""
    names = [
        explorer_name(lesson.path, lesson.notebook, cell)
        for lesson in lessons()
        for _, cell in lesson.code
        if has_states(cell)
    ]
    return [name for name in names if not (EXPLORERS / name).is_dir()]


def words_for_picture(lesson: Lesson, index: int) -> str:
    """What says in words what the pictures of a cell show: its own output, or the sentence right below."""
    cells = lesson.notebook.cells
    cell = cells[index]
    if text := alt_text(cell):
        return text
    said = [text for output in cell.outputs for text in texts_of(output) if not re.match(r"\s*<", text)]
    below = cells[index + 1] if index + 1 < len(cells) else None
    if not said and below is not None:
        said = [below.source] if below.cell_type == "markdown" else [t for o in below.outputs for t in texts_of(o)]
    words = " ".join(plain(re.split(r"\n\s*\n", said[0].strip())[0]).split()) if said else ""
    words = words.replace('"', "'")
    return words if len(words) <= 250 else words[:247].rsplit(" ", 1)[0] + "…"


# --- All pages


def put_together(pages: Path, files: Path) -> None:
    """Write what Sphinx reads into `pages`, and what the site serves as it is into `files`; both are made anew."""
    for folder in (pages, files):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for page in (SITE / "pages").glob("*.md"):
        text = with_links(page).replace("<!-- lessons -->", lesson_cards())
        (pages / page.name).write_text(text, encoding="utf-8")
    (pages / "glossary.md").write_text(glossary_page(), encoding="utf-8")
    for document in documents():
        target = pages / document.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_links(document), encoding="utf-8")
    for picture in [*(ROOT / "docs").glob("*.[jp][pn]g"), *(ROOT / "benchmarks").glob("*.svg")]:
        target = pages / picture.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(picture, target)
    shutil.copy(SITE / "sw.js", files)
    (files / "_static").mkdir()
    shutil.copy(ROOT / "docs" / "insects.jpg", files / "_static" / "preview.jpg")
    for module, page in api_pages().items():
        target = pages / "api" / f"{module}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(page, encoding="utf-8")
    for lesson in lessons():
        for folder in (pages, files):
            (folder / "notebooks").mkdir(exist_ok=True)
        page = page_of(lesson, EXPLORERS, files / "_static" / "explorers")
        nbformat.write(page, pages / "notebooks" / lesson.path.name)
        shutil.copy(lesson.path, files / "notebooks")  # to be downloaded, as it is


@cache
def terms() -> dict[str, Definition]:
    """The definitions of the lessons, by their terms."""
    return {definition.term: definition for definition in definitions(lessons())}


def glossary_page() -> str:
    titles = {lesson.path.stem: title_of(lesson) for lesson in lessons()}
    entries = [
        f"## {term}\n\n{its.text}\n\n*[{titles[its.lesson]}](notebooks/{its.lesson}.ipynb)*\n"
        for term, its in sorted(terms().items(), key=lambda item: item[0].lower())
    ]
    about = "The terms of the field, each in the sentence with which a lesson introduces it, and a link to that lesson."
    return "\n".join(["# Glossary", "", about, "", *entries])


def documents() -> list[Path]:
    """The documents that are pages."""
    return sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


def with_links(document: Path) -> str:
    """A document whose links to files that are no pages lead to the repository."""
    known = {*documents(), *NOTEBOOKS.glob("*.ipynb")}

    def moved(match: re.Match) -> str:
        target, place = match[1].partition("#")[::2]
        path = (document.parent / target).resolve()
        if "://" in target or not target or path in known or path.suffix in {".jpg", ".svg"} or not path.exists():
            return match[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/{BRANCH}/{path.relative_to(ROOT).as_posix()}{'#' if place else ''}{place})"

    text = re.sub(r"\]\(([^)\s]+)\)", moved, document.read_text(encoding="utf-8"))
    title = TITLES.get(document.relative_to(ROOT).as_posix())
    return re.sub(r"\A# .*", f"# {title}", text) if title else text


def api_pages() -> dict[str, str]:
    """A page for each module of the helpers, and one that lists them with what they are for."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "helpers").rglob("*.py"))
        if "lesson_" not in path.name
    ]
    modules.remove("helpers")
    pages = {module: f"# `{module}`\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n" for module in modules}
    rows = "\n".join(f"| [`{module}`]({module}.md) | {first_line(module)} |" for module in modules)
    contents = "\n".join(modules)
    pages["index"] = dedent("""\
        # Helpers

        What the lessons import, as its docstrings describe it. What a lesson builds by hand, the next one imports from
        here.

        | module | holds |
        |---|---|
        {rows}

        ```{{toctree}}
        :hidden:

        {contents}
        ```
        """).format(rows=rows, contents=contents)
    return pages


def first_line(module: str) -> str:
    """Of a module's docstring; nothing is imported."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8").removeprefix('"""').split("\n")[0].removesuffix('"""')


# --- What Sphinx calls


def visit_math(translator: Any, node: Any) -> None:
    """A formula as MathML, which browsers show by themselves."""
    display = "block" if node.tagname == "math_block" else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def link_terms(app: Any, doctree: nodes.document) -> None:
    """Link the first use of each term in a lesson to the glossary; its definition shows under the mouse.

    Not in headings, in code, in links, nor where it stands in bold, which is where it is defined.
    """
    if not app.env.docname.startswith("notebooks/") or app.builder.name == "singlehtml":
        return  # on paper, nothing shows under the mouse
    still = dict(terms())
    for text in list(doctree.findall(nodes.Text)):
        within = text.parent
        while within is not None and not isinstance(within, NO_TERMS):
            within = within.parent
        if within is not None:
            continue
        parts: list[nodes.Node] = []
        words = str(text)
        found = [
            (match, term)
            for term in still
            if (match := re.search(rf"(?<![\w-]){TERMS[term]}(?![\w-])", words, re.IGNORECASE))
        ]
        at = 0
        for match, term in sorted(found, key=lambda item: item[0].start()):
            if match.start() < at:
                continue
            place = f"../glossary.html#{nodes.make_id(term)}"
            link = nodes.reference(
                match[0], match[0], refuri=place, reftitle=plain(terms()[term].text), classes=["term"]
            )
            parts += [nodes.Text(words[at : match.start()]), link]
            at = match.end()
            del still[term]
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(words[at:])])


def source_of(pagename: str) -> Path | None:
    """The file of the repository that a page is made of."""
    candidates = [ROOT / f"{pagename}{ending}" for ending in (".ipynb", ".md")]
    candidates += [SITE / "pages" / f"{pagename}.md"]
    if pagename.startswith("api/helpers"):
        module = ROOT.joinpath(*pagename.removeprefix("api/").split("."))
        candidates += [module.with_suffix(".py"), module / "__init__.py"]
    return next((path for path in candidates if path.is_file()), None)


def last_change(path: Path) -> str:
    """The day of the last commit that changed a file; empty where git does not know."""
    git = ["git", "log", "-1", "--format=%cs", "--", str(path)]
    try:
        day = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    if not day:
        return ""
    changed = date.fromisoformat(day)
    return f"{changed.day} {changed:%B %Y}"  # a day without its 0 has another name on each system


def add_to_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """What a page says of itself: when it changed, where it is edited, and what search engines and previews read."""
    source = source_of(pagename)
    if source is not None:
        context["last_updated"] = last_change(source)
        context["edit_link"] = f"{REPOSITORY}/edit/{BRANCH}/{source.relative_to(ROOT).as_posix()}"
    lesson = Lesson.read(source) if source is not None and source.suffix == ".ipynb" else None
    title = re.sub(r"<[^>]+>", "", context.get("title", "")) or app.config.project
    if lesson:
        title = plain(title_of(lesson))
    goals = objectives(lesson) if lesson else []
    description = f"You will {goals[0]}." if goals else DESCRIPTION
    address = HOME + ("" if pagename == app.config.root_doc else f"{pagename}.html")
    metadata = {
        "og:title": title,
        "og:type": "article" if lesson else "website",
        "og:description": description,
        "og:url": address,
        "og:image": f"{HOME}_static/preview.jpg",
        "og:site_name": app.config.project,
    }
    tags = [f'<meta property="{name}" content="{escape(value)}">' for name, value in metadata.items()]
    tags.append(f'<meta name="description" content="{escape(description)}">')
    if lesson or pagename == app.config.root_doc:
        about = learning_resource(title, description, address, lesson, goals)
        tags.append(f'<script type="application/ld+json">{json.dumps(about, ensure_ascii=False)}</script>')
    context["metatags"] = context.get("metatags", "") + indent("\n".join(tags), "    ")


def learning_resource(
    title: str, description: str, address: str, lesson: Lesson | None, goals: list[str]
) -> dict[str, Any]:
    """A lesson, or the series, as schema.org describes what one learns from."""
    about: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "LearningResource",
        "name": title,
        "description": description,
        "url": address,
        "inLanguage": "en",
        "learningResourceType": "lesson" if lesson else "course",
        "educationalLevel": "beginner",
        "license": LICENCE,
        "isAccessibleForFree": True,
    }
    if lesson:
        about["teaches"] = goals
        about["isPartOf"] = {"@type": "LearningResource", "name": "Transfer learning, step by step", "url": HOME}
        if minutes := minutes_to_read(lesson):
            about["timeRequired"] = f"PT{minutes}M"
    else:
        about["teaches"] = ["transfer learning", "image classification", "PyTorch", "torchvision"]
        about["hasPart"] = [f"{HOME}notebooks/{part.path.stem}.html" for part in lessons()]
    return about
