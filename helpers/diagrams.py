"""Diagrams of structure in one style: boxes, arrows, rows of layers, frozen and trainable (all lessons).

White behind dark lines: so they read in the light theme of JupyterLab as in the dark one, and in print.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

INK = "#222222"
# Of each kind of box: the fill, the frame, its width in points, and its line, which tells kinds apart without colours.
KINDS: dict[str, tuple[str, str, float, Any]] = {
    "data": ("#F4F4F4", "#666666", 1.0, "-"),
    "frozen": ("#D6E6F2", "#0072B2", 1.6, "-"),
    "trainable": ("#FBE5B5", "#B36B00", 1.6, (0, (4, 1.5))),
    "held out": ("#DDF1E4", "#00704F", 1.6, ":"),
    "text": ("none", "none", 0.0, "-"),  # words without a frame
}
NAMED = ("frozen", "trainable")  # these stand in a legend


@dataclass(frozen=True)
class Box:
    """A box of a diagram.

    Attributes:
        text: its words; a line break starts a new line.
        x, y: its centre, in inches from the upper left corner; y grows downwards.
        width, height: in inches.
        kind: one of `KINDS`.
    """

    text: str
    x: float
    y: float
    width: float = 1.3
    height: float = 0.55
    kind: str = "data"


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another, by their names.

    Attributes:
        start, end: names of boxes.
        label: words beside its middle.
        bend: how far it curves, as a share of its length: to the left of its way if positive, 0 for a straight one.
    """

    start: str
    end: str
    label: str = ""
    bend: float = 0.0


def draw_boxes(boxes: Mapping[str, Box], arrows: Sequence[Arrow] = (), title: str = "") -> Figure:
    """A diagram of boxes and arrows; a legend names the colours of `frozen` and `trainable` boxes.

    Args:
        boxes: by the names that `arrows` use.
        arrows: drawn from frame to frame.
        title: above the diagram.

    Returns:
        A figure as large as its boxes, to be shown as the last line of a cell.
    """
    crowns = [_crown(boxes, arrow) for arrow in arrows]
    words = [0.04 * len(arrow.label) for arrow in arrows]  # half as wide as the words of an arrow
    lefts = [x - w for (x, _), w in zip(crowns, words, strict=True)]
    rights = [x + w for (x, _), w in zip(crowns, words, strict=True)]
    left = min([box.x - box.width / 2 for box in boxes.values()] + lefts) - 0.15
    right = max([box.x + box.width / 2 for box in boxes.values()] + rights) + 0.15
    top = min([box.y - box.height / 2 for box in boxes.values()] + [y for _, y in crowns]) - (0.45 if title else 0.15)
    bottom = max([box.y + box.height / 2 for box in boxes.values()] + [y for _, y in crowns]) + 0.15
    legend = [kind for kind in NAMED if any(box.kind == kind for box in boxes.values())]
    bottom += 0.35 if legend else 0

    figure = plt.figure(figsize=(right - left, bottom - top), facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.axis("off")
    patches = {}
    for name, box in boxes.items():
        fill, edge, line_width, line = KINDS[box.kind]
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        shape = "round,pad=0,rounding_size=0.06"
        patches[name] = FancyBboxPatch(
            corner, box.width, box.height, shape, facecolor=fill, edgecolor=edge, linewidth=line_width, linestyle=line
        )
        ax.add_patch(patches[name])
        ax.text(box.x, box.y, box.text, ha="center", va="center", fontsize=9.5, color=INK, linespacing=1.25)
    for arrow in arrows:
        start, end = boxes[arrow.start], boxes[arrow.end]
        style = {
            "arrowstyle": "-|>",
            "color": INK,
            "connectionstyle": f"arc3,rad={-arrow.bend}",  # the axis of y points downwards
            "patchA": patches[arrow.start],
            "patchB": patches[arrow.end],
            "shrinkA": 2,
            "shrinkB": 2,
        }
        ax.annotate("", (end.x, end.y), (start.x, start.y), arrowprops=style)
        if arrow.label:
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            ax.text(*_crown(boxes, arrow), arrow.label, ha="center", va="center", fontsize=9, color=INK, bbox=behind)
    if title:
        ax.text((left + right) / 2, top + 0.22, title, ha="center", va="center", fontsize=11, color=INK)
    if legend:
        handles = [
            Patch(facecolor=KINDS[kind][0], edgecolor=KINDS[kind][1], linestyle=KINDS[kind][3], label=kind)
            for kind in legend
        ]
        ax.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=9.5)
    plt.close(figure)  # shown once: as the value of its cell
    return figure


def _crown(boxes: Mapping[str, Box], arrow: Arrow) -> tuple[float, float]:
    """The middle of what is seen of an arrow, where a bent one is farthest from the straight line."""
    start, end = boxes[arrow.start], boxes[arrow.end]
    dx, dy = end.x - start.x, end.y - start.y
    middle = (1 + _hidden(start, dx, dy) - _hidden(end, dx, dy)) / 2
    return start.x + middle * dx + arrow.bend * dy / 2, start.y + middle * dy - arrow.bend * dx / 2


def _hidden(box: Box, dx: float, dy: float) -> float:
    """Which share of the line (dx, dy) from or to the centre of a box lies inside it."""
    return min(size / 2 / abs(way) for size, way in ((box.width, dx), (box.height, dy)) if way)


def flow(steps: Mapping[str, str], width: float = 1.35) -> Figure:
    """Boxes in a row, an arrow from each to the next: what becomes of an image, for example.

    Args:
        steps: the name of each box, and what stands below it, as in `{"tensor": "uint8\\n(3, 188, 260)"}`.
        width: of a box, in inches.
    """
    lines = 1 + max(below.count("\n") + bool(below) for below in steps.values())
    height = 0.2 + 0.19 * lines
    boxes = {
        name: Box(f"{name}\n{below}" if below else name, n * (width + 0.4), 0, width, height)
        for n, (name, below) in enumerate(steps.items())
    }
    names = list(boxes)
    return draw_boxes(boxes, [Arrow(one, other) for one, other in pairwise(names)])


def layer_rows(rows: Mapping[str, Mapping[str, str]], width: float = 0.85) -> Figure:
    """Networks, one a row, as boxes in the order in which an image passes them.

    Args:
        rows: by the title of each row, the layers by name, each with its kind: `frozen` or `trainable`.
        width: of a layer, in inches.
    """
    margin = 0.2 + 0.085 * max(map(len, rows))
    boxes, arrows = {}, []
    for n, (title, layers) in enumerate(rows.items()):
        boxes[title] = Box(title, 0, 0.75 * n, margin, 0.4, "text")
        names = [f"{title}: {name}" for name in layers]
        for m, (name, (layer, kind)) in enumerate(zip(names, layers.items(), strict=True)):
            x = margin / 2 + 0.2 + width / 2 + m * (width + 0.25)
            boxes[name] = Box(layer, x, 0.75 * n, width, 0.5, kind)
        arrows += [Arrow(one, other) for one, other in pairwise(names)]
    return draw_boxes(boxes, arrows)


def transfer(source: str, source_head: str, target: str, target_head: str) -> Figure:
    """What transfer learning is: the backbone of one network is carried over to another task, the head is new.

    Args:
        source, target: the images that each network learns from.
        source_head, target_head: what each head tells apart.
    """
    boxes = {
        "before": Box("pretraining", 0, 0, 1.2, 0.5, "text"),
        "source": Box(source, 1.8, 0, 1.9, 0.75),
        "backbone": Box("backbone\n(many layers)", 4.2, 0, 1.7, 0.75, "trainable"),
        "head": Box(f"head\n{source_head}", 6.5, 0, 1.5, 0.75, "trainable"),
        "after": Box("your task", 0, 1.6, 1.2, 0.5, "text"),
        "target": Box(target, 1.8, 1.6, 1.9, 0.75),
        "copy": Box("the same backbone", 4.2, 1.6, 1.7, 0.75, "frozen"),
        "new head": Box(f"new head\n{target_head}", 6.5, 1.6, 1.5, 0.75, "trainable"),
    }
    arrows = [
        Arrow("source", "backbone"),
        Arrow("backbone", "head"),
        Arrow("backbone", "copy", "copy its parameters"),
        Arrow("target", "copy"),
        Arrow("copy", "new head"),
    ]
    return draw_boxes(boxes, arrows)


def resnet() -> Figure:
    """A ResNet18 in the order in which an image passes it: the maps shrink, the channels grow."""
    parts = {  # the shape of what it makes of an image, and the height of its box
        "image": ("3 x 224 x 224", 1.7),
        "conv1 to\nmaxpool": ("64 x 56 x 56", 1.3),
        "layer1": ("64 x 56 x 56", 1.3),
        "layer2": ("128 x 28 x 28", 1.05),
        "layer3": ("256 x 14 x 14", 0.85),
        "layer4": ("512 x 7 x 7", 0.65),
        "avgpool": ("512", 0.5),
        "fc": ("199", 0.5),
    }
    boxes = {
        name: Box(f"{name}\n{shape}", 1.4 * n, 0, 1.15, height)
        for n, (name, (shape, height)) in enumerate(parts.items())
    }
    arrows = [Arrow(one, other) for one, other in pairwise(boxes)]
    boxes["backbone"] = Box("backbone: from the image to 512 features", 1.4 * 3.5, 1.1, 4, 0.3, "text")
    boxes["head"] = Box("head: logits", 1.4 * 7, 1.1, 1.15, 0.3, "text")
    return draw_boxes(boxes, arrows)


def residual_block() -> Figure:
    """The first block of a ResNet18's `layer2`: two convolutions, and a shortcut around them."""
    boxes = {
        "input": Box("input\n64 x 56 x 56", 0, 0.55),
        "conv1": Box("conv1, bn1, relu\n128 x 28 x 28", 2.1, 0, 1.5),
        "conv2": Box("conv2, bn2:\nthe residual", 4.1, 0, 1.5),
        "shortcut": Box("downsample:\nthe shortcut", 3.1, 1.1, 1.5),
        "sum": Box("+", 5.9, 0.55, 0.45, 0.45),
        "output": Box("relu\n128 x 28 x 28", 7.3, 0.55),
    }
    arrows = [
        Arrow("input", "conv1"),
        Arrow("conv1", "conv2"),
        Arrow("conv2", "sum"),
        Arrow("input", "shortcut"),
        Arrow("shortcut", "sum"),
        Arrow("sum", "output"),
    ]
    return draw_boxes(boxes, arrows)


def blocks() -> Figure:
    """What three networks repeat: the channels inside a block, and the shortcut around it."""
    rows = {  # each layer with the channels that it makes; the first column is what comes in
        "ResNet50:\nbottleneck": {"input": 256, "1 x 1": 64, "3 x 3": 64, "1 x 1 ": 256},
        "EfficientNet-Lite0:\ninverted bottleneck": {"input": 40, "1 x 1": 240, "5 x 5, depthwise": 240, "1 x 1 ": 40},
        "ConvNeXt-T:\ninverted bottleneck": {"input": 96, "7 x 7, depthwise": 96, "1 x 1": 384, "1 x 1 ": 96},
    }
    boxes, arrows = {}, []
    for row, (title, layers) in enumerate(rows.items()):
        y = 1.6 * row
        boxes[title] = Box(title, 0, y, 1.7, 0.5, "text")
        names = [f"{title} {layer}" for layer in layers]
        for n, (name, (layer, channels)) in enumerate(zip(names, layers.items(), strict=True)):
            boxes[name] = Box(f"{layer.strip()}\n{channels}", 1.75 + 1.7 * n, y, 1.25, 0.38 + channels / 800)
        boxes[f"{title} +"] = Box("+", 1.75 + 1.7 * len(layers) - 0.15, y, 0.4, 0.4)
        arrows += [Arrow(one, other) for one, other in pairwise([*names, f"{title} +"])]
        arrows.append(Arrow(names[0], f"{title} +", "shortcut", 0.24))
    return draw_boxes(boxes, arrows)


def vision_transformer() -> Figure:
    """A small vision transformer: patches become tokens, blocks mix them, the head reads the class token."""
    boxes = {
        "patches": Box("196 patches\nof 16 x 16 pixels", 0, 0, 1.45, 0.6),
        "tokens": Box("196 tokens\nof 192 numbers", 2.25, 0, 1.3, 0.6),
        "class": Box("class token", 2.25, -0.8, 1.3, 0.4),
        "all": Box("197 tokens\n+ positions", 4.3, 0, 1.2, 0.6),
        "blocks": Box("12 blocks", 6.0, 0, 1.1, 0.6),
        "out": Box("197 tokens", 7.6, 0, 1.1, 0.6),
        "head": Box("head", 9.5, 0, 0.8, 0.6),
        "input": Box("tokens in", 2.25, 1.15, 1.1, 0.45),
        "attention": Box("attention, + shortcut:\neach token looks at all", 4.4, 1.15, 1.9, 0.6),
        "mlp": Box("MLP, + shortcut:\neach token alone", 7.1, 1.15, 1.6, 0.6),
        "output": Box("tokens out", 9.35, 1.15, 1.1, 0.45),
        "one": Box("one block", 0.3, 1.15, 1.1, 0.45, "text"),
    }
    arrows = [
        Arrow("patches", "tokens", "linear"),
        Arrow("tokens", "all"),
        Arrow("class", "all"),
        Arrow("all", "blocks"),
        Arrow("blocks", "out"),
        Arrow("out", "head", "class token"),
        Arrow("input", "attention"),
        Arrow("attention", "mlp"),
        Arrow("mlp", "output"),
    ]
    return draw_boxes(boxes, arrows)


def training_loop() -> Figure:
    """What happens in each step of a training."""
    boxes = {
        "batch": Box("a batch:\nimages and labels", 0, 0, 1.5, 0.6),
        "model": Box("model", 2.3, 0, 1.2, 0.6),
        "logits": Box("logits", 4.3, 0, 1.1, 0.6),
        "loss": Box("loss", 6.2, 0, 1.1, 0.6),
        "gradients": Box("gradients", 6.2, 1.4, 1.1, 0.6),
        "optimizer": Box("optimizer", 2.3, 1.4, 1.2, 0.6),
    }
    arrows = [
        Arrow("batch", "model"),
        Arrow("model", "logits", "forward"),
        Arrow("logits", "loss", "criterion"),
        Arrow("loss", "gradients", "backward"),
        Arrow("gradients", "optimizer"),
        Arrow("optimizer", "model", "step: new parameters"),
    ]
    return draw_boxes(boxes, arrows)
