"""JupyterLab in a real browser: explorers on a page of their own, and nightly whole lessons.

Screenshots are kept in tests/artifacts/.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import nbformat
import pytest
from nbformat import v4
from playwright.sync_api import Locator, Page, expect
from support.chromium import needs_chromium
from support.jupyter import free_port, wait_until_it_answers

from tools.environment import NOTEBOOKS, ROOT
from tools.notebook_hygiene import METADATA

ARTIFACTS = ROOT / "tests" / "artifacts"
STOP_S = 120
MIN_SLIDER = 150  # pixels
CELLS_S = 400  # pytest's own limit cannot end a call into the browser
LESSONS = [
    "00_start_here",
    "01_transforms",
    "03_model_surgery",
    "05_visualization",
    "08_architectures",
]
EXPLORERS = [
    "from helpers.data import ImageDataset\n"
    "from helpers.tracks import IMAGES\n"
    "from helpers.transforms import train_transform\n"
    "from helpers.weights import EMBEDDED\n"
    "from helpers.widgets import architecture_chooser, augmentation_explorer, batch_explorer, surgery_explorer\n"
    "dataset = ImageDataset(IMAGES['insects'] / 'val', train_transform(EMBEDDED))",
    "augmentation_explorer(dataset.loader(dataset.samples[0][0]), 96)",
    "batch_explorer(dataset, EMBEDDED)",
    "surgery_explorer()",
    "architecture_chooser()",
]
PICTURE = ".widget-html-content img"

pytestmark = [pytest.mark.browser, needs_chromium]

# JupyterLab's own settings for tests: no token, which is why only this machine may ask.
CONFIG = """\
from jupyterlab.galata import configure_jupyter_server
configure_jupyter_server(c)
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = {port}
c.ServerApp.root_dir = {root!r}
c.ServerApp.allow_root = True
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that serves copies of lessons."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "root").mkdir()
    for name in LESSONS:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder / "root")
    cells = [v4.new_code_cell(source) for source in EXPLORERS]
    nbformat.write(v4.new_notebook(cells=cells, metadata=METADATA), folder / "root" / "explorers.ipynb")
    port = free_port()
    config, log = folder / "config.py", folder / "log.txt"
    config.write_text(CONFIG.format(port=port, root=str(folder / "root")))
    # The settings of whoever runs the test stay out of it.
    settings = folder / "settings"
    own = dict.fromkeys(["JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR"], str(settings))
    with log.open("w") as out:
        command = [sys.executable, "-m", "jupyterlab", f"--config={config}"]
        server = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | own, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_it_answers(server, address, log)
        yield address
    finally:
        server.terminate()
        server.wait(STOP_S)


@pytest.fixture(scope="module")
def page(browser) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(60_000)
    return page


def run_notebook(page: Page, lab: str, name: str) -> list[dict]:
    """Opens a notebook, runs all its cells from the command that the menu calls, and waits for the last one.

    Returns:
        The outputs of all cells that no tag expects to fail, in the format of notebooks.
    """
    page.goto(f"{lab}/lab/tree/{name}?reset")
    page.locator(".jp-Notebook").wait_for()
    return page.evaluate(
        """async limit_s => {
            const late = new Promise((_, fail) => setTimeout(() => fail(Error('took too long')), 1000 * limit_s));
            const panel = window.jupyterapp.shell.currentWidget;
            await Promise.race([panel.sessionContext.ready, late]);
            await window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
            await Promise.race([window.jupyterapp.commands.execute('notebook:run-all-cells'), late]);
            const code = panel.content.widgets.filter(cell => cell.model.type === 'code');
            const outputs = () => code
                .filter(cell => !(cell.model.getMetadata('tags') ?? []).includes('raises-exception'))
                .flatMap(cell => cell.model.outputs.toJSON());
            // After a cell that is meant to fail, the command says too early that it has ended.
            const running = () => code.at(-1).model.executionCount === null;
            while (running() && !outputs().some(output => output.output_type === 'error'))
                await Promise.race([new Promise(resolve => setTimeout(resolve, 200)), late]);
            return outputs();
        }""",
        CELLS_S,
    )


def lesson_explorers(page: Page) -> list[Locator]:
    """The explorers of the opened notebook: boxes with controls and a picture, in their order."""
    boxes = page.locator(".jp-OutputArea .widget-vbox", has=page.locator(PICTURE))
    boxes.first.wait_for()
    return boxes.all()


def move(control: Locator) -> None:
    """Moves one control of an explorer by the keyboard alone."""
    press = control.page.keyboard.press
    inner = control.locator(".noUi-handle, select, input[type=checkbox]").first
    inner.focus()
    if control.locator(".noUi-handle").count():
        at_the_end = inner.get_attribute("aria-valuenow") == inner.get_attribute("aria-valuemax")
        for _ in range(5):
            press("ArrowLeft" if at_the_end else "ArrowRight")
    elif control.locator("select").count():
        at_the_end = inner.evaluate("select => select.selectedIndex === select.length - 1")
        press("Alt+ArrowDown")  # opens the list: JupyterLab takes a bare arrow to go to the next cell
        press("ArrowUp" if at_the_end else "ArrowDown")
        press("Enter")
    else:
        press("Space")


def assert_all_controls_answer(explorer: Locator) -> None:
    """Each control changes the picture and the sentence below it."""
    explorer.scroll_into_view_if_needed()
    picture, caption = explorer.locator(PICTURE), explorer.locator(PICTURE + " + div")
    controls = explorer.locator("> .widget-hslider, > .widget-dropdown, > .widget-checkbox").all()
    assert controls, "no control was found"
    for slider in explorer.locator(".noUi-target").all():
        assert slider.bounding_box()["width"] > MIN_SLIDER, "too short for its steps"
    for control in reversed(controls):  # maps before classes: the last cell of the matrix may be empty
        seen, said = picture.get_attribute("src"), caption.inner_text()
        move(control)
        expect(caption).not_to_have_text(said, timeout=30_000)
        expect(picture).not_to_have_attribute("src", seen, timeout=30_000)
    expect(picture).to_have_js_property("complete", True)
    # Asked together, since the last move may still be on its way.
    same = "box => { const img = box.querySelector('%s'); return img.alt === img.nextElementSibling.innerText }"
    explorer.page.wait_for_function(same % PICTURE, arg=explorer.element_handle())


@pytest.mark.parametrize("name", ["explorers", *(pytest.param(name, marks=pytest.mark.nightly) for name in LESSONS)])
def test_explorers_answer(page, lab, name):
    outputs = run_notebook(page, lab, f"{name}.ipynb")
    assert outputs, "the cells did not run"
    assert [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"] == []
    for explorer in lesson_explorers(page):
        assert_all_controls_answer(explorer)
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_dark_theme(page, lab):
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    lesson_explorers(page)[0].scroll_into_view_if_needed()
    page.screenshot(path=ARTIFACTS / "dark_theme.png")
