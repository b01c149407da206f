"""Every helper that computes follows its model: on the pretend accelerator it gives what it gives on the CPU.

A tensor that stays behind stops the helper with the name of the operation, so each `.to(device)` has its test here.
"""

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from support.helper_runs import (
    CLASSES,
    HELPERS,
    PREPROCESSING,
    assert_same,
    extracted,
    network,
    predicted,
    sgd,
    shown,
    small_datasets,
    train,
    weights,
)
from torch import nn
from torchvision.models import get_model

from helpers import predict as command
from helpers import train as train_command
from helpers.costs import measure_steps
from helpers.data import make_dataloader, make_dataloaders
from helpers.devices import best_device, device_of
from helpers.exercises import Exercise
from helpers.exercises.lesson_03 import _moved, shape_of_logits
from helpers.explain import randomised_copy
from helpers.inference import load_saved, save_model
from helpers.models import load_model, replace_head
from helpers.plots import show_images, show_maps
from helpers.training import run_epoch
from helpers.transforms import denormalise
from helpers.widgets import augmentation_explorer, batch_explorer

pretend_device = pytest.importorskip("support.pretend_device", exc_type=ImportError)
CPU, DEVICE = torch.device("cpu"), torch.device("pretend:0")
ARCHITECTURE = "shufflenet_v2_x0_5"


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch):
    monkeypatch.setenv("TL_DEVICE", "pretend")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    return small_datasets(tmp_path_factory.mktemp("images"))


# Without float64 the device is as strict as Apple's: what passes there passes with it, too.
@pytest.mark.parametrize("like", ["MPS", pytest.param("CUDA", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("helper", HELPERS, ids=lambda helper: helper.__name__)
def test_it_gives_on_the_device_what_it_gives_on_the_cpu(helper, like, datasets):
    def run(device: torch.device) -> Any:
        model = network(device)
        result = helper(model, datasets)
        assert {part.device for part in (*model.parameters(), *model.buffers())} == {device}
        return result

    with pretend_device.without_float64() if like == "MPS" else contextlib.nullcontext():
        assert_same(run(DEVICE), run(CPU))


def test_a_model_in_channels_last_gets_its_batches_so(datasets):
    for device in (DEVICE, CPU):
        usual, last = network(device), network(device).to(memory_format=torch.channels_last)
        seen = []
        last.conv1.register_forward_pre_hook(
            lambda layer, inputs, seen=seen: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
        )
        assert_same(predicted(last, datasets), predicted(usual, datasets))
        assert seen and all(seen)


def test_a_randomised_copy_is_beside_its_model():
    model = network(DEVICE)
    drawn = torch.get_rng_state()
    copied = randomised_copy(model)
    assert device_of(copied) == DEVICE
    assert not torch.equal(copied.fc.weight, model.fc.weight)
    assert not torch.equal(torch.get_rng_state(), drawn), "one seed gives one network on every device"


def test_images_on_the_device_are_denormalised_there_and_shown(datasets):
    image = datasets["val"][0][0]
    on_device = denormalise(image.to(DEVICE), PREPROCESSING)
    assert on_device.device == DEVICE
    assert_same(on_device.cpu(), denormalise(image, PREPROCESSING))
    assert_same(shown(show_images([on_device])), shown(show_images([on_device.cpu()])))
    maps = torch.rand(1, 4, 4)
    assert_same(shown(show_maps([on_device], maps.to(DEVICE), ["a"])), shown(show_maps([on_device.cpu()], maps, ["a"])))


def test_steps_are_measured_on_the_device(datasets):
    model = network(DEVICE)
    measured = measure_steps(model, model, make_dataloaders(datasets), sgd(model), steps=1)
    assert measured.train_step > 0 and measured.val_step > 0


def test_an_exercise_compares_a_backbone_on_the_device_with_its_weights():
    assert _moved(replace_head(load_model("embedded"), 2).to(DEVICE)) == []


def test_an_exercise_takes_a_network_from_the_device():
    assert shape_of_logits(network(DEVICE)) == shape_of_logits(network(CPU)) == (1, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_mixed_precision_learns_and_its_gradients_are_scaled(dtype, datasets, monkeypatch):
    for module in ("devices", "training"):
        monkeypatch.setattr(f"helpers.{module}.autocast_dtype", lambda device: dtype)
    scales = []
    scale = torch.amp.GradScaler.scale
    monkeypatch.setattr(
        torch.amp.GradScaler, "scale", lambda scaler, loss: scales.append(scaler.is_enabled()) or scale(scaler, loss)
    )
    model, computed = network(DEVICE), set()
    model.layer4.register_forward_hook(lambda layer, inputs, output: computed.add(output.dtype))
    history = train(model, datasets, num_epochs=6, max_norm=1.0)
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert computed == {dtype} and {p.dtype for p in model.parameters()} == {torch.float32}
    assert set(scales) == {dtype == torch.float16}
    for result in (*extracted(model, datasets), *predicted(model, datasets)):
        assert result.dtype in (np.float32, torch.float32, np.int64, torch.int64)


def test_no_step_makes_the_cpu_wait(datasets, monkeypatch):
    """A number that is read or copied back waits for all that the device has still to do."""

    def waits(batch_size: int) -> int:
        calls = Counter()
        compute = pretend_device.compute

        def counting(operation, args, kwargs):
            back = kwargs.get("device") is not None and not pretend_device.is_pretend(kwargs["device"])
            calls["waits"] += back or operation.overloadpacket is torch.ops.aten._local_scalar_dense
            return compute(operation, args, kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(pretend_device, "compute", counting)
            model = network(DEVICE)
            run_epoch(model, make_dataloader(datasets["train"], batch_size), nn.CrossEntropyLoss(), sgd(model))
        return calls["waits"]

    assert waits(batch_size=4) == waits(batch_size=20) > 0


# --- Checkpoints


@pytest.mark.parametrize(("first", "then"), [(CPU, DEVICE), (DEVICE, CPU)], ids=["CPU to device", "device to CPU"])
def test_a_checkpoint_of_one_device_resumes_on_the_other(first, then, datasets, tmp_path):
    whole = network(CPU)
    history = train(whole, datasets, num_epochs=4)
    train(network(first), datasets, num_epochs=2, checkpoint=tmp_path / "run.pt")
    resumed = network(then)
    resumed_history = train(resumed, datasets, num_epochs=4, checkpoint=tmp_path / "run.pt")
    assert_same(resumed_history, history)
    assert_same(weights(resumed), weights(whole))
    assert device_of(resumed) == then


def test_a_checkpoint_holds_the_random_state_of_the_device(datasets, tmp_path):
    whole = network(DEVICE, dropout=0.5)
    history = train(whole, datasets, num_epochs=4)
    train(network(DEVICE, dropout=0.5), datasets, num_epochs=2, checkpoint=tmp_path / "run.pt")
    resumed = network(DEVICE, dropout=0.5)
    torch.manual_seed(99)  # a new process would be in another random state, on both devices
    assert train(resumed, datasets, num_epochs=4, checkpoint=tmp_path / "run.pt") == history
    assert all(map(torch.equal, weights(resumed), weights(whole)))


# --- Saved models


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    model = replace_head(get_model(ARCHITECTURE, weights=None), 2).to(DEVICE)
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    save_model(path, model, CLASSES, PREPROCESSING, ARCHITECTURE)
    return path, model


def test_a_model_from_the_device_is_saved_and_predicts_anywhere(saved, datasets):
    path, model = saved
    here, there = load_saved(path), load_saved(path)
    assert device_of(here.network) == CPU, "the file can be opened where there is no such device"
    assert_same(weights(here.network), weights(model))
    there.network.to(DEVICE)
    picture = datasets["val"].samples[0][0]
    assert there.predict(picture) == pytest.approx(here.predict(picture), rel=1e-4)


def test_the_command_predicts_on_the_best_device(saved, datasets, monkeypatch, capsys):
    def say() -> tuple[str, Counter]:
        calls, compute = Counter(), pretend_device.compute
        monkeypatch.setattr(pretend_device, "compute", lambda f, *rest: calls.update([str(f)]) or compute(f, *rest))
        monkeypatch.setattr(sys, "argv", ["predict", str(saved[0]), datasets["val"].samples[0][0]])
        assert command.main() == 0
        return capsys.readouterr().out, calls

    there, calls = say()
    assert any("conv" in call for call in calls)
    monkeypatch.setenv("TL_DEVICE", "cpu")
    here, calls = say()
    assert here == there and not calls


def test_the_command_trains_on_the_best_device(datasets, tmp_path, monkeypatch):
    calls, compute = Counter(), pretend_device.compute
    monkeypatch.setattr(pretend_device, "compute", lambda f, *rest: calls.update([str(f)]) or compute(f, *rest))
    folder, options = Path(datasets["val"].samples[0][0]).parents[2], ("--method", "probe", "--image-size", "32")
    monkeypatch.setattr(sys, "argv", ["train", str(folder), "--out", str(tmp_path / "mine.safetensors"), *options])
    assert train_command.main() == 0
    assert any("conv" in call for call in calls)


# --- The device itself


def test_the_environment_chooses_the_device(monkeypatch):
    assert best_device() == torch.device("pretend")
    monkeypatch.setenv("TL_DEVICE", "cpu")
    assert best_device() == CPU


@pytest.mark.parametrize(
    "step",
    [
        lambda datasets: augmentation_explorer(Image.open(datasets["val"].samples[0][0]), 24),
        lambda datasets: batch_explorer(datasets["train"], PREPROCESSING),
        lambda datasets: Exercise(lambda answer: "", hints=[], answer="").check(1),
    ],
    ids=["augmentation explorer", "batch explorer", "exercise"],
)
def test_the_random_numbers_of_a_lesson_stay_as_they_are(step, datasets):
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.pretend.get_rng_state()
    step(datasets)
    assert all(map(torch.equal, before, (torch.get_rng_state(), torch.pretend.get_rng_state())))
