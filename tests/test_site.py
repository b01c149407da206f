"""The web edition: what its pages hold, that they ask no other host for anything, and that nobody meets a barrier."""

import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ipywidgets
import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import v4
from support.chromium import needs_chromium
from support.web import watched

from helpers.widgets import Explorer
from tools import book, explorer_states, lab_files, stick, web_edition, web_pages
from tools.browser import served
from tools.environment import ROOT
from tools.exercise_cells import exercises_of
from tools.notebook_hygiene import Lesson

AXE = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
FIRST_PAGE_BYTES = 500_000  # before images
MOST_SHIFT = 0.02  # of the layout, as browsers count it; 0.1 is called good
SCROLL = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
        scrollTo({ top: y, behavior: "instant" });
        await new Promise((done) => setTimeout(done, 20));
    }
}"""

needs_npm = pytest.mark.skipif(not AXE.is_file(), reason="npm's packages are not here: `make site` brings them")


LESSONS = web_pages.lessons()
LESSON = f"notebooks/{LESSONS[0].path.stem}.html"


@pytest.fixture(scope="session")
def site() -> Path:
    """The site, built anew if something has changed since it was."""
    first_page = web_edition.BUILT / "index.html"
    if not first_page.is_file() or first_page.stat().st_mtime < max(path.stat().st_mtime for path in sources()):
        web_edition.build()
    return web_edition.BUILT


def sources() -> list[Path]:
    """What the site is built from."""
    folders = [path for name in ("helpers", "notebooks", "site", "tools") for path in (ROOT / name).rglob("*.*")]
    return [path for path in (*folders, *web_pages.documents()) if "__pycache__" not in path.parts]


@pytest.fixture(scope="session")
def small_site(tmp_path_factory) -> Path:
    """The first lesson, the glossary and a page of the API, alone: built in seconds."""
    folder = tmp_path_factory.mktemp("site")
    pages, files = folder / "pages", folder / "files"
    for name in (pages / "notebooks", pages / "api", files / "notebooks", files / "_static"):
        name.mkdir(parents=True)
    lesson = LESSONS[0]
    page = web_pages.page_of(lesson, folder, files / "_static" / "explorers")
    nbformat.write(page, pages / "notebooks" / lesson.path.name)
    shutil.copy(lesson.path, files / "notebooks")
    shutil.copy(ROOT / "docs" / "insects.jpg", files / "_static" / "preview.jpg")
    shutil.copy(ROOT / "site" / "sw.js", files)
    (pages / "glossary.md").write_text(web_pages.glossary_page(), encoding="utf-8")
    (pages / "api" / "helpers.features.md").write_text(web_pages.api_pages()["helpers.features"], encoding="utf-8")
    contents = "\n".join(["notebooks/*", "glossary", "api/*"])
    index = f"# A small site\n\n```{{toctree}}\n:glob:\n\n{contents}\n```\n"
    (pages / "index.md").write_text(index, encoding="utf-8")
    elsewhere = "suppress_warnings=myst.header,myst.xref_missing"  # links to the other lessons
    web_edition.render(pages, files, folder / "built", "-D", elsewhere)
    return folder / "built"


@pytest.fixture(params=["small", pytest.param("whole", marks=pytest.mark.nightly)])
def edition(request) -> Path:
    return request.getfixturevalue("small_site" if request.param == "small" else "site")


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


def names_of(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)


def lesson_pages(site: Path) -> list[tuple[Lesson, str]]:
    """The lessons of a site, each with its page."""
    pages = [(lesson, site / "notebooks" / f"{lesson.path.stem}.html") for lesson in LESSONS]
    found = [(lesson, page.read_text(encoding="utf-8")) for lesson, page in pages if page.is_file()]
    assert len(found) in (1, len(LESSONS))
    return found


# --- What the pages hold


class Contents(HTMLParser):
    """The links, the anchors and the pictures of a page."""

    def __init__(self, page: Path):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.pictures: list[dict] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        its = dict(attributes)
        self.anchors |= {its[name] for name in ("id", "name") if its.get(name)}
        if tag == "img":
            self.pictures.append(its)
        self.links += [its[name] for name in ("href", "src") if its.get(name)]


@pytest.mark.nightly
def test_every_link_within_the_site_leads_somewhere(site):
    contents = {name: Contents(site / name) for name in names_of(site)}
    lost = []
    for name, page in contents.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            place = target.resolve().relative_to(site.resolve()).as_posix()
            if not target.is_file():
                lost.append(f"{name}: {link}")
            elif parts.fragment and place in contents and unquote(parts.fragment) not in contents[place].anchors:
                lost.append(f"{name}: {link} has no such place")
    assert len(contents) > len(LESSONS) + 20
    assert not lost


def test_every_picture_has_words_and_a_size(edition):
    pictures = [(name, its) for name in names_of(edition) for its in Contents(edition / name).pictures]
    assert len(pictures) >= 2 * len(lesson_pages(edition))
    assert not [name for name, its in pictures if len(its.get("alt", "")) < 5 or "width" not in its]


def test_each_lesson_is_a_page_with_its_outputs_and_its_file(edition):
    for lesson, page in lesson_pages(edition):
        assert (edition / "notebooks" / lesson.path.name).read_bytes() == lesson.path.read_bytes()
        assert page.count("cell_input") == len(lesson.code)
        for where in (
            "colab.research.google.com",
            "mybinder.org",
            "codespaces.new",
            f"edit/main/notebooks/{lesson.path.name}",
        ):
            assert where in page, where


def test_hints_and_solution_open_in_steps(edition):
    class Steps(HTMLParser):
        depth = deepest = 0

        def handle_starttag(self, tag, attributes):
            self.depth += tag == "details"
            self.deepest = max(self.deepest, self.depth)

        def handle_endtag(self, tag):
            self.depth -= tag == "details"

    for lesson, page in lesson_pages(edition):
        said = " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())
        exercises = list(exercises_of(lesson.path))
        steps = Steps()
        steps.feed(page)
        assert steps.deepest == 1 + max(len(exercise.hints) for exercise in exercises)
        for exercise in exercises:
            assert f"{exercise.name}, hint 1 of {len(exercise.hints)}" in said
            assert " ".join(exercise.answer.split()) in said


def test_a_page_says_what_it_teaches(edition):
    for lesson, page in lesson_pages(edition):
        about = json.loads(re.search(r'<script type="application/ld\+json">(.+?)</script>', page)[1])
        assert about["@type"] == "LearningResource"
        assert about["name"] == web_pages.plain(web_pages.title_of(lesson))
        assert len(about["teaches"]) >= 3
        assert re.fullmatch(r"PT\d+M", about["timeRequired"])
        assert about["license"].startswith("https://creativecommons.org/licenses/by/4.0")
        preview = dict(re.findall(r'property="(og:\w+)" content="([^"]+)"', page))
        assert {"og:title", "og:description", "og:url", "og:image"} <= preview.keys()
        assert (edition / preview["og:image"].removeprefix(web_pages.HOME)).is_file()
        assert web_pages.table_of_lessons()[lesson.path.stem], "the README's table has no such lesson"


def test_terms_lead_to_the_glossary(edition):
    glossary = Contents(edition / "glossary.html")
    link = re.compile(r'<a class="term[^"]*" href="\.\./glossary\.html#([\w-]+)" title="[^"]{20,}"')
    found = 0
    for _, page in lesson_pages(edition):
        places = link.findall(page)
        assert set(places) <= glossary.anchors
        assert len(places) == len(set(places)), "only the first use is a link"
        found += len(places)
    assert len(web_pages.terms()) > 10
    assert found > len(lesson_pages(edition))


def test_the_docstrings_are_there(edition):
    page = (edition / "api" / "helpers.features.html").read_text(encoding="utf-8")
    assert "linear_probe" in page
    assert "Logistic regression on standardised features" in page
    assert 'class="nv">`' not in page


@pytest.mark.parametrize("ci", [True, False])
def test_what_ci_publishes_is_whole(monkeypatch, ci):
    monkeypatch.setattr(web_edition, "build", lambda: ["the browser lab"])
    monkeypatch.setattr(web_edition.environment, "enter", lambda: None)
    monkeypatch.setenv("CI", "true") if ci else monkeypatch.delenv("CI", raising=False)
    assert web_edition.main() == int(ci)


def test_the_states_of_an_explorer_know_all_helpers(tmp_path, monkeypatch):
    """A map of a network is drawn by `explain.py`, not by the explorer."""
    cell = nbformat.v4.new_code_cell("explorer")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    (tmp_path / "helpers").mkdir()
    monkeypatch.setattr(web_pages, "ROOT", tmp_path)
    names = set()
    for code in ("one", "two"):
        (tmp_path / "helpers" / "explain.py").write_text(code)
        names.add(web_pages.explorer_name(tmp_path / "00.ipynb", notebook, cell))
    assert len(names) == 2


def test_without_npm_the_rest_is_built_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_files, "RUNTIME", tmp_path / "nowhere")
    left_out = lab_files.put_together(tmp_path / "lab")
    assert left_out[0].startswith("the browser lab: npm")
    assert not (tmp_path / "lab").exists()


# --- In a browser


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
class TestInABrowser:
    def test_no_page_asks_another_host(self, site, address, browser):
        page = browser.new_page()
        asked, wrong = watched(page)
        for name in names_of(site):
            page.goto(address + name, wait_until="networkidle")
        page.close()
        assert len(asked) > len(names_of(site))
        assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
        assert not wrong

    @needs_npm
    @pytest.mark.timeout(1800)
    @pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
    def test_nobody_meets_a_barrier(self, site, address, browser, viewport):
        page = browser.new_page(viewport=viewport)
        found, grounds = {}, set()
        for name in names_of(site):
            page.goto(address + name, wait_until="networkidle")
            page.add_script_tag(path=AXE)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                grounds.add((scheme, page.evaluate("getComputedStyle(document.body).backgroundColor")))
                result = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
                assert result["passes"]
                for violation in result["violations"]:
                    places = [node["target"] for node in violation["nodes"]]
                    found[f"{name}, {scheme}: {violation['id']}"] = (len(places), places[0])
        page.close()
        assert len(grounds) == len(dict(grounds)) == 2, "each scheme has a ground of its own"
        assert not found

    @pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
    def test_nothing_jumps_and_nothing_is_wider_than_the_page(self, site, address, browser, viewport):
        context = browser.new_context(viewport=viewport)
        page = context.new_page()
        watch = """new PerformanceObserver(list => {
            for (const entry of list.getEntries()) window.shift = (window.shift || 0) + entry.value;
        }).observe({type: "layout-shift", buffered: true})"""
        page.add_init_script(watch)
        bad = {}
        for name in names_of(site):
            page.goto(address + name, wait_until="networkidle")
            page.evaluate(SCROLL)  # for pictures that come only then
            page.wait_for_load_state("networkidle")
            shift = page.evaluate("window.shift || 0")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if shift > MOST_SHIFT or wide > 0:
                bad[name] = (shift, wide)
        context.close()
        assert not bad


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
class TestTheFirstPage:
    def test_it_is_small(self, address, browser):
        page = browser.new_page()
        sizes = []
        page.on("requestfinished", lambda r: sizes.append((r.resource_type, r.sizes()["responseBodySize"])))
        page.goto(address, wait_until="networkidle")
        page.close()
        total = sum(size for kind, size in sizes if kind != "image")
        assert 10_000 < total < FIRST_PAGE_BYTES

    def test_it_says_at_once_what_one_will_be_able_to_do(self, address, browser):
        page = browser.new_page(viewport=DESKTOP)
        page.goto(address)
        assert page.get_by_text("Teach a neural network to tell your images apart").bounding_box()["y"] < 400
        for button in ("Try it now, in this browser", "Read the first lesson"):
            box = page.get_by_role("link", name=button).bounding_box()
            assert box["y"] + box["height"] < DESKTOP["height"]
        page.get_by_role("link", name="Read the first lesson").click()
        assert page.url == address + LESSON
        page.close()

    def test_lessons_lead_from_one_to_the_next(self, address, browser):
        page = browser.new_page()
        page.goto(address + LESSON)
        for lesson in LESSONS[1:3]:
            page.locator("a.next-page").click()
            page.wait_for_url(f"{address}notebooks/{lesson.path.stem}.html")
        page.locator("a.prev-page").click()
        page.wait_for_url(f"{address}notebooks/{LESSONS[1].path.stem}.html")
        page.close()

    def test_the_dark_theme_is_chosen_and_stays(self, address, browser):
        context = browser.new_context(viewport=DESKTOP)
        page = context.new_page()
        page.goto(address)
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for _ in range(3):
            page.locator(".theme-toggle-content button").click()
            if page.evaluate("document.body.dataset.theme") == "dark":
                break
        page.goto(address + LESSON)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        context.close()

    @pytest.mark.parametrize("as_file", [False, True], ids=["served", "opened as a file"])
    def test_search_finds_a_lesson(self, site, address, browser, as_file):
        page = browser.new_page(viewport=DESKTOP)
        page.goto((site / "index.html").as_uri() if as_file else address)
        page.get_by_role("searchbox").or_(page.locator("input[name=q]")).first.fill("transforms")
        page.keyboard.press("Enter")
        link = page.locator(".search a", has_text="01 · Transforms").first
        link.wait_for()
        link.click()
        page.wait_for_url("**/notebooks/01_transforms.html*")
        page.close()

    def test_a_cell_is_copied_without_its_outputs(self, address, browser):
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(address + LESSON)
        cell = page.locator("div.cell_input").first
        cell.hover()
        cell.locator("button.copybtn").click()
        page.wait_for_timeout(200)
        assert page.evaluate("navigator.clipboard.readText()").strip() == LESSONS[0].code[0][1].source
        context.close()


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
def test_the_site_on_a_stick_is_opened_as_files(site, browser, tmp_path):
    assert stick.copy_site(tmp_path)
    page = browser.new_page()
    asked, _ = watched(page)
    for name in ["index.html", *(f"notebooks/{lesson.path.stem}.html" for lesson in LESSONS)]:
        page.goto((tmp_path / "site" / name).as_uri())
        page.evaluate(SCROLL)
        page.wait_for_function("[...document.images].every((picture) => picture.complete)")
        assert page.evaluate("[...document.images].map(({naturalWidth}) => naturalWidth)").count(0) == 0, name
    page.goto((tmp_path / "site" / "lab.html").as_uri())
    assert page.get_by_text("python -m http.server --bind 127.0.0.1").is_visible()
    page.close()
    assert not [url for url in asked if not url.startswith((tmp_path.as_uri(), "data:"))]


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
def test_the_book_holds_every_lesson(tmp_path):
    book.build(tmp_path / "book.pdf")
    pdf = (tmp_path / "book.pdf").read_bytes().lower()
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(re.findall(rb"/type\s*/page\b", pdf)) > 10 * len(lessons)
    assert b"book.html#" not in pdf and b"benchmarks/readme.html" in pdf, "links within the book stay in it"
    for lesson in lessons:
        assert f"{lesson.name[:2]} ·".encode("utf-16-be").hex().encode() in pdf, lesson.name  # in the outline


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
@needs_npm
@pytest.mark.skipif(not lab_files.RUNTIME.is_dir(), reason="npm's packages are not here: `make site` brings them")
def test_the_lab_is_there_when_its_server_is_gone(site, browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(200_000)
    with served(site) as address:
        page.goto(address + "lab.html")
        page.get_by_role("button", name="Ants and bees").click()
        page.locator("#train:enabled").wait_for()
    page.goto(address + "lab.html")
    page.get_by_role("button", name="Ants and bees").click()
    page.locator("#train:enabled").click()
    page.locator("#result .figure").wait_for()
    context.close()


@pytest.mark.browser
@needs_chromium
def test_what_was_read_is_there_without_a_network(small_site, browser):
    context = browser.new_context()
    page = context.new_page()
    with served(small_site) as address:
        page.goto(address + LESSON, wait_until="networkidle")
        read = page.evaluate(
            "[location, ...performance.getEntriesByType('resource')].map(({href, name}) => href ?? name)"
        )
        rules = page.evaluate("[...document.styleSheets].map(({cssRules}) => cssRules.length)")
        kept = "urls => Promise.all(urls.map(url => caches.match(url.split('?')[0]))).then(all => all.every(Boolean))"
        page.wait_for_function(kept, arg=read)
    page.goto(address + LESSON)
    assert page.locator("h1").is_visible()
    assert page.evaluate("[...document.styleSheets].map(({cssRules}) => cssRules.length)") == rules != []
    context.close()


# --- Explorers


@pytest.fixture(scope="module")
def small_explorer() -> Explorer:
    def draw(size, colour, grid):
        figure, ax = plt.subplots(figsize=(2, 1))
        ax.plot([0, size], color=colour)
        ax.grid(grid)
        return figure, f"size {size}, {colour}, {'with' if grid else 'without'} a grid"

    return Explorer(
        draw,
        size=ipywidgets.IntSlider(2, min=1, max=4),
        colour=ipywidgets.Dropdown(options=["red", "blue"]),
        grid=ipywidgets.Checkbox(value=False),
    )


@pytest.fixture(scope="module")
def states(small_explorer, tmp_path_factory) -> Path:
    """The folder of its states."""
    folder = tmp_path_factory.mktemp("states") / "small"
    explorer_states.render(small_explorer, folder)
    return folder


def test_the_states_of_an_explorer_are_what_it_draws(small_explorer, states):
    rendered = json.loads((states / "states.json").read_text())
    assert [control["values"] for control in rendered["controls"]] == [
        ["1", "2", "3", "4"],
        ["red", "blue"],
        ["no", "yes"],
    ]
    assert len(rendered["states"]) == 16
    assert rendered["states"]["3,1,1"][1] == "size 4, blue, with a grid"
    home = ",".join(str(control["start"]) for control in rendered["controls"])
    assert rendered["states"][home][1] == small_explorer.text
    assert len({(states / file).read_bytes() for file, *_ in rendered["states"].values()}) == 16


@pytest.mark.nightly
def test_a_lesson_runs_as_far_as_its_explorer(tmp_path):
    """Also one that calls something `_`, where IPython otherwise keeps the last result."""
    explorer = """\
import matplotlib.pyplot as plt
from ipywidgets import Checkbox
from helpers.widgets import Explorer
Explorer(lambda grid: (plt.figure(figsize=(1, 1)), f"grid: {grid}"), grid=Checkbox())"""
    data = {"image/png": "", "text/plain": "grid: False"}
    shown = v4.new_output("execute_result", data, execution_count=2)
    cells = [v4.new_code_cell("_ = 1"), v4.new_code_cell(explorer, outputs=[shown]), v4.new_code_cell("1 / 0")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "00_small.ipynb")
    assert explorer_states.render_lesson(tmp_path / "00_small.ipynb", tmp_path) == "00_small.ipynb: 1 explorers, 0.0 MB"
    (rendered,) = tmp_path.glob("00_small-*/states.json")
    sentences = [sentence for _, sentence, *_ in json.loads(rendered.read_text())["states"].values()]
    assert sentences == ["grid: False", "grid: True"]


@pytest.mark.nightly
@pytest.mark.browser
@needs_chromium
def test_every_explorer_of_the_site_moves_with_the_keyboard(site, address, browser):
    """Where `make explorers` has rendered its states."""
    page = browser.new_page()
    moved = 0
    for lesson in LESSONS:
        page.goto(f"{address}notebooks/{lesson.path.stem}.html")
        for figure in page.locator("figure.explorer:has(.controls)").all():
            caption = figure.locator("figcaption")
            for control in figure.locator(".controls :is(input, select)").all():
                before = caption.inner_text(), figure.locator("img").get_attribute("src")
                control.focus()
                kind = control.get_attribute("type") or "list"
                for key in ("Space",) if kind == "checkbox" else ("End", "Home"):
                    page.keyboard.press(key)
                    after = caption.inner_text(), figure.locator("img").get_attribute("src")
                    if after != before:
                        break
                assert after[1] != before[1], (lesson.path.name, control.get_attribute("id"))
                moved += 1
            picture = figure.locator("img").element_handle()
            page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture)
    page.close()
    if web_pages.still_explorers():
        pytest.skip("not all states are rendered here: `make explorers` does that")
    assert moved >= 15


def test_many_controls_move_one_at_a_time():
    controls = {name: ipywidgets.FloatSlider(0.3, min=0, max=1, step=0.1, description=name) for name in "abcdef"}
    described, states = explorer_states.grid(controls)
    home = tuple(control["start"] for control in described)
    assert 30 < len(states) == len(set(states)) <= explorer_states.MOST_STATES
    assert states[0] == home
    assert all(sum(a != b for a, b in zip(state, home, strict=True)) == 1 for state in states[1:])


@pytest.mark.parametrize("start", range(44))
def test_a_long_slider_keeps_its_ends_and_its_start(start):
    values, at = explorer_states.thin(list(range(44)), start, 12)
    assert (values[0], values[-1], values[at]) == (0, 43, start)
    assert len(values) <= 12


@pytest.fixture(scope="module")
def page_with_explorer(small_explorer, states, tmp_path_factory) -> Path:
    """A site with one page, with an explorer on it."""
    site = tmp_path_factory.mktemp("site")
    data, _ = small_explorer._repr_mimebundle_()
    output = {"output_type": "execute_result", "data": {key: data[key] for key in ("image/png", "text/plain")}}
    cell = v4.new_code_cell("explorer", outputs=[v4.new_output(**output, execution_count=1)])
    pictures = site / "_static" / "explorers"
    figure = web_pages.explorer(cell, states.name, states.parent, pictures)
    (site / "notebooks").mkdir()
    shutil.copy(ROOT / "site" / "sw.js", site)
    script = (ROOT / "site" / "static" / "site.js").read_text(encoding="utf-8")
    head = '<!doctype html><html data-content_root="../"><title>t</title><link rel="icon" href="data:,">'
    body = f"{head}<body>{figure}<script>{script}</script></body></html>"
    (site / "notebooks" / "page.html").write_text(body, encoding="utf-8")
    return site


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("as_file", [False, True], ids=["served", "opened as a file"])
def test_an_explorer_moves_with_the_keyboard(page_with_explorer, browser, as_file):
    with served(page_with_explorer) as address:
        page = browser.new_page()
        _, wrong = watched(page)
        page.goto((page_with_explorer.as_uri() + "/" if as_file else address) + "notebooks/page.html")
        caption = page.locator("figcaption")
        assert caption.inner_text() == "size 2, red, without a grid"
        page.get_by_label("size").focus()
        page.keyboard.press("ArrowRight")
        assert caption.inner_text() == "size 3, red, without a grid"
        before = page.locator("img").get_attribute("src")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert caption.inner_text() == page.locator("img").get_attribute("alt") == "size 3, blue, with a grid"
        assert page.locator("img").get_attribute("src") != before
        page.wait_for_function("document.querySelector('img').complete && document.querySelector('img').naturalWidth")
        assert not wrong
        page.close()


@pytest.mark.browser
@needs_chromium
def test_without_javascript_picture_and_sentence_stay(page_with_explorer, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((page_with_explorer / "notebooks" / "page.html").as_uri())
    assert page.locator("figcaption").inner_text() == "size 2, red, without a grid"
    assert page.locator("img").bounding_box()["width"] > 50
    assert page.locator("input, select").count() == 0
    context.close()
