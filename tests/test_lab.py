"""The browser lab in a real browser: its features are Python's, it stays usable, and its heads come home."""

import re
import shutil
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from markdown_it import MarkdownIt
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.numpy import load
from support.chromium import needs_chromium
from support.images import INSECTS
from support.web import watched

from helpers.data import make_dataloader
from helpers.evaluation import Accuracy
from helpers.export import export_onnx
from helpers.features import linear_probe, penultimate_features
from helpers.images import load_image
from helpers.inference import SavedModel, load_saved
from helpers.models import load_model, replace_head
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED, SOURCES
from tools import lab_files
from tools.browser import served
from tools.environment import ROOT

pytestmark = [pytest.mark.browser, needs_chromium]

TOLERANCE = 1e-3
ANTS, BEES = (sorted((INSECTS / "val" / name).glob("*.jpg")) for name in ("ants", "bees"))
PAGE = ROOT / "site" / "pages" / "lab.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The lab with its page, without the theme around it."""
    folder = tmp_path_factory.mktemp("site")
    lab_files.put_together(folder / "lab")
    body = MarkdownIt("commonmark", {"html": True}).render(PAGE.read_text(encoding="utf-8"))
    style = (ROOT / "site" / "static" / "site.css").read_text(encoding="utf-8")
    head = f'<title>Lab</title><link rel="icon" href="data:,"><style>{style}</style>'
    page = f'<!doctype html><html lang="en">{head}<body>{body}</body></html>'
    (folder / "lab.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as address:
        yield address


# --- Its programs, one by one


@pytest.fixture(scope="module")
def unusual(tmp_path_factory) -> list[Path]:
    """Images as people have them: large and turned by their tag, grey, with transparency, long, smaller than needed."""
    folder = tmp_path_factory.mktemp("unusual")
    image = Image.open(ANTS[0]).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.resize((801, 533)).save(folder / "turned.png", exif=exif)
    image.convert("L").save(folder / "grey.png")
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda value: 255 * (value > 99)))
    clear.save(folder / "clear.png")
    image.resize((900, 140)).save(folder / "long.png")
    image.resize((61, 47)).save(folder / "small.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def programs(browser):
    """A page beside the programs of the lab, which it may import."""
    page = browser.new_page()
    with served(ROOT / "site") as address:
        page.goto(address + "lab/probe.js")
        yield page
    page.close()


def as_url(path: Path) -> str:
    return f"data:;base64,{b64encode(path.read_bytes()).decode()}"


@pytest.mark.parametrize("weights", lab_files.NETWORKS)
def test_an_image_is_prepared_as_in_python(programs, weights, unusual):
    preprocessing = SOURCES[weights].preprocessing
    program = """async ([url, preprocessing]) => {
        const { decode, prepare } = await import(new URL("images.js", location));
        const prepared = prepare(await decode(await (await fetch(url)).blob()), preprocessing);
        const reader = new FileReader();
        reader.readAsDataURL(new Blob([prepared]));
        await new Promise((done) => reader.addEventListener("load", done));
        return reader.result;
    }"""
    for path in (ANTS[0], *unusual):
        url = programs.evaluate(program, [as_url(path), vars(preprocessing)])
        found = np.frombuffer(b64decode(url.partition(",")[2]), dtype=np.float32)
        expected = eval_transform(preprocessing)(load_image(path)).flatten()
        assert np.abs(found - expected.numpy()).max() < TOLERANCE, path.name


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probe_is_the_one_of_python(programs, classes):
    generator = np.random.default_rng(0)
    labels = np.arange(60) % classes
    rows = (generator.normal(size=(60, 40)) + labels[:, None] * np.linspace(0, 1, 40)).astype(np.float32)
    rows[:, 7] = 3  # one that never changes
    program = """async ([rows, labels, classes]) => {
        const { train, predict } = await import(new URL("probe.js", location));
        const head = train(rows.map((row) => Float32Array.from(row)), labels, classes);
        return rows.map((row) => predict(head, row));
    }"""
    found = programs.evaluate(program, [rows.tolist(), labels.tolist(), classes])
    assert np.allclose(found, linear_probe(rows, labels).predict_proba(rows), atol=TOLERANCE)


@pytest.mark.parametrize(("right", "total"), [(0, 3), (7, 8), (40, 40), (333, 400)])
def test_the_interval_is_the_one_of_python(programs, right, total):
    found = programs.evaluate(
        "async ([a, b]) => (await import(new URL('probe.js', location))).interval(a, b)", [right, total]
    )
    assert found == pytest.approx([Accuracy(right, total).low, Accuracy(right, total).high], abs=1e-4)


def test_python_reads_the_file_of_a_head(programs):
    program = """async () => {
        const { safetensors } = await import(new URL("files.js", location));
        const tensors = { weight: { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) } };
        return [...new Uint8Array(await safetensors(tensors, { name: "Käfer" }).arrayBuffer())];
    }"""
    assert load(bytes(programs.evaluate(program)))["weight"].tolist() == [[1, 2, 3], [4, 5, 6]]


# --- The whole page


def whole_page(test):
    """It computes with the networks: only at night, where npm has brought what runs them."""
    missing = "npm's packages are not here: `make site` brings them"
    return pytest.mark.nightly(pytest.mark.skipif(not lab_files.RUNTIME.is_dir(), reason=missing)(test))


@pytest.fixture
def lab(address, browser):
    """The page, ready; at the end, nothing has gone wrong on it, and no other host was asked."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
    asked, wrong = watched(page)
    page.goto(address + "lab.html")
    page.wait_for_selector("#classes .class")
    yield page
    assert not [url for url in asked if not url.startswith((address, "blob:", "data:"))]
    assert not wrong
    page.close()


def give(lab: Page, number: int, files: list) -> None:
    """Add files to a class, counted from 0."""
    lab.locator("#classes .class").nth(number).locator("input[type=file]").set_input_files(files)


def finished(lab: Page) -> None:
    lab.wait_for_function("document.getElementById('progress-row').hidden", timeout=300_000)


def features_of(lab: Page) -> list[np.ndarray]:
    """The features of each class, as the page holds them."""
    values = lab.evaluate("lab.classes.map(({examples}) => examples.map(({values}) => [...values]))")
    return [np.array(rows, dtype=np.float32) for rows in values]


def features_in_python(weights: str, paths: list[Path]) -> np.ndarray:
    transform = eval_transform(SOURCES[weights].preprocessing)
    dataset = [(transform(load_image(path)), 0) for path in paths]
    return penultimate_features(load_model(weights), make_dataloader(dataset))[0]


@whole_page
@pytest.mark.parametrize("weights", lab_files.NETWORKS)
def test_the_features_are_those_of_python(lab, weights, unusual):
    lab.get_by_role("radio").nth(list(lab_files.NETWORKS).index(weights)).check()
    paths = [*ANTS[:5], *unusual]
    give(lab, 0, paths)
    finished(lab)
    (rows, _) = features_of(lab)
    expected = features_in_python(weights, paths)
    assert rows.shape == expected.shape
    difference = np.abs(rows - expected).max(axis=1)
    assert difference.max() < TOLERANCE, dict(zip([path.name for path in paths], difference, strict=True))


@whole_page
def test_from_images_to_a_model_in_python(lab, tmp_path):
    for number, paths in enumerate((ANTS, BEES)):
        lab.get_by_label("Name of the class").nth(number).fill(("ants", "bees")[number])
        give(lab, number, paths[:20])
    finished(lab)
    lab.get_by_role("button", name="Train", exact=True).click()
    result = lab.locator("#result .figure")
    result.wait_for()
    right, total = map(int, re.search(r"(\d+) of (\d+)", result.inner_text()).groups())
    assert total == 8, "one image in five"
    accuracy = Accuracy(right, total)
    for share in (accuracy.value, accuracy.low, accuracy.high):
        assert f"{100 * share:.0f} %" in result.inner_text()
    rows = lab.locator("#result tbody tr")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["1", "2", "5", "10", "all"]

    asked = [ANTS[-1], BEES[-1], ANTS[-2], BEES[-2]]
    lab.locator("#ask").set_input_files(asked)
    expect(lab.locator("#answers > li")).to_have_count(4)
    with lab.expect_download() as download:
        lab.get_by_role("button", name="Download the trained head").click()
    download.value.save_as(tmp_path / "head.safetensors")
    assert (tmp_path / "head.safetensors").stat().st_size < 10_000, "a head, without its backbone"

    model = load_saved(tmp_path / "head.safetensors")
    assert (model.class_names, model.preprocessing) == (["ants", "bees"], EMBEDDED)
    for number, path in enumerate(asked):
        answer = lab.locator("#answers > li").nth(number)
        meters = answer.locator("meter")
        shown = {m.get_attribute("aria-label"): float(m.get_attribute("value")) for m in meters.all()}
        assert shown == pytest.approx(model.predict(path), abs=TOLERANCE)
        assert f"{path.name}: {next(iter(model.predict(path)))}" in answer.inner_text()


@whole_page
def test_bad_files_are_named_and_the_rest_is_used(lab, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    give(lab, 0, [tmp_path / "notes.txt", ANTS[0], tmp_path / "empty.jpg", tmp_path / "cut.png", ANTS[1]])
    finished(lab)
    problems = lab.locator("#problems li").all_inner_texts()
    assert [words.split(":")[0] for words in problems] == ["notes.txt", "empty.jpg", "cut.png"]
    assert all("this browser cannot read it as an image" in words for words in problems)
    assert lab.locator(".count").first.inner_text() == "2 images"


@whole_page
def test_all_of_it_works_with_the_keyboard(lab):
    """From one control to the next with Tab; a file is chosen in a window of the system, which Space opens."""

    def reach(*wanted: str) -> None:
        for _ in range(20):
            lab.keyboard.press("Tab")
            its = "[document.activeElement.id, document.activeElement.type, document.activeElement.ariaLabel].join()"
            if all(word in lab.evaluate(its) for word in wanted):
                return
        raise AssertionError(f"Tab does not reach {wanted}")

    def choose(*paths: Path) -> None:
        with lab.expect_file_chooser() as chooser:
            lab.keyboard.press("Space")
        chooser.value.set_files(paths)

    lab.get_by_role("radio").first.focus()
    for name, paths in {"ants": ANTS, "bees": BEES}.items():
        reach("Name of the class")
        lab.keyboard.press("Control+a")
        lab.keyboard.type(name)
        reach("file")
        choose(*paths[:3])
    reach("add-class")
    lab.keyboard.press("Enter")
    assert lab.evaluate("document.activeElement.value") == "class 3"
    reach("Remove class 3")
    lab.keyboard.press("Space")
    expect(lab.locator("#classes .class")).to_have_count(2)
    finished(lab)
    lab.locator("#clear").focus()
    reach("train")
    lab.keyboard.press("Space")
    lab.locator("#result .figure").wait_for()
    expect(lab.locator("#ask")).to_be_enabled()
    reach("ask,file")  # and not the button of the camera beside it
    choose(ANTS[-1])
    lab.locator("#answers meter").first.wait_for()
    reach("download")
    with lab.expect_download():
        lab.keyboard.press("Enter")
    reach("model")


@whole_page
@pytest.mark.parametrize(("name", "classes"), [("Ants and bees", 2), ("Six species", 6)])
def test_an_example_is_better_than_guessing(lab, name, classes):
    lab.get_by_role("button", name=name).click()
    lab.wait_for_function(f"lab.classes.length === {classes} && lab.classes[0].examples.length")
    finished(lab)
    rows = features_of(lab)
    assert [len(its) for its in rows] == [lab_files.IMAGES // classes] * classes
    lab.get_by_role("button", name="Train", exact=True).click()
    lab.locator("#result .figure").wait_for()
    right, total = map(int, re.search(r"(\d+) of (\d+)", lab.locator("#result .figure").inner_text()).groups())
    assert Accuracy(right, total).low > 1 / classes


# --- What the reader gave stays, whatever changes meanwhile


@whole_page
def test_a_new_network_computes_all_images_anew(lab):
    give(lab, 0, ANTS[:10])
    lab.get_by_role("radio").nth(1).check()
    finished(lab)
    assert features_of(lab)[0].shape[0] == lab.locator("#classes img").count() == 10
    assert np.abs(features_of(lab)[0] - features_in_python(list(lab_files.NETWORKS)[1], ANTS[:10])).max() < TOLERANCE


@whole_page
def test_a_network_that_cannot_be_fetched_costs_no_image(lab):
    give(lab, 0, ANTS[:4])
    finished(lab)
    lab.route("**/nowhere.onnx", lambda route: route.abort())
    lab.evaluate("void (lab.networks[1].file = 'nowhere.onnx')")
    lab.get_by_role("radio").nth(1).check()
    expect(lab.locator("#problems")).to_contain_text("cannot be loaded: ")
    assert lab.locator(".count").first.inner_text() == "4 images"
    give(lab, 0, ANTS[4:5])
    expect(lab.locator("#problems")).to_contain_text("cannot be loaded: ")
    lab.get_by_role("radio").nth(0).check()
    finished(lab)
    assert len(features_of(lab)[0]) == lab.locator("#classes img").count() == 5


@whole_page
def test_an_example_replaces_images_only_if_the_reader_says_so(lab):
    give(lab, 0, ANTS[:2])
    finished(lab)
    with lab.expect_event("dialog") as question:
        lab.get_by_role("button", name="Ants and bees").click()
    assert "Replace" in question.value.message
    question.value.dismiss()
    assert len(features_of(lab)[0]) == 2


@whole_page
def test_a_class_has_the_name_that_it_has_now(lab, tmp_path):
    for number, paths in enumerate((ANTS, BEES)):
        lab.get_by_label("Name of the class").nth(number).fill("insects")
        give(lab, number, paths[:3])
    finished(lab)
    lab.get_by_role("button", name="Train", exact=True).click()
    expect(lab.locator("#problems")).to_contain_text("Two classes have the same name")
    assert not lab.locator("#result .figure").count()
    lab.get_by_label("Name of the class").nth(0).fill("ants")
    assert lab.get_by_role("button", name="Remove ants").is_visible()
    lab.get_by_role("button", name="Train", exact=True).click()
    lab.locator("#result .figure").wait_for()
    lab.get_by_label("Name of the class").nth(1).fill("bees")
    lab.locator("#ask").set_input_files([BEES[-1]])
    expect(lab.locator("#answers meter")).to_have_count(2)
    assert {meter.get_attribute("aria-label") for meter in lab.locator("#answers meter").all()} == {"ants", "bees"}
    with lab.expect_download() as download:
        lab.get_by_role("button", name="Download the trained head").click()
    download.value.save_as(tmp_path / "head.safetensors")
    assert load_saved(tmp_path / "head.safetensors").class_names == ["ants", "bees"]


# --- A model from Python


@whole_page
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_model_of_python_answers_as_there(lab, tmp_path, precision):
    torch.manual_seed(0)
    network = replace_head(load_model("embedded"), 3).eval()
    model = SavedModel(network, "resnet18", ["ants", "bees", "wasps"], EMBEDDED)
    for path in export_onnx(model, tmp_path / "model.onnx", precision):
        lab.locator("#model").set_input_files(path)
        expect(lab.locator("#model-text")).to_contain_text(f"{path.name} tells 3 classes apart: ants, bees, wasps")
        lab.locator("#ask").set_input_files([BEES[0]])
        meters = lab.locator("#answers meter")
        expect(meters).to_have_count(3)
        shown = {m.get_attribute("aria-label"): float(m.get_attribute("value")) for m in meters.all()}
        close = TOLERANCE if precision == "float32" else 10 * TOLERANCE
        assert shown == pytest.approx(model.predict(BEES[0]), abs=close), path.name


@whole_page
def test_what_is_no_such_model_is_said(lab, tmp_path):
    (tmp_path / "notes.onnx").write_text("no model")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), tmp_path / "bare.onnx")
    for name in ("notes.onnx", "bare.onnx"):
        lab.locator("#model").set_input_files(tmp_path / name)
        expect(lab.locator("#model-text")).to_contain_text(f"{name} cannot be used")


@whole_page
def test_what_is_said_of_a_model_ends_with_it(lab, tmp_path):
    """A file that is none takes its place, and so does a training."""
    model = SavedModel(replace_head(load_model("embedded"), 3).eval(), "resnet18", ["a", "b", "c"], EMBEDDED)
    good = export_onnx(model, tmp_path / "model.onnx")[0]
    bad = onnx.load(good)
    bad.graph.node[0].op_type = "Nothing"
    onnx.save(bad, tmp_path / "bad.onnx")
    lab.locator("#model").set_input_files(good)
    expect(lab.locator("#ask")).to_be_enabled()
    lab.locator("#model").set_input_files(tmp_path / "bad.onnx")
    expect(lab.locator("#model-text")).to_contain_text("bad.onnx cannot be used")
    expect(lab.locator("#ask")).to_be_disabled()
    for number, paths in enumerate((ANTS, BEES)):
        give(lab, number, paths[:3])
    finished(lab)
    lab.locator("#model").set_input_files(good)
    expect(lab.locator("#model-text")).to_contain_text("tells 3 classes apart")
    lab.locator("#ask").set_input_files([BEES[0]])
    expect(lab.locator("#answers meter")).to_have_count(3)
    lab.get_by_role("button", name="Train", exact=True).click()
    lab.locator("#result .figure").wait_for()
    expect(lab.locator("#model-text")).to_be_empty()
    expect(lab.locator("#answers")).to_be_empty()


@whole_page
def test_images_after_a_model_go_through_the_chosen_network(lab, tmp_path):
    """The worker holds one network: the page says which, and brings the other one back."""
    model = SavedModel(replace_head(load_model("embedded"), 3).eval(), "resnet18", ["a", "b", "c"], EMBEDDED)
    lab.locator("#model").set_input_files(export_onnx(model, tmp_path / "model.onnx")[0])
    expect(lab.locator("#model-text")).to_contain_text("tells 3 classes apart")
    give(lab, 0, ANTS[:2])
    expect(lab.locator("#model")).to_be_disabled()
    finished(lab)
    assert np.abs(features_of(lab)[0] - features_in_python("embedded", ANTS[:2])).max() < TOLERANCE
    expect(lab.locator("#model-text")).to_be_empty()
    expect(lab.locator("#ask")).to_be_disabled()


# --- The camera, and no network


@whole_page
def test_the_camera_takes_pictures(lab):
    lab.get_by_role("button", name="Use the camera").click()
    for number in (1, 2):
        for _ in range(2):
            lab.get_by_role("button", name=f"Take a picture of class {number}").click()
    finished(lab)
    assert [rows.shape for rows in features_of(lab)] == [(2, 512)] * 2
    lab.get_by_role("button", name="Train", exact=True).click()
    lab.get_by_role("button", name="What the camera sees").click()
    expect(lab.locator("#answers meter")).to_have_count(2)
    lab.get_by_role("button", name="Turn the camera off").click()
    assert lab.evaluate("document.getElementById('camera').srcObject") is None
    expect(lab.get_by_role("button", name="Take a picture of class 1")).to_be_hidden()


@whole_page
def test_a_camera_that_is_off_is_off(lab):
    """Also after two clicks while the browser asks whether the page may have it."""
    lab.evaluate("""() => {
        window.streams = [];
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            await new Promise((done) => setTimeout(done, 300));
            streams.push(await open(wanted));
            return streams.at(-1);
        };
        for (const _ of [1, 2]) document.getElementById("camera-switch").click();
    }""")
    lab.get_by_role("button", name="Turn the camera off").click()
    states = lab.evaluate("streams.flatMap((stream) => stream.getTracks().map(({ readyState }) => readyState))")
    assert states and set(states) == {"ended"}


@whole_page
def test_without_a_camera_that_is_said(lab):
    lab.evaluate("void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('there is none')))")
    lab.get_by_role("button", name="Use the camera").click()
    expect(lab.locator("#problems")).to_have_text("The camera cannot be used: there is none.")
    expect(lab.get_by_role("button", name="Use the camera")).to_be_visible()


# --- Many images


def copies(folder: Path, names: list[str], number: int) -> None:
    """A folder of classes; each image differs a little from the others."""
    sources = [*ANTS, *BEES]
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for n in range(number):
            shutil.copy(sources[(k * number + n) % len(sources)], folder / name / f"{n:04d}.jpg")


@whole_page
def test_ten_classes_with_five_hundred_images_leave_the_page_free(lab, tmp_path):
    names = [f"class{n}" for n in range(10)]
    copies(tmp_path / "many", names, 50)
    lab.evaluate("""() => {
        window.longest = 0;
        let last = performance.now();
        const beat = () => {
            const now = performance.now();
            window.longest = Math.max(window.longest, now - last);
            last = now;
            setTimeout(beat, 10);
        };
        beat();
    }""")
    lab.locator("#folder").set_input_files(tmp_path / "many")
    lab.wait_for_function("lab.classes.length === 10")
    lab.wait_for_function("lab.classes[0].examples.length >= 10", timeout=120_000)
    early = lab.evaluate("performance.memory.usedJSHeapSize")
    finished(lab)
    assert [len(rows) for rows in features_of(lab)] == [50] * 10
    late = lab.evaluate("performance.memory.usedJSHeapSize")
    lab.get_by_role("button", name="Train", exact=True).click()
    lab.locator("#result .figure").wait_for(timeout=120_000)
    assert lab.evaluate("window.longest") < 500, "milliseconds without an answer"
    assert late - early < 60e6, "490 images more hold a few kB each"
    assert lab.locator("#classes img").count() <= 120
    assert not lab.get_by_role("button", name="Add a class").is_enabled()
    seconds = float(re.search(r"in ([\d.]+) s", lab.locator("#result").inner_text())[1])
    assert seconds < 10
