"""The app answers images and says one line to anything else; its page asks nobody but its own server."""

import asyncio
import io
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest
import requests
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from support.chromium import needs_chromium
from support.images import INSECTS, bomb
from support.means_model import COLOURS, ORANGE, write_model
from tornado.netutil import bind_sockets

from helpers import app
from helpers.classifier import Classifier, load
from helpers.inference import SavedModel, save_model
from helpers.models import load_model, replace_head
from helpers.tracks import IMAGES
from helpers.weights import Preprocessing
from tools.environment import ROOT

ARTIFACTS = ROOT / "tests" / "artifacts"
PICTURE = min((INSECTS / "val" / "ants").iterdir())
PEOPLE, MINUTE_S = 16, 60


@contextmanager
def served(model: Classifier) -> Iterator[str]:
    """The address of an app that runs in a thread of this process."""
    sockets, stop, ready = bind_sockets(0, "127.0.0.1"), Event(), Event()

    async def run() -> None:
        server = app.make_server(model)
        server.add_sockets(sockets)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.02)
        server.stop()
        await server.close_all_connections()

    thread = Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Classifier:
    return load(write_model(tmp_path_factory.mktemp("model") / "colours.onnx"))


@pytest.fixture(scope="module")
def address(model) -> Iterator[str]:
    with served(model) as address:
        yield address


@pytest.fixture(scope="module")
def network() -> SavedModel:
    torch.manual_seed(0)
    network = replace_head(load_model("embedded"), 2).eval()
    return SavedModel(network, "resnet18", ["ants", "bees"], Preprocessing(64), 0.99)


def content(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def test_an_image_gets_the_model_s_answer(address, model):
    answer = requests.post(f"{address}predict", data=content(ORANGE)).json()
    assert dict(answer["probabilities"]) == model.predict(ORANGE)
    assert answer["probabilities"][0][0] == "a red" and answer["sure"] is True
    assert answer["mapped"] is False and answer["picture"].startswith("data:image/jpeg;base64,")


def test_below_the_threshold_it_is_not_sure(address):
    nearly_grey = Image.new("RGB", (5, 5), (100, 90, 90))
    assert requests.post(f"{address}predict", data=content(nearly_grey)).json()["sure"] is False


def test_a_model_of_pytorch_shows_where_it_looked(network):
    with served(network) as address:
        answer = requests.post(f"{address}predict", data=PICTURE.read_bytes()).json()
    assert dict(answer["probabilities"]) == pytest.approx(network.predict(PICTURE))
    assert answer["mapped"] is True and answer["sure"] is False


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (b"", "holds no image"),
        (b"<html>404</html>", "holds no image"),
        (content(ORANGE)[:-30], "damaged"),
        (PICTURE.read_bytes()[:2000], "damaged"),
        (b"8BPS" + bytes(200), "is Photoshop, which is not read"),
        (bomb(), "900 megapixels, too large"),
        (content(Image.new("RGB", (3000, 1))), "too long a strip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_upload_gets_one_line_and_the_next_one_is_answered(address, upload, said):
    answer = requests.post(f"{address}predict", data=upload)
    (line,) = answer.json()["error"].splitlines()
    assert answer.status_code == 400 and said in line
    assert requests.post(f"{address}predict", data=content(ORANGE)).ok


def test_an_upload_that_is_too_large_is_not_taken(address):
    with suppress(requests.ConnectionError):  # it may hang up in the middle
        assert requests.post(f"{address}predict", data=bytes(app.MAX_UPLOAD + 1)).status_code == 400
    assert requests.post(f"{address}predict", data=content(ORANGE)).ok


def test_nothing_of_an_upload_is_kept(network, tmp_path):
    """By its whole life as a process: it starts in an empty folder, with a home and a temporary folder of its own."""
    save_model(tmp_path / "m.safetensors", network.network, network.class_names, network.preprocessing)
    places = [tmp_path / name for name in ("work", "home", "temporary")]
    for place in places:
        place.mkdir()
    work, home, temporary = map(str, places)
    own = {"HOME": home, "TMPDIR": temporary, "PYTHONPATH": str(ROOT), "TL_DEVICE": "cpu"}
    command = [sys.executable, "-B", "-m", "helpers.app", tmp_path / "m.safetensors", "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        command, cwd=work, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        for upload in (PICTURE.read_bytes(), b"<html>"):
            requests.post(f"{address}predict", data=upload)
    finally:
        process.terminate()
        _, err = process.communicate()
    kept = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert not [path for path in kept if path.stat().st_size > 1000], kept
    assert err == 'The model has no threshold: it is never "not sure".\n'


def test_only_the_files_of_the_page_are_served(address):
    for name in ("", "app.js", "style.css", "model"):
        answer = requests.get(address + name)
        assert answer.ok and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for name in ("../app.py", "..%2Fapp.py", "%2Fetc%2Fhosts", "nothing.html"):
        assert requests.get(address + name).status_code in (403, 404)


# --- The command


def refused(*arguments) -> str:
    """The one line in which the command ends."""
    run = subprocess.run(
        [sys.executable, "-m", "helpers.app", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 1 and not run.stdout
    (line,) = run.stderr.splitlines()
    return line


def test_a_model_that_does_not_fit_is_one_line(tmp_path):
    (tmp_path / "page.onnx").write_text("<html>")
    assert "page.onnx is damaged or no ONNX file" in refused(tmp_path / "page.onnx")


def test_an_impossible_port_is_one_line(tmp_path):
    assert "port 99999" in refused(write_model(tmp_path / "colours.onnx"), "--port", 99999, "--no-browser")


def test_a_port_in_use_is_one_line(tmp_path, address):
    path = write_model(tmp_path / "colours.onnx")
    port = address.rstrip("/").rpartition(":")[2]
    assert f"Cannot listen on 127.0.0.1, port {port}" in refused(path, "--port", port, "--no-browser")


def test_without_a_model_it_is_the_network_of_imagenet():
    model = app.imagenet_classifier()
    assert len(set(model.class_names)) == 1000
    ant, bee = (model.class_names.index(name) for name in ("ant, emmet, pismire", "bee"))
    assert (ant, bee) == (310, 309)
    path = min((IMAGES["species"] / "test" / "bees").iterdir())
    assert sum(model.predict(path).values()) == pytest.approx(1, abs=1e-4)


# --- The page, in a browser


@contextmanager
def opened(browser: Browser, address: str, **options) -> Iterator[Page]:
    """The page; at the end, all that it asked for must have been on its own server."""
    page = browser.new_page(viewport={"width": 900, "height": 800}, **options)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    expect(page.locator("#classes")).to_contain_text(" · ")
    yield page
    assert asked and [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert [text for text in complaints if "400" not in text] == []
    page.close()


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_dropped_image_is_answered_on_the_page(browser, network, scheme):
    ARTIFACTS.mkdir(exist_ok=True)
    with served(network) as address, opened(browser, address, color_scheme=scheme) as page:
        page.locator("#file").set_input_files(PICTURE)
        name, probability = next(iter(network.predict(PICTURE).items()))
        expect(page.locator("#answer")).to_have_text("Not sure")
        expect(page.locator("#status")).to_contain_text(f"the best guess, {name}, has only {100 * probability:.1f} %")
        expect(page.locator("tbody tr")).to_have_count(2)
        assert page.locator("#picture").evaluate("image => image.complete && image.naturalWidth") > 0
        page.screenshot(path=ARTIFACTS / f"app_{scheme}.png")


@pytest.mark.browser
@needs_chromium
def test_a_bad_upload_is_one_line_on_the_page(browser, address):
    with opened(browser, address) as page:
        page.locator("#file").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"<html>"})
        expect(page.locator("#status")).to_have_text(
            "The image cannot be read (it holds no image); replace it or take it out."
        )
        too_large = {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": bytes(app.MAX_UPLOAD + 1)}
        page.locator("#file").set_input_files(too_large)
        expect(page.locator("#status")).to_have_text("The file is larger than 20 MB; scale the image down.")
        page.locator("#file").set_input_files({"name": "c", "mimeType": "image/png", "buffer": content(ORANGE)})
        expect(page.locator("#answer")).to_have_text(COLOURS[0])
        expect(page.locator("#result")).to_be_visible()
        expect(page.locator("#caption")).to_have_text("The image; the model saw a square in its middle.")


@pytest.mark.browser
@needs_chromium
def test_of_a_thousand_classes_the_page_shows_the_most_probable(browser):
    with served(app.imagenet_classifier()) as address, opened(browser, address) as page:
        expect(page.locator("#classes")).to_contain_text("990 others")
        page.locator("#file").set_input_files(PICTURE)
        expect(page.locator("tbody tr")).to_have_count(10)
        expect(page.locator("caption")).to_have_text("The most probable classes")
        page.screenshot(path=ARTIFACTS / "app_imagenet.png")


# --- Many at once


@pytest.mark.nightly
def test_sixteen_people_at_once_for_a_minute(network):
    """Each sends an image, reads the answer for a moment, and sends the next. No error; the table is printed."""
    pictures = [path.read_bytes() for path in sorted((INSECTS / "val").glob("*/*.jpg"))[:20]]
    large = content(Image.open(io.BytesIO(pictures[0])).resize((4000, 3000)), "JPEG")  # as from a telephone
    end = time.monotonic() + MINUTE_S

    def person(number: int) -> list[float]:
        draw, waits = random.Random(number), []
        with requests.Session() as session:
            while time.monotonic() < end:
                upload = large if draw.random() < 0.1 else draw.choice(pictures)
                start = time.perf_counter()
                answer = session.post(f"{address}predict", data=upload, timeout=60)
                waits.append(time.perf_counter() - start)
                assert answer.ok and "error" not in answer.json()
                time.sleep(draw.uniform(0.2, 1))
        return waits

    started = time.process_time()
    with served(network) as address, ThreadPoolExecutor(PEOPLE) as pool:
        waits_of = list(pool.map(person, range(PEOPLE)))
    waits = sorted(wait for waits in waits_of for wait in waits)
    processor = (time.process_time() - started) / len(waits)
    half, most = statistics.median(waits), waits[int(0.95 * len(waits))]
    print(
        f"{len(waits)} answers; half within {half:.2f} s, 95 % within {most:.2f} s, all within {waits[-1]:.2f} s; "
        f"{processor:.2f} s of the processor for each"
    )
    assert all(waits_of), "somebody had no answer"
    assert processor < 0.5, "the seconds of the clock depend on what else the machine does"
    assert waits[-1] < 3 * half, "somebody waits much longer than the others"
