"""What lesson 09 does with a reader's images: few and many of them, in files and in uploads."""

import io
import zipfile
from datetime import datetime

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from support.lesson_code import lesson_code
from torch import nn

from helpers.data import load_image, make_dataloaders
from helpers.errors import LessonError
from helpers.evaluation import accuracy, predict
from helpers.inference import load_saved, save_model
from helpers.weights import Preprocessing
from helpers.widgets import upload_explorer

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def train_on():
    return lesson_code("09_your_own_images.ipynb", "track", "LAST_BLOCKS")["train_on"]


def make_folder(folder, classes: int, per_class: int):
    """Images of 16 x 16 pixels: each class has its colour, each image a pattern of its own."""
    generator = np.random.default_rng(0)
    steps = np.array(np.meshgrid(*[np.linspace(50, 205, 6)] * 3)).reshape(3, -1).T  # 216 colours
    for label, colour in enumerate(generator.permutation(steps)[:classes]):
        (folder / f"{label:03}").mkdir(parents=True)
        for number in range(per_class):
            pixels = colour + generator.uniform(-50, 50, (4, 4, 3)).repeat(4, 0).repeat(4, 1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{label:03}" / f"{number}.png")
    return folder


@pytest.mark.filterwarnings("ignore:.*collect more")
@pytest.mark.parametrize(
    ("classes", "per_class"),
    [(2, 20), (40, 3), *(pytest.param(*many, marks=pytest.mark.nightly) for many in ((150, 3), (2, 750)))],
)
def test_few_and_many_go_the_whole_way(train_on, tmp_path, classes, per_class):
    folder = make_folder(tmp_path / "images", classes, per_class)
    model, datasets = train_on(folder, Preprocessing(64))
    assert sum(map(len, datasets.values())) == classes * per_class
    names = datasets["train"].classes
    assert len(names) == classes
    probabilities, labels = predict(model, make_dataloaders(datasets)["val"])
    assert accuracy(probabilities.argmax(1), labels).low > 1 / classes, "better than guessing"
    save_model(tmp_path / "m.safetensors", model, names, Preprocessing(64))
    picture = folder / names[-1] / "0.png"
    answer = load_saved(tmp_path / "m.safetensors").predict(picture)
    assert len(answer) == classes and sum(answer.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.filterwarnings("ignore:.*collect more")
@pytest.mark.parametrize("num_epochs", [0, 1])
def test_three_pictures_are_enough_to_begin(train_on, tmp_path, num_epochs):
    for name, colour in (("ants/a", "red"), ("ants/b", "green"), ("bees/c", "blue")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(path)
    model, datasets = train_on(tmp_path, Preprocessing(64), num_epochs)
    assert {split: len(data) for split, data in datasets.items()} == {"train": 2, "val": 1}
    assert isinstance(model, nn.Module)


# --- Uploads


def upload(explorer, content: bytes) -> str:
    file = {"name": "../../evil", "type": "", "size": len(content), "content": memoryview(content)}
    explorer.controls.upload.value = [file | {"last_modified": datetime.now()}]
    return explorer.text


def sized(content: bytes):
    picture = load_image(io.BytesIO(content))
    return plt.figure(), f"{picture.width} x {picture.height}"


def png(width: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 8)).save(file, "PNG")
    return file.getvalue()


def test_an_upload_is_looked_at_and_its_name_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = upload_explorer(sized, png(5), accept="image/*")
    assert explorer.text == "5 x 8" and explorer.controls.upload.accept == "image/*"
    assert upload(explorer, png(9)) == "9 x 8"
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == "9 x 8" and data["image/png"]
    assert not any(tmp_path.iterdir()) and not (tmp_path.parent.parent / "evil").exists()


def test_an_upload_that_is_no_picture_is_one_line_and_the_next_one_works():
    explorer = upload_explorer(sized, png(5), accept="image/*")
    text = upload(explorer, b"<html>")
    assert text == "The image cannot be read (it holds no image); replace it or take it out."
    assert upload(explorer, png(7)) == "7 x 8"


@pytest.fixture
def lesson_uploads(tmp_path, monkeypatch):
    """The lesson's own way to look into a zip."""
    names = lesson_code("09_your_own_images.ipynb", "track")
    names["home"] = tmp_path
    return names["look_into"]


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_zip_replaces_the_one_before_unless_it_is_refused(lesson_uploads, tmp_path):
    assert lesson_uploads(zipped({"ants/1.png": png(5), "bees/1.png": png(6)}))[1] == "2 images in 2 classes"
    with pytest.raises(LessonError, match="leads out of the folder; get"):
        lesson_uploads(zipped({"../evil.png": png(5)}))
    assert sorted(p.name for p in (tmp_path / "uploaded").iterdir()) == ["ants", "bees"]
    three = zipped({f"{name}/1.png": png(5) for name in ("ants", "bees", "wasps")})
    assert lesson_uploads(three)[1] == "3 images in 3 classes"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["uploaded"]
