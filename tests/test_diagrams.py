"""Diagrams show what they are given, within their edges, and tell frozen from trainable without colours."""

from itertools import pairwise

import pytest
from matplotlib.text import Annotation

from helpers.diagrams import (
    KINDS,
    Arrow,
    Box,
    blocks,
    draw_boxes,
    flow,
    layer_rows,
    residual_block,
    resnet,
    training_loop,
    transfer,
    vision_transformer,
)

pytestmark = pytest.mark.quick

LAYERS = ["conv1", "layer1", "fc"]
ROWS = {
    "linear probe": {**dict.fromkeys(LAYERS, "frozen"), "fc": "trainable"},
    "scratch": dict.fromkeys(LAYERS, "trainable"),
}
SKIP = [Arrow("x", "f"), Arrow("f", "+"), Arrow("x", "+", "skip", bend=-1.5)]
DIAGRAMS = {
    "flow": lambda: flow({"image": "uint8\n(188, 260, 3)", "tensor": "", "batch": "(32, 3, 128, 128)"}),
    "rows": lambda: layer_rows(ROWS),
    "transfer": lambda: transfer("97,000 photographs", "199 classes", "244 images", "2 classes"),
    "a small and a large box": lambda: draw_boxes(
        {"small": Box("a", 0, 0.6, 0.9), "large": Box("b", 2.6, 0, 2.1)}, [Arrow("small", "large", "export")]
    ),
    "boxes": lambda: draw_boxes({"x": Box("x", 0, 0), "f": Box("f(x)", 0, 1), "+": Box("+", 0, 2)}, SKIP, "a block"),
    "resnet": resnet,
    "residual block": residual_block,
    "blocks": blocks,
    "vision transformer": vision_transformer,
    "training loop": training_loop,
}


@pytest.mark.parametrize("name", DIAGRAMS)
def test_all_of_a_diagram_is_inside_and_its_words_fit_their_boxes(name):
    figure = DIAGRAMS[name]()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    page = figure.bbox
    for drawn in [*ax.patches, *ax.texts]:
        extent = drawn.get_window_extent()
        assert page.x0 <= extent.x0 and extent.x1 <= page.x1 and page.y0 <= extent.y0 and extent.y1 <= page.y1
    boxes = [patch.get_window_extent() for patch in ax.patches]
    for text in filter(lambda text: text.get_text(), ax.texts):
        words = text.get_window_extent()
        for box in boxes:
            if box.contains(*((words.p0 + words.p1) / 2)):
                assert box.x0 <= words.x0 and words.x1 <= box.x1, f"{text.get_text()!r} is wider than its box"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_label_of_an_arrow_leaves_both_its_ends_to_be_seen(name):
    figure = DIAGRAMS[name]()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    for arrow, label in pairwise(ax.texts):
        if not isinstance(arrow, Annotation) or isinstance(label, Annotation) or label.get_text() == "a block":
            continue
        line, words = arrow.arrow_patch.get_window_extent(), label.get_window_extent()
        axis = 0 if line.width > line.height else 1
        assert line.min[axis] + 5 < words.min[axis] and words.max[axis] < line.max[axis] - 5, label.get_text()


def test_the_kinds_of_layers_stand_in_a_legend_and_differ_in_more_than_colour():
    (ax,) = layer_rows(ROWS).axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["frozen", "trainable"]
    assert KINDS["frozen"][3] != KINDS["trainable"][3]
    assert flow({"image": "", "tensor": ""}).axes[0].get_legend() is None


def test_a_row_shows_its_layers_in_their_order():
    (ax,) = layer_rows(ROWS).axes
    shown = [text.get_text() for text in ax.texts if text.get_text()]
    assert shown == ["linear probe", *LAYERS, "scratch", *LAYERS]
