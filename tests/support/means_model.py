"""An ONNX file as `helpers.export` writes it, small enough to be computed by hand: how much of each colour there is."""

from pathlib import Path

import onnx
from onnx.helper import set_model_props
from PIL import Image

GRAPH = """
<ir_version: 10, opset_import: ["" : 20]>
colours (uint8[height, width, 3] image) => (float[3] probabilities) <int64[2] places = {0, 1}> {
    x = Cast <to = 1> (image)
    means = ReduceMean <keepdims = 0> (x, places)
    total = ReduceSum <keepdims = 0> (means)
    probabilities = Div (means, total)
}
"""
COLOURS = ["a red", "b green", "c blue"]  # in the order of the channels, which is that of the alphabet
NOTES = {
    "input": "image",
    "class_names": '["a red", "b green", "c blue"]',
    "threshold": "0.5",
    "precision": "float32",
}
ORANGE = Image.new("RGB", (4, 7), (200, 50, 0))  # 80 % red


def write_model(path: Path, graph: str = GRAPH, **notes: str | None) -> Path:
    """The file, with other notes than `NOTES` where they are given; None leaves one out."""
    model = onnx.parser.parse_model(graph)
    set_model_props(model, {name: value for name, value in (NOTES | notes).items() if value is not None})
    onnx.save(model, path)
    return path
