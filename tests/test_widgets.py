"""Explorers draw while cells run. A cell that ends shows and closes pyplot's figures, so theirs are none of these."""

import io

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image
from support.helper_runs import PREPROCESSING, network, small_datasets

from helpers.plots import plot_history, show_images
from helpers.widgets import (
    LiveCurves,
    architecture_chooser,
    augmentation_explorer,
    batch_explorer,
    confusion_explorer,
    surgery_explorer,
    upload_explorer,
)

HISTORY = {key: [0.5, 0.4] for key in ("train_loss", "train_acc", "val_loss", "val_acc", "lr")}


def picture() -> Image.Image:
    return Image.new("RGB", (32, 32))


def uploaded(datasets):
    content = io.BytesIO()
    picture().save(content, "png")
    return upload_explorer(lambda _: (show_images([picture()]), "a picture"), content.getvalue(), "image/*")


EXPLORERS = {
    "architectures": lambda datasets: architecture_chooser(),
    "augmentation": lambda datasets: augmentation_explorer(picture(), 24),
    "batches": lambda datasets: batch_explorer(datasets["train"], PREPROCESSING),
    "confusion": lambda datasets: confusion_explorer(network(torch.device("cpu")), datasets["val"], PREPROCESSING),
    "surgery": lambda datasets: surgery_explorer(),
    "upload": uploaded,
}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    return small_datasets(tmp_path_factory.mktemp("images"))


@pytest.fixture
def pyplot(monkeypatch):
    """The figures that pyplot is asked for."""
    asked, figure = [], plt.figure

    def noted(*args, **options):
        asked.append(figure(*args, **options))
        return asked[-1]

    monkeypatch.setattr(plt, "figure", noted)
    yield asked
    plt.close("all")


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_draws_no_figure_of_pyplot(name, datasets, pyplot):
    explorer = EXPLORERS[name](datasets)
    for control in vars(explorer.controls).values():
        if hasattr(control, "options"):
            control.index = len(control.options) - 1
        elif isinstance(control.value, bool):
            control.value = not control.value
        elif hasattr(control, "max"):
            control.value = control.max
    assert not pyplot


def test_live_curves_draw_no_figure_of_pyplot(pyplot):
    LiveCurves()(HISTORY)
    assert not pyplot


def test_a_cell_s_figures_are_pyplot_s(pyplot):
    drawn = [plot_history(HISTORY), show_images([picture()])]
    assert pyplot == drawn
