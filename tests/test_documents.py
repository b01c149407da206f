"""The pages beside the lessons: their headings, their pictures, their links and how hard they are to read.

And what GitHub and citation managers read: it parses, and says the same as pyproject.toml.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tools import links
from tools import notebook_hygiene as hygiene
from tools.environment import NOTEBOOKS, ROOT
from tools.notebook_hygiene import Lesson

pytestmark = pytest.mark.quick

FOLDERS = (".", "benchmarks", "data", "data/weights", "docs", "docs/hub")
DOCUMENTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def document(request) -> Path:
    return request.param


def text_of(document: Path) -> str:
    return hygiene.without_code(document.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """What GitHub calls a heading in an address."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def test_headings_are_in_order(document):
    assert list(hygiene.heading_breaches(document.name, [text_of(document)])) == []


def test_pictures_have_alternative_text(document):
    assert not hygiene.IMAGE_WITHOUT_ALT.search(document.read_text(encoding="utf-8"))


def test_it_is_easy_to_read(document):
    assert hygiene.lix(text_of(document)) <= hygiene.MAX_LIX


def test_links_call_lessons_by_their_titles():
    lessons = {path.name: "\n".join(Lesson.read(path).prose) for path in NOTEBOOKS.glob("*.ipynb")}
    texts = [*lessons.values(), *(text_of(document) for document in DOCUMENTS)]
    links = [
        link
        for text in texts
        for link in re.findall(r"\[(\d\d)(?: ·)? ([^\]]+)\]\((?:notebooks/)?(\w+\.ipynb)\)", text)
    ]
    assert {name for *_, name in links} == set(lessons)
    for number, title, name in links:
        assert lessons[name].startswith(f"# {number} · {title}"), f"{name} is called {title}"


def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if "://" in target:
            continue
        path, _, place = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
            assert place in map(anchor, headings), target


def test_how_many_learners_follows_from_what_each_takes():
    text = (ROOT / "docs" / "hub" / "README.md").read_text(encoding="utf-8")
    words = " ".join(text.split())
    figures = r"server has (\S+) GB.* lesson 00 has (\S+) GB .* largest lesson (\S+) GB; (\S+) GB .* keeps (\d+) GB"
    server, first, largest, shared, system = map(float, re.search(figures, words).groups())
    for row, peak in (("lesson 00", first), ("the largest lesson.*?", largest)):
        stated = re.search(rf"^\| learners in {row} \|(.+)$", text, re.MULTILINE)[1]
        each = server + peak - shared
        learners = [int((memory - system - shared) / each) for memory in (16, 32, 64)]
        assert [int(number) for number in re.findall(r"\d+", stated)] == learners


# --- The address of the repository

# OWNER/REPO in a link to it; inside another address, / is %2F
ADDRESS = re.compile(
    r"(?:github\.com/|github\.com%2F|mybinder\.org/v2/gh/|colab\.research\.google\.com/github/)"
    r"([\w.-]+(?:/|%2F)[\w.-]+)"
)


def addresses(root: Path) -> list[str]:
    found = [ADDRESS.findall(path.read_text(encoding="utf-8")) for path in links.documents(root)]
    return [address.replace("%2F", "/") for one in found for address in one]


def test_every_link_to_the_repository_has_its_address():
    assert len(addresses(ROOT)) > 4
    assert set(addresses(ROOT)) == {links.repository()}, "make links TO=OWNER/REPO"


@pytest.fixture
def copy(tmp_path) -> Path:
    """The documents, and what writes their links."""
    for path in [*links.documents(ROOT), ROOT / "tools" / "links.py"]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def write_links(copy: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, copy / "tools" / "links.py", *arguments], capture_output=True, text=True)


def test_one_command_changes_the_address_everywhere(copy):
    assert write_links(copy, "ada/ants-and-bees").returncode == 0
    assert set(addresses(copy)) == {"ada/ants-and-bees"}
    assert "https://ada.github.io/ants-and-bees/lab.html" in (copy / "README.md").read_text(encoding="utf-8")
    write_links(copy, links.repository())
    for path in links.documents(copy):
        assert path.read_bytes() == (ROOT / path.relative_to(copy)).read_bytes()


@pytest.mark.parametrize("arguments", [[], ["ada"], ["https://example.org/ada/lessons"]])
def test_an_address_that_is_none_changes_nothing(copy, arguments):
    done = write_links(copy, *arguments)
    assert done.returncode == 1
    assert done.stderr == "Say where the repository lies: make links TO=OWNER/REPO\n"
    assert links.repository(copy) == links.repository()


# --- Versions, citation, licences, templates

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_has_what_its_format_asks_for():
    assert {"cff-version", "message", "title", "authors"} <= CITATION.keys()
    assert CITATION["repository-code"] == PROJECT["urls"]["Repository"]
    assert all("name" in author for author in CITATION["authors"])


def test_versions_agree():
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert PROJECT["version"] == CITATION["version"] == newest[1]


def test_each_licence_of_the_citation_is_there():
    texts = {"MIT": "LICENSE", "CC-BY-4.0": "LICENSE-CONTENT"}
    assert list(texts) == CITATION["license"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert "(CC BY 4.0)" in (ROOT / "LICENSE-CONTENT").read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md")), ids=lambda path: path.stem)
def test_a_template_has_what_github_asks_for(path):
    _, about, _ = path.read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(about).keys() == {"name", "about", "labels"}


def test_hooks_fetch_nothing_and_call_what_is_there():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook["language"] == "system"
        assert shutil.which(Path(hook["entry"].split()[0]).name, path=Path(sys.executable).parent)
