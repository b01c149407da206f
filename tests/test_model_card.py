"""The model card says what the exported file answers, counted."""

import hashlib

import pytest
from PIL import Image
from support.checks import line
from support.means_model import COLOURS, write_model
from support.training import tiny_model

from helpers.errors import LessonError
from helpers.inference import SavedModel
from helpers.model_card import model_card
from helpers.weights import Preprocessing

pytestmark = pytest.mark.quick

MODEL = SavedModel(tiny_model(), "resnet18", COLOURS, Preprocessing(8), 0.5, "embedded")
SHADES = {"a red": (200, 40, 10), "b green": (0, 255, 0), "c blue": (0, 0, 9)}
UNSURE = (100, 90, 90)  # red by a little


def put(folder, name, *colours):
    (folder / name).mkdir(parents=True)
    for number, colour in enumerate(colours):
        Image.new("RGB", (9, 7), colour).save(folder / name / f"{number}.png")


@pytest.fixture
def folder(tmp_path):
    """Two images of each class for training, one to choose with, and five to test: one unsure, one mislabelled."""
    for name, colour in SHADES.items():
        put(tmp_path / "images" / "train", name, colour, colour)
        put(tmp_path / "images" / "val", name, colour)
    put(tmp_path / "images" / "test", "a red", SHADES["a red"], UNSURE)
    put(tmp_path / "images" / "test", "b green", SHADES["b green"], SHADES["c blue"])
    put(tmp_path / "images" / "test", "c blue", SHADES["c blue"])
    return tmp_path / "images"


def sections(card: str) -> dict[str, str]:
    return dict(part.strip().split("\n\n", 1) for part in card.split("\n## ")[1:])


def test_the_figures_are_those_of_the_file(folder, tmp_path):
    path = write_model(tmp_path / "colours.onnx")
    card = sections(model_card(MODEL, path, folder, "To sort colours."))
    assert list(card) == ["The model", "Purpose", "Data", "Measured on test", "Not sure", "Limits"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card["The model"]
    assert "MIT, as this repository" in card["The model"] and "resnet18" in card["The model"]
    assert card["Purpose"] == "To sort colours."
    assert "| train | 2 | 2 | 2 | 6 |" in card["Data"] and "| test | 2 | 2 | 1 | 5 |" in card["Data"]
    assert "Accuracy 80.0%" in card["Measured on test"] and "4 of 5" in card["Measured on test"]
    assert "most frequent class: 40.0%" in card["Measured on test"]
    (green,) = (row for row in card["Measured on test"].splitlines() if row.startswith("| b green"))
    assert "1 of 2" in green and "1 of 1" in green
    assert "below" in card["Not sure"].lower() and "4 of 5" in card["Not sure"] and "3 of 4" in card["Not sure"]
    assert ", ".join(COLOURS) in card["Limits"]


def test_what_nobody_said_or_chose_is_not_made_up(folder, tmp_path):
    path = write_model(tmp_path / "colours.onnx", threshold="0")
    card = sections(model_card(SavedModel(MODEL.network, "resnet18", COLOURS, Preprocessing(8)), path, folder))
    assert card["Purpose"].startswith("Not stated")
    assert card["Not sure"].startswith("No threshold was chosen")
    assert "not noted" in card["The model"]


def test_without_a_test_split_the_card_says_that_val_was_used_twice(folder, tmp_path):
    (folder / "test").rename(tmp_path / "elsewhere")
    card = sections(model_card(MODEL, write_model(tmp_path / "colours.onnx"), folder))
    assert "There is no test split" in card["Measured on val"]


def test_other_conditions_stand_beside_the_usual_ones(folder, tmp_path):
    put(tmp_path / "shifted", "a red", UNSURE, SHADES["b green"])
    card = sections(model_card(MODEL, write_model(tmp_path / "colours.onnx"), folder, shifted=tmp_path / "shifted"))
    assert "4 of 5" in card["Other conditions"] and "1 of 2" in card["Other conditions"]


def test_images_of_other_classes_are_refused(folder, tmp_path):
    for split in ("train", "val", "test"):
        (folder / split / "c blue").rename(folder / split / "d violet")
    with pytest.raises(LessonError, match="has the classes a red, b green, d violet, and the model") as error:
        model_card(MODEL, write_model(tmp_path / "colours.onnx"), folder)
    line(error)
