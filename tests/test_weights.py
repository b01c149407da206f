"""The embedded weights and what their model card says of them."""

import json

import pytest
from safetensors import safe_open

from helpers.errors import LessonError
from helpers.evaluation import mean_interval
from helpers.models import EMBEDDED, load_model, verified
from recipes import measure_transfer

pytestmark = pytest.mark.quick

CARD = measure_transfer.CARD.read_text()
RESULTS = json.loads(measure_transfer.RESULTS.read_text())
TARGETS = {  # images, method: the mean accuracy that the lessons rely on
    ("insects", "frozen embedded features + linear probe"): 0.90,
    ("insects", "fine-tuned from the embedded weights, 15 epochs"): 0.95,
    ("photographs", "frozen embedded features + linear probe"): 0.80,
    ("photographs", "fine-tuned from the embedded weights, 15 epochs"): 0.85,
}


def measured(images: str, method: str) -> list[float]:
    return [right / total for right, total in RESULTS[images][method].values()]


def test_the_card_shows_the_measured_results():
    table = CARD.split(measure_transfer.START)[1].split(measure_transfer.END)[0]
    assert table == measure_transfer.table(RESULTS)


def test_the_card_tells_how_the_weights_were_made():
    with safe_open(EMBEDDED, "pt") as file:
        metadata = file.metadata()
    assert f"{float(metadata['source_top1']):.1%}" in CARD
    assert f"{metadata['epochs']} epochs" in CARD
    assert len(json.loads(metadata["classes"])) == 199
    assert not {"ant", "bee"} & set(json.loads(metadata["classes"]))


@pytest.mark.parametrize(("images", "method"), TARGETS)
def test_transfer_reaches_its_target(images, method):
    accuracies = measured(images, method)
    mean = mean_interval(accuracies)[0] if len(accuracies) > 1 else accuracies[0]
    assert mean >= TARGETS[images, method]


@pytest.mark.parametrize("images", ["insects", "photographs"])
def test_pretrained_features_beat_random_ones(images):
    (pretrained,) = measured(images, "frozen embedded features + linear probe")
    low, high = mean_interval(measured(images, "random frozen features + linear probe"))[1:]
    assert low <= high < pretrained


@pytest.mark.parametrize("images", ["insects", "photographs"])
def test_fine_tuning_beats_training_from_scratch(images):
    scratch, tuned = (
        mean_interval(measured(images, method))
        for method in ("from scratch, the textbook's 25 epochs", "fine-tuned from the embedded weights, 15 epochs")
    )
    assert scratch[2] < tuned[1], "the intervals over seeds do not overlap"


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.models.ROOT", tmp_path)
    damaged = tmp_path / EMBEDDED.name
    (tmp_path / "SHA256SUMS").write_text((EMBEDDED.parent / "SHA256SUMS").read_text())
    damaged.write_bytes(EMBEDDED.read_bytes()[:-1])
    with pytest.raises(LessonError, match="missing or damaged; `git checkout"):
        verified(damaged)
    damaged.unlink()
    with pytest.raises(LessonError, match="missing or damaged"):
        verified(damaged)


def test_embedded_weights_exist_for_resnet18_only():
    with pytest.raises(LessonError, match="ResNet18's; for vgg16"):
        load_model("embedded", "vgg16")
