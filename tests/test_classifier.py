"""`load(path)` gives a model that answers images, or one line that says why it cannot."""

import sys

import numpy as np
import pytest
from PIL import Image
from support.checks import line
from support.means_model import COLOURS, GRAPH, ORANGE, write_model
from torchvision.datasets.folder import IMG_EXTENSIONS

from helpers.classifier import OnnxModel, load
from helpers.errors import LessonError
from helpers.images import ENDINGS
from helpers.inference import SavedModel, save_model
from helpers.models import load_model, replace_head
from helpers.weights import Preprocessing

pytestmark = pytest.mark.quick


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "colours.onnx")


def test_one_image_has_one_answer_and_a_list_a_list_of_them(path, tmp_path):
    model = load(path)
    ORANGE.save(tmp_path / "orange.png")
    expected = pytest.approx({"a red": 0.8, "b green": 0.2, "c blue": 0})
    answer = model.predict(tmp_path / "orange.png")
    assert answer == expected and list(answer) == COLOURS
    turquoise = np.broadcast_to(np.array([0, 50, 150], np.uint8), (9, 5, 3))
    one, other = model.predict([ORANGE, turquoise])
    assert one == expected and other["c blue"] == 0.75 and list(other) == ["c blue", "b green", "a red"]
    assert model.predict([]) == []
    assert model.threshold == 0.5


def test_files_that_cannot_be_read_are_named_and_the_others_answered(path, tmp_path):
    ORANGE.save(tmp_path / "orange.png")
    (tmp_path / "page.png").write_text("<html>")
    (_, good), (name, bad) = load(path).predict_files([tmp_path / "orange.png", tmp_path / "page.png"])
    assert good["a red"] == pytest.approx(0.8)
    assert name == tmp_path / "page.png" and "page.png cannot be read (it holds no image)" in str(bad)


def test_the_ending_decides_what_runs_a_model(path, tmp_path):
    save_model(tmp_path / "m.safetensors", replace_head(load_model("embedded"), 2), ["a", "b"], Preprocessing(64))
    assert isinstance(load(tmp_path / "m.safetensors"), SavedModel)
    assert isinstance(load(path), OnnxModel)


TOO_NEW = GRAPH.replace("ir_version: 10", "ir_version: 99")
TOO_NEW_OPSET = GRAPH.replace(": 20]", ": 99]")
TWO_CLASSES = '["a red", "b green"]'


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(b""), "is damaged or no ONNX file"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "is damaged or no ONNX file"),
        (lambda path: path.write_text("<html>"), "is damaged or no ONNX file"),
        (lambda path: write_model(path, class_names=None), r"lacks its classes or its threshold \('class_names'\)"),
        (lambda path: write_model(path, class_names="5"), "lacks its classes or its threshold"),
        (lambda path: write_model(path, threshold="high"), "lacks its classes or its threshold"),
        (lambda path: write_model(path, class_names=TWO_CLASSES), "does not turn one image into 2 probabilities"),
        (lambda path: write_model(path, input=None), "does not turn one image into 3 probabilities"),
        (lambda path: write_model(path, input="tensor"), "takes tensors that are prepared already"),
        (
            lambda path: write_model(path, TOO_NEW),
            r"onnxruntime [\d.]+ is too old for .*IR version.*--upgrade onnxruntime",
        ),
        (lambda path: write_model(path, TOO_NEW_OPSET), r"onnxruntime [\d.]+ is too old for .*--upgrade onnxruntime"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(path, spoil, message):
    spoil(path)
    with pytest.raises(LessonError, match=message) as error:
        load(path)
    assert str(path) in line(error)


@pytest.mark.parametrize(
    ("package", "name", "message"),
    [("onnxruntime", "colours.onnx", "needs onnxruntime"), ("safetensors", "m.safetensors", "needs PyTorch")],
)
def test_what_is_not_installed_is_named(path, monkeypatch, package, name, message):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "helpers.inference")
    with pytest.raises(LessonError, match=message) as error:
        load(path.with_name(name))
    line(error)


def test_a_strip_that_would_fill_the_memory_is_refused(path):
    assert load(path).predict(Image.new("RGB", (300, 3), "red"))["c blue"] == 0
    with pytest.raises(LessonError, match="4000 x 1 pixels, too long a strip") as error:
        load(path).predict(Image.new("RGB", (4000, 1)))
    line(error)


def test_the_endings_of_images_are_those_of_torchvision_and_more():
    assert set(IMG_EXTENSIONS) < set(ENDINGS)
