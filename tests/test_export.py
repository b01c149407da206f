"""What is exported answers as the network did, takes images as they are, and runs where there is no PyTorch."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from support.checks import line, names
from support.images import INSECTS, fill_with_insects
from torch import nn

from helpers.classifier import load
from helpers.errors import LessonError
from helpers.export import OPSET, ImageInput, export_onnx, image_graph, main, prepared_images
from helpers.images import load_image
from helpers.inference import SavedModel, save_model
from helpers.models import load_model, replace_head
from helpers.transforms import eval_transform
from helpers.weights import HALF, Preprocessing
from tools.environment import ROOT

CLASSES = ["ants", "bees"]
PREPROCESSING = Preprocessing(64)
PICTURES = sorted((INSECTS / "val").glob("*/*.jpg"))[::15]
PROGRAM = ROOT / "tests" / "support" / "without_torch.py"


@pytest.fixture(scope="module")
def model() -> SavedModel:
    torch.manual_seed(0)
    network = replace_head(load_model("embedded"), 2).eval()
    return SavedModel(network, "resnet18", CLASSES, PREPROCESSING, 0.6, "embedded")


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory) -> tuple[Path, Path]:
    return export_onnx(model, tmp_path_factory.mktemp("exported") / "insects.onnx")


def run(path: Path, **inputs: torch.Tensor) -> np.ndarray:
    return onnxruntime.InferenceSession(path).run(None, {name: x.numpy() for name, x in inputs.items()})[0]


def test_tensors_get_the_network_s_logits_in_batches_of_any_size(model, exported):
    _, tensors = exported
    for count in (1, 2, 5):
        x = torch.rand(count, 3, 64, 64)
        with torch.inference_mode():
            torch.testing.assert_close(torch.from_numpy(run(tensors, images=x)), model.network(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("precision", "message"),
    [("fp16", "There is no precision 'fp16'; there are float32, float16, int8"), ("int8", "int8 needs batches of")],
)
def test_a_precision_that_cannot_be_had_is_refused(model, tmp_path, precision, message):
    with pytest.raises(LessonError, match=message):
        export_onnx(model, tmp_path / "a.onnx", precision)
    assert not list(tmp_path.iterdir())


def test_images_get_the_same_answers_as_from_pytorch(model, exported):
    answers, expected = load(exported[0]).predict([*PICTURES]), model.predict([*PICTURES])
    for one, other in zip(answers, expected, strict=True):
        assert list(one) == list(other)
        assert one == pytest.approx(other, abs=0.005)  # a grey value in a hundred differs by one


@pytest.mark.parametrize("size", [(64, 64), (73, 90), (1, 9), (9, 1), (3, 3), (500, 333), (90, 73)], ids=str)
@pytest.mark.parametrize("preprocessing", [PREPROCESSING, Preprocessing(64, 70, HALF, HALF, "bicubic")], ids=str)
def test_the_preprocessing_of_the_graph_is_that_of_training(preprocessing, size):
    image = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = eval_transform(preprocessing)(image.permute(2, 0, 1))
    difference = (ImageInput(preprocessing)(image)[0] - expected).abs() * torch.tensor(preprocessing.std).view(3, 1, 1)
    grey_values = (255 * difference).round()
    assert grey_values.max() <= 2 and (grey_values > 0).float().mean() < 0.05


def test_the_whole_graph_computes_what_its_modules_do_in_pytorch(model, exported):
    for path in PICTURES:
        image = torch.from_numpy(np.array(load_image(path)))
        with torch.inference_mode():
            expected = model.network(ImageInput(PREPROCESSING)(image)).softmax(1)[0]
        torch.testing.assert_close(torch.from_numpy(run(exported[0], image=image)), expected, atol=1e-3, rtol=0)


def test_the_file_says_what_it_needs_and_not_where_it_was_made(model, exported):
    for path, takes in zip(exported, ("image", "tensor"), strict=True):
        graph = onnx.load(path)
        notes = {entry.key: entry.value for entry in graph.metadata_props}
        assert (notes["input"], notes["architecture"], notes["pretrained"]) == (takes, "resnet18", "embedded")
        assert json.loads(notes["class_names"]) == CLASSES and float(notes["threshold"]) == 0.6
        assert json.loads(notes["preprocessing"])["resize"] == 73
        assert {entry.version for entry in graph.opset_import if not entry.domain} == {OPSET}
        assert str(ROOT).encode() not in path.read_bytes() and b"site-packages" not in path.read_bytes()
        onnx.checker.check_model(graph, full_check=True)


def test_it_runs_where_there_is_no_pytorch(exported):
    command = [sys.executable, PROGRAM, exported[0], *PICTURES[:2]]
    run = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for answer, expected in zip(json.loads(run.stdout), load(exported[0]).predict([*PICTURES[:2]]), strict=True):
        assert answer == pytest.approx(expected, abs=1e-6)


def test_fewer_bits_make_smaller_files_that_mostly_agree(model, exported, tmp_path):
    train, tensors = prepared_images(INSECTS, PREPROCESSING, 20), onnx.load(exported[1])
    half, _ = export_onnx(model, tmp_path / "half.onnx", "float16", tensors=tensors)
    int8, _ = export_onnx(model, tmp_path / "int8.onnx", "int8", train, tensors)
    full = exported[0].stat().st_size
    assert half.stat().st_size < 0.55 * full and int8.stat().st_size < 0.3 * full
    expected = [answer["ants"] for answer in load(exported[0]).predict([*PICTURES])]
    assert [answer["ants"] for answer in load(half).predict([*PICTURES])] == pytest.approx(expected, abs=0.01)
    rounded = [answer["ants"] for answer in load(int8).predict([*PICTURES])]
    assert np.abs(np.subtract(rounded, expected)).mean() < 0.1


# --- What cannot be exported: one line, and nothing under a final name


class Undecided(nn.Module):
    """Looks at its numbers to decide what to compute: no graph can hold that."""

    def forward(self, x):
        return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))


def test_a_network_that_cannot_be_exported_is_named(tmp_path):
    model = SavedModel(Undecided(), "undecided", ["a", "b", "c"], PREPROCESSING)
    with pytest.raises(LessonError, match="undecided cannot be exported") as error:
        export_onnx(model, tmp_path / "m.onnx")
    line(error)
    assert names(tmp_path) == []


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(LessonError, match="A square of 64 pixels cannot be cut out of 60") as error:
        image_graph(onnx.ModelProto(), Preprocessing(64, 60))
    line(error)


def test_a_full_disk_leaves_the_file_that_was_there(model, exported, tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_text("the one before")
    (tmp_path / "m.tensor.onnx").write_text("the one before")

    def full(self, content):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LessonError, match=r"Cannot write .*: No space left on device; free some disk space") as error:
        export_onnx(model, tmp_path / "m.onnx", tensors=onnx.load(exported[1]))
    line(error)
    assert names(tmp_path) == ["m.onnx", "m.tensor.onnx"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"the one before"}


def test_another_ending_is_refused_before_anything_is_computed(model, tmp_path):
    with pytest.raises(LessonError, match="should end in .onnx") as error:
        export_onnx(model, tmp_path / "m.pt")
    line(error)


# --- The command


def command(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["export", *map(str, arguments)])
    return main()


@pytest.fixture
def saved(model, exported, tmp_path, monkeypatch) -> Path:
    """A saved model; to export it costs no time, since the fixture above has done it."""
    graph = onnx.load(exported[1])
    monkeypatch.setattr("helpers.export.tensor_graph", lambda model: graph)
    save_model(tmp_path / "insects.safetensors", model.network, CLASSES, PREPROCESSING)
    return tmp_path / "insects.safetensors"


def test_the_command_writes_two_files_and_the_card(saved, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "images"
    fill_with_insects(folder / "train", 3)
    fill_with_insects(folder / "val", 8)
    assert command(monkeypatch, saved, "--images", folder, "--purpose", "To tell ants from bees.") == 0
    assert {"insects.onnx", "insects.tensor.onnx", "insects.md"} < set(names(tmp_path))
    assert len(capsys.readouterr().out.splitlines()) == 3
    card = (tmp_path / "insects.md").read_text()
    assert "To tell ants from bees." in card and "There is no test split" in card
    assert load(tmp_path / "insects.onnx").threshold > 0  # an untrained head: "not sure" is cheaper than its mistakes


def test_the_command_without_images_says_that_there_is_no_card(saved, tmp_path, monkeypatch, capsys):
    assert command(monkeypatch, saved, "--out", tmp_path / "other.onnx") == 0
    assert "No model card" in capsys.readouterr().out and not (tmp_path / "other.md").exists()
    assert load(tmp_path / "other.onnx").threshold == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.safetensors"], "nowhere.safetensors is not there"),
        (["insects.safetensors", "--precision", "int8"], "int8 needs images of `train`"),
        (["insects.safetensors", "--images", "nowhere"], "nowhere is not there"),
        (["insects.safetensors", "--images", "others"], "has the classes cats, dogs, and the model was trained on"),
    ],
)
def test_the_command_fails_in_one_line(saved, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        for name in ("cats", "dogs"):
            (tmp_path / "others" / split / name).mkdir(parents=True)
            Image.new("RGB", (20, 20)).save(tmp_path / "others" / split / name / "1.png")
    with pytest.raises(SystemExit, match=message) as error:
        command(monkeypatch, *arguments)
    line(error)
