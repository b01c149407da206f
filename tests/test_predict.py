"""A model for keeps: what goes into the file comes out of it, and nothing else gets in."""

import copy
import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from PIL import Image
from support.images import INSECTS, fill_different
from support.means_model import ORANGE, write_model
from torch import nn
from torchvision.models import get_model

from helpers import ROOT
from helpers.data import load_image
from helpers.errors import LessonError
from helpers.inference import load_saved, save_model
from helpers.models import load_model, replace_head
from helpers.predict import main
from helpers.transforms import eval_transform
from helpers.weights import Preprocessing

pytestmark = pytest.mark.quick

CLASSES = ["ants", "bees", "wasps"]
PICTURE = min((INSECTS / "val" / "ants").iterdir())


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return replace_head(load_model("embedded"), 3)


@pytest.fixture
def saved(network, tmp_path):
    save_model(tmp_path / "insects.safetensors", network, CLASSES, Preprocessing(96))
    return tmp_path / "insects.safetensors"


def test_what_is_saved_answers_as_before(network, saved):
    model = load_saved(saved)
    assert (model.architecture, model.class_names, model.preprocessing) == ("resnet18", CLASSES, Preprocessing(96))
    answer = model.predict(PICTURE)
    with torch.inference_mode():
        expected = network.eval()(eval_transform(Preprocessing(96))(load_image(PICTURE))[None]).softmax(1)[0]
    assert answer == pytest.approx(dict(zip(CLASSES, expected.tolist(), strict=True)))
    assert list(answer.values()) == sorted(answer.values(), reverse=True)
    with PICTURE.open("rb") as file:
        assert model.predict(file) == model.predict(load_image(PICTURE)) == answer


def head_alone(path, network, pretrained="embedded"):
    """What the browser lab writes: the head, and the name of the weights of the rest."""
    head = {f"fc.{name}": tensor.detach() for name, tensor in network.fc.named_parameters()}
    metadata = {
        "backbone": pretrained,
        "architecture": "resnet18",
        "class_names": json.dumps(CLASSES),
        "size": "96",
        "resize": "110",
        "interpolation": "bilinear",
        "normalisation": json.dumps({"mean": [0.5] * 3, "std": [0.5] * 3}),
        "transform_input": "false",
    }
    safetensors.torch.save_file(head, path, metadata)


def test_a_head_alone_gets_its_backbone(network, tmp_path):
    head_alone(tmp_path / "head.safetensors", network)
    loaded = load_saved(tmp_path / "head.safetensors")
    x = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(loaded.network(x), network.eval()(x), atol=1e-5)
    assert (loaded.class_names, loaded.pretrained) == (CLASSES, "embedded")


@pytest.mark.parametrize("pretrained", ["IMAGENET1K_V1", "imagenet", "nobody"])
def test_a_head_for_weights_that_are_not_here_is_refused(network, tmp_path, pretrained):
    head_alone(tmp_path / "head.safetensors", network, pretrained)
    with pytest.raises(LessonError, match=f"weights '{pretrained}' of resnet18, which are not here"):
        load_saved(tmp_path / "head.safetensors")


def test_the_home_folder_may_be_short(network, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # the home folder on Windows
    save_model("~/short.safetensors", network, CLASSES, Preprocessing(96))
    assert (tmp_path / "short.safetensors").is_file()
    assert load_saved("~/short.safetensors").class_names == CLASSES


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_other_architectures_keep_their_weights(tmp_path, architecture):
    model = replace_head(get_model(architecture, weights=None), 2).eval()
    save_model(tmp_path / "m", model, ["a", "b"], Preprocessing(64), architecture)
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(load_saved(tmp_path / "m").network(x), model(x))


def test_a_turned_picture_is_set_upright(saved, tmp_path):
    upright = load_image(PICTURE)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    assert load_saved(saved).predict(tmp_path / "turned.png") == load_saved(saved).predict(PICTURE)


def rewrite(path, weights=(), **metadata):
    with safetensors.safe_open(path, "pt") as file:
        there = file.metadata() | metadata
    content = safetensors.torch.load_file(path) | dict(weights)
    kept = {key: value for key, value in there.items() if value is not None}
    path.write_bytes(safetensors.torch.save(content, kept))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(b""), "damaged or no safetensors file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged or no safetensors file"),
        (lambda path: path.write_text("<html>"), "damaged or no safetensors file"),
        (lambda path: rewrite(path, class_names=None), r"lacks its .*'class_names'"),
        (lambda path: rewrite(path, class_names="5"), "lacks its architecture, preprocessing or classes"),
        (lambda path: rewrite(path, size="large"), "lacks its architecture, preprocessing or classes"),
        (lambda path: rewrite(path, normalisation="{}"), "lacks its architecture, preprocessing or classes"),
        (
            lambda path: rewrite(path, architecture="resnet50"),
            r"does not match resnet50 with 3 classes: layer1.0.conv1",
        ),
        (lambda path: rewrite(path, architecture="nonet"), r"cannot be built\. There is no architecture 'nonet'"),
        (lambda path: rewrite(path, class_names='["a"]'), r"fc.weight is \(3, 512\), expected \(1, 512\)"),
        (lambda path: rewrite(path, {"more": torch.zeros(1)}), r"more is \(1,\), expected none"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(saved, spoil, message):
    spoil(saved)
    with pytest.raises(LessonError, match=message) as error:
        load_saved(saved)
    assert str(saved) in str(error.value) and "\n" not in str(error.value)


def test_a_pickle_runs_nothing(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save(Malicious(), tmp_path / "model.safetensors")
    with pytest.raises(LessonError, match="no safetensors file"):
        load_saved(tmp_path / "model.safetensors")
    assert not (tmp_path / "owned").exists()


def test_other_classes_are_not_saved(network, tmp_path):
    with pytest.raises(LessonError, match=r"The model does not match resnet18 with 2 classes: fc.weight is \(3, 512\)"):
        save_model(tmp_path / "m", network, ["a", "b"], Preprocessing(96))
    assert not any(tmp_path.iterdir())


def test_the_file_says_what_it_needs(saved):
    with safetensors.safe_open(saved, "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["class_names"]) == CLASSES and metadata["size"] == "96"


def test_threshold_and_origin_are_in_the_file(network, saved, tmp_path):
    save_model(tmp_path / "m", network, CLASSES, Preprocessing(96), threshold=0.7)
    model = load_saved(tmp_path / "m")
    assert (model.threshold, model.pretrained) == (0.7, "embedded")
    rewrite(saved, threshold=None, pretrained=None)  # as older files are
    assert (load_saved(saved).threshold, load_saved(saved).pretrained) == (0, "")


def test_several_images_have_an_answer_each(saved):
    model, pictures = load_saved(saved), sorted(PICTURE.parent.iterdir())[:3]
    answers = model.predict(pictures)
    for picture, answer in zip(pictures, answers, strict=True):
        assert answer == pytest.approx(model.predict(picture), abs=1e-5)


def test_a_strip_among_many_files_is_named_and_the_rest_goes_on(saved, tmp_path):
    Image.new("RGB", (4000, 1)).save(tmp_path / "strip.png")
    answers = [answer for _, answer in load_saved(saved).predict_files([tmp_path / "strip.png", PICTURE])]
    assert isinstance(answers[0], LessonError) and "strip.png is 4000 x 1 pixels" in str(answers[0])
    assert answers[1] == load_saved(saved).predict(PICTURE)


def command(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments)])
    return main()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("options", [[], ["--csv"]])
def test_answers_and_the_bar_do_not_share_a_line(saved, monkeypatch, options):
    terminal = Terminal()
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, terminal)
    monkeypatch.setattr(terminal, "reconfigure", lambda **_: None, raising=False)
    assert command(monkeypatch, saved, PICTURE, PICTURE, *options) == 0
    parts = re.split(r"[\r\n]", terminal.getvalue())
    assert any("image/s" in part for part in parts) and any(PICTURE.name in part for part in parts)
    assert not [part for part in parts if "image/s" in part and (PICTURE.name in part or "probability" in part)]


def test_a_name_that_the_terminal_cannot_write_is_written_otherwise(saved, tmp_path):
    (tmp_path / "\u5199\u771f.jpg").write_bytes(PICTURE.read_bytes())
    words = [sys.executable, "-m", "helpers.predict", str(saved), str(tmp_path / "\u5199\u771f.jpg")]
    done = subprocess.run(words, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, cwd=ROOT)
    assert done.returncode == 0 and rb"\u5199\u771f.jpg" in done.stdout


def test_fewer_workers_than_none_are_a_wrong_option(saved, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        command(monkeypatch, saved, PICTURE, "--workers", -1)
    assert end.value.code == 2 and "invalid natural value: '-1'" in capsys.readouterr().err


def test_the_command_prints_a_line_for_each_picture(saved, monkeypatch, capsys):
    assert command(monkeypatch, saved, PICTURE, PICTURE) == 0
    name, probability = next(iter(load_saved(saved).predict(PICTURE).items()))
    assert capsys.readouterr().out == f"{PICTURE}  {name} {probability:.1%}\n" * 2


def test_the_command_takes_an_exported_model(tmp_path, monkeypatch, capsys):
    ORANGE.save(tmp_path / "orange.png")
    assert command(monkeypatch, write_model(tmp_path / "colours.onnx"), tmp_path / "orange.png") == 0
    assert capsys.readouterr().out.endswith("orange.png  a red 80.0%\n")


def test_the_command_goes_on_after_a_bad_picture_and_says_so(saved, monkeypatch, capsys, tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    assert command(monkeypatch, saved, tmp_path / "bad.jpg", PICTURE) == 1
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1 and "bad.jpg cannot be read" in err and len(out.splitlines()) == 1


def test_the_command_without_a_model_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="is not there"):
        command(monkeypatch, tmp_path / "none", PICTURE)


def test_a_file_without_a_name_that_is_no_picture_is_one_line(saved):
    with pytest.raises(LessonError, match=r"^The image cannot be read \(it holds no image\)"):
        load_saved(saved).predict(io.BytesIO(b"<html>"))


def test_a_network_that_changes_its_input_goes_on_doing_so(tmp_path):
    model = torchvision.models.googlenet(transform_input=True, aux_logits=True, init_weights=False)
    save_model(tmp_path / "model.safetensors", replace_head(model, 2), ["ants", "bees"], Preprocessing(64), "googlenet")
    assert load_saved(tmp_path / "model.safetensors").network.transform_input


# --- Models as people have them


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_precisions_are_saved_and_answer_in_float32(network, tmp_path, kind):
    save_model(tmp_path / "m", copy.deepcopy(network).to(kind), CLASSES, Preprocessing(96), "resnet18")
    model = load_saved(tmp_path / "m")
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    save_model(tmp_path / "whole", network, CLASSES, Preprocessing(96), "resnet18")
    assert model.predict(PICTURE) == pytest.approx(load_saved(tmp_path / "whole").predict(PICTURE), abs=0.02)


def test_wrapped_networks_are_saved_without_their_wrapper(network, tmp_path):
    save_model(tmp_path / "m", network, CLASSES, Preprocessing(96), "resnet18")
    for wrapped in (nn.DataParallel(network), torch.compile(network), torch.compile(nn.DataParallel(network))):
        save_model(tmp_path / "wrapped", wrapped, CLASSES, Preprocessing(96), "resnet18")
        assert load_saved(tmp_path / "wrapped").predict(PICTURE) == load_saved(tmp_path / "m").predict(PICTURE)


def test_a_network_for_one_size_is_not_saved_with_another(tmp_path):
    model = replace_head(get_model("vit_b_16", weights=None), 2)
    with pytest.raises(LessonError, match="takes images of 224 pixels, and the preprocessing makes them of 64"):
        save_model(tmp_path / "m", model, ["a", "b"], Preprocessing(64), "vit_b_16")


def test_the_same_answer_however_the_picture_comes(saved, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    load_image(PICTURE).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    content, model = (tmp_path / "turned.jpg").read_bytes(), load_saved(saved)
    expected = model.predict(tmp_path / "turned.jpg")
    upright = np.asarray(load_image(tmp_path / "turned.jpg"))
    for way in (Image.open(tmp_path / "turned.jpg"), content, {"name": "x", "content": memoryview(content)}, upright):
        assert model.predict(way) == pytest.approx(expected, abs=1e-6)


# --- The command, for folders and programs


@pytest.fixture
def new(tmp_path):
    """A folder as a telephone leaves it: three images, one below; one of them is damaged."""
    folder = fill_different(tmp_path / "new images", 2)
    fill_different(folder / "more", 1, ".jpg")
    (folder / "notes.txt").touch()
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "1.jpg").write_bytes((folder / "more" / "picture_0.jpg").read_bytes())
    (folder / "broken.jpg").write_text("<html>")
    return folder


def test_the_command_takes_folders_and_patterns(saved, new, monkeypatch, capsys):
    assert command(monkeypatch, saved, new, new / "*.png") == 1
    out, err = capsys.readouterr()
    names = [line.partition("  ")[0].rpartition("/")[2] for line in out.splitlines()]
    assert names == ["picture_0.jpg", "picture_0.png", "picture_1.png", "picture_0.png", "picture_1.png"]
    assert len(err.splitlines()) == 1 and "broken.jpg cannot be read (it holds no image)" in err


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_the_command_writes_a_table(saved, new, monkeypatch, capsys, batch_size):
    assert command(monkeypatch, "--csv", "--top", 2, "--batch-size", batch_size, "--device", "cpu", saved, new) == 1
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["file"].rpartition("/")[2] for row in rows] == ["picture_0.jpg", "picture_0.png", "picture_1.png"]
    for row in rows:
        expected = list(load_saved(saved).predict(row["file"]).items())[:2]
        assert [row["label"], row["label_2"]] == [name for name, _ in expected]
        assert float(row["probability"]) == pytest.approx(expected[0][1], abs=1e-4)


def test_the_command_speaks_to_programs(saved, new, monkeypatch, capsys):
    assert command(monkeypatch, saved, new, "--json", "--top", 9) == 1
    found = json.loads(capsys.readouterr().out)
    assert [set(row) for row in found] == [{"file", "error"}] + [{"file", "probabilities"}] * 3
    assert set(found[1]["probabilities"]) == set(CLASSES)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing/*.jpg", "nothing/*.jpg matches no file; check its name."),
        ("", " has no images; check its name."),
        ("none.jpg", "none.jpg cannot be read (it is not there); check its name."),
    ],
)
def test_the_command_goes_on_past_names_without_pictures(saved, tmp_path, monkeypatch, capsys, name, said):
    (tmp_path / "empty").mkdir()
    assert command(monkeypatch, saved, tmp_path / "empty" / name, PICTURE) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and len(err.splitlines()) == 1 and said in err


def test_the_command_names_a_device_that_is_not_there(saved, monkeypatch):
    for device in ("cuda:99", "toaster"):
        with pytest.raises(SystemExit, match=f"There is no device '{device}'.*; leave --device out") as error:
            command(monkeypatch, "--device", device, saved, PICTURE)
        assert "\n" not in str(error.value)
