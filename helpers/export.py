"""Exports a trained model to ONNX, with its preprocessing inside, and writes its model card (lesson 10).

python -m helpers.export MODEL --images FOLDER
"""

import argparse
import copy
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn
from torch.utils.data import Subset

from helpers.data import ImageDataset, make_dataloader
from helpers.errors import LessonError
from helpers.evaluation import choose_threshold, predict
from helpers.files import atomic_write
from helpers.inference import SavedModel, load_saved
from helpers.layouts import read_layout
from helpers.model_card import datasets_of, model_card
from helpers.transforms import eval_transform
from helpers.weights import Preprocessing

OPSET = 20  # of ONNX: what torch's exporter is tested with; onnxruntime knows it since 1.17
PRECISIONS = ("float32", "float16", "int8")
CALIBRATION_IMAGES = 100  # of `train`; more change the ranges of the activations little
ANY = torch.export.Dim.DYNAMIC


class ImageInput(nn.Module):
    """The preprocessing as a part of a network: what `eval_transform` does, for an image of any size.

    It resizes along one side after the other and rounds in between, as torchvision does with uint8.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, preprocessing: Preprocessing):
        super().__init__()
        self.preprocessing = preprocessing
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 (height, width, 3) to float (1, 3, size, size), normalised."""
        size, resize = self.preprocessing.size, self.preprocessing.resize
        height, width = image.shape[:2]
        shorter: Any = torch.sym_min(height, width)  # integers, or in the exporter's hands symbols for them
        rows, columns = resize * height // shorter, resize * width // shorter
        x = image.permute(2, 0, 1)[None].float()
        x = self._resize(self._resize(x, height, columns), rows, columns)
        x = x.narrow(2, _centred(rows - size), size).narrow(3, _centred(columns - size), size)
        return (x / 255 - self.mean) / self.std

    def _resize(self, x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        mode = self.preprocessing.interpolation
        x = nn.functional.interpolate(x, (rows, columns), mode=mode, align_corners=False, antialias=True)
        return x.round().clamp(0, 255)


def _centred(rest: int) -> int:
    """Half of it, as `round(rest / 2)` gives it: halves to the even number. `round` has no place in a graph."""
    return (rest + rest // 2 % 2) // 2


def cpu_copy(network: nn.Module) -> nn.Module:
    """The network in float32 on the CPU, where the exporter computes; the original stays where it is.

    No layer of the copy works in place: torch.onnx.export would take twice as long.
    """
    copied = copy.deepcopy(network).cpu().float().eval()
    layers: Any = copied.modules()
    for layer in layers:
        if hasattr(layer, "inplace"):
            layer.inplace = False
    return copied


def tensor_graph(model: SavedModel) -> onnx.ModelProto:
    """The network alone: `images`, float (n, 3, size, size), prepared as for training, to `logits` (n, classes).

    Raises:
        LessonError: this architecture cannot be exported.
    """
    size = model.preprocessing.size
    network = cpu_copy(model.network)
    example = torch.zeros(2, 3, size, size)  # two: of one image, the exporter would take the number for fixed
    return _graph(network, example, {0: ANY}, ("images", "logits"), model.architecture)


def image_graph(tensors: onnx.ModelProto, preprocessing: Preprocessing) -> onnx.ModelProto:
    """What `tensor_graph` made, between preprocessing and softmax.

    Returns:
        A graph from `image`, uint8 (height, width, 3) in RGB, of any size, to `probabilities` (classes,).

    Raises:
        LessonError: the crop is larger than the resized image.
    """
    if preprocessing.resize < preprocessing.size:
        raise LessonError(
            f"A square of {preprocessing.size} pixels cannot be cut out of {preprocessing.resize}: "
            "give a preprocessing whose `resize` is at least its `size`."
        )
    example = torch.zeros(300, 400, 3, dtype=torch.uint8)
    before = _graph(ImageInput(preprocessing), example, {0: ANY, 1: ANY}, ("image", "prepared"), "The preprocessing")
    merged = onnx.compose.merge_models(before, tensors, [("prepared", "images")], prefix1="before/")
    graph = merged.graph
    graph.input[0].name = "image"
    for node in graph.node:
        node.input[:] = ["image" if name == "before/image" else name for name in node.input]
    graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["rows"], axis=1))
    graph.node.append(onnx.helper.make_node("Squeeze", ["rows", "first_axis"], ["probabilities"]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "first_axis"))
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph.output.pop()
    graph.output.append(onnx.helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [classes]))
    return merged


def to_float16(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The weights of `tensor_graph` in half precision: half the size. Input and output stay float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with _quiet():
        converted = OnnxModel(convert_float_to_float16(copy.deepcopy(graph), keep_io_types=True))
        converted.topological_sort()  # the casts at both ends come last otherwise
        return converted.model


def to_int8(graph: onnx.ModelProto, batches: Iterable[torch.Tensor]) -> onnx.ModelProto:
    """The network of `tensor_graph` in integers of 8 bits, static, as pairs of QuantizeLinear and DequantizeLinear.

    Weights have a scale for each channel. They use 7 of the 8 bits, since older processors would overflow with 8.

    Args:
        graph: of float32.
        batches: float (n, 3, size, size), of images of `train`: they show the range of each activation.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
        def __init__(self) -> None:
            self.batches = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch.numpy()}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        whole, prepared, quantised = (Path(folder, f"{name}.onnx") for name in ("whole", "prepared", "int8"))
        onnx.save(graph, whole)
        quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantised),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantised)


def export_onnx(
    model: SavedModel,
    path: str | Path,
    precision: str = "float32",
    train: Iterable[torch.Tensor] = (),
    tensors: onnx.ModelProto | None = None,
) -> tuple[Path, Path]:
    """Write a trained model as two ONNX files.

    Args:
        model: as `load_saved` reads it.
        path: as in `insects.onnx`; a file that is there is replaced, whole.
        precision: one of `PRECISIONS`.
        train: batches of prepared images, for `int8`.
        tensors: the model's `tensor_graph`, if you have it; to make it takes the longest.

    Returns:
        The path of the file that takes images (`insects.onnx`, for `helpers.classifier.load`), and of the one that
        takes tensors (`insects.tensor.onnx`).

    Raises:
        LessonError: the architecture cannot be exported, or a file cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix != ".onnx":
        raise LessonError(f"{path.name} should end in .onnx: by that, `helpers.classifier.load` knows what it is.")
    if precision not in PRECISIONS:
        raise LessonError(f"There is no precision {precision!r}; there are {', '.join(PRECISIONS)}.")
    train = list(train)
    if precision == "int8" and not train:
        raise LessonError("int8 needs batches of `train`, which show how large its numbers get: see `prepared_images`.")
    if tensors is None:
        tensors = tensor_graph(model)
    else:
        tensors = copy.deepcopy(tensors)
        _forget_where_it_was_made(tensors)
    if precision == "float16":
        tensors = to_float16(tensors)
    elif precision == "int8":
        tensors = to_int8(tensors, train)
    images = image_graph(tensors, model.preprocessing)
    beside = path.with_suffix(".tensor.onnx")
    for graph, file, takes in ((tensors, beside, "tensor"), (images, path, "image")):
        _note(graph, model, takes, precision)
        atomic_write(file, graph.SerializeToString())
    return path, beside


def _note(graph: onnx.ModelProto, model: SavedModel, takes: str, precision: str) -> None:
    """What whoever loads the file has to know, in its metadata."""
    preprocessing = model.preprocessing
    notes = {
        "input": takes,
        "precision": precision,
        "architecture": model.architecture,
        "pretrained": model.pretrained,
        "class_names": json.dumps(model.class_names),
        "threshold": str(model.threshold),
        "preprocessing": json.dumps(vars(preprocessing)),
    }
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, notes)
    graph.producer_name, graph.producer_version = "helpers.export", f"opset {OPSET}, torch {torch.__version__}"


def _graph(
    module: nn.Module, example: torch.Tensor, dynamic: dict[int, Any], names: tuple[str, str], title: str
) -> onnx.ModelProto:
    """A module with one input and one output as ONNX, by `torch.export`; `dynamic` axes may have any size."""
    try:
        with _quiet(), torch.no_grad():
            program = torch.export.export(module, (example,), dynamic_shapes=(dynamic,))
            exported = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=names[:1],
                output_names=names[1:],
                verbose=False,
            )
        assert exported is not None  # no file was asked for
        graph = exported.model_proto
    except Exception as error:  # whatever a network's code may do
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LessonError(f"{title} cannot be exported ({reason}); choose another architecture.") from error
    _forget_where_it_was_made(graph)
    return graph


def _forget_where_it_was_made(graph: onnx.ModelProto) -> None:
    """The exporter notes lines of code with the paths of this machine, which are nobody's business."""
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.graph.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters speak to their developers: of functions to be renamed, of layers that they leave as they are."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def prepared_images(
    folder: str | Path, preprocessing: Preprocessing, count: int = CALIBRATION_IMAGES
) -> list[torch.Tensor]:
    """Batches of `train`, prepared as for a prediction, with about `count` images from all classes: for `to_int8`.

    Raises:
        LessonError: the folder has no `train`.
    """
    splits = read_layout(folder).splits
    if "train" not in splits:
        raise LessonError(f"{folder} has no folder train; give the folder that holds train and val.")
    dataset = ImageDataset(splits["train"], eval_transform(preprocessing))
    every = max(1, len(dataset) // count)
    part: Subset[Any] = Subset(dataset, range(0, len(dataset), every))
    return [x for x, _ in make_dataloader(part, 5)]


def main() -> int:
    """Writes the two files, and the card where there are images; says what it wrote."""
    arguments = _arguments()
    try:
        model = load_saved(arguments.model)
        path = Path(arguments.out or Path(arguments.model).with_suffix(".onnx")).expanduser()
        train: list[torch.Tensor] = []
        if arguments.images:
            datasets = datasets_of(model, arguments.images)
            if not model.threshold:
                answers = predict(model.network, make_dataloader(datasets["val"]))
                model = replace(model, threshold=choose_threshold(*answers, arguments.cost))
        if arguments.precision == "int8":
            if not arguments.images:
                raise LessonError(
                    "int8 needs images of `train`, which show how large its numbers get: --images FOLDER."
                )
            train = prepared_images(arguments.images, model.preprocessing)
        written = [*export_onnx(model, path, arguments.precision, train)]
        if arguments.images:
            card = model_card(model, path, arguments.images, arguments.purpose, arguments.shifted)
            atomic_write(path.with_suffix(".md"), card.encode())
            written.append(path.with_suffix(".md"))
    except LessonError as error:
        sys.exit(str(error))
    for file in written:
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")
    if not arguments.images:
        print("No model card: --images FOLDER measures what it has to say.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.export", description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="MODEL", help="a file of helpers.inference.save_model")
    parser.add_argument("--images", metavar="FOLDER", help="its images, with train, val and test: for the card")
    parser.add_argument("--out", metavar="FILE", help="the file to write (MODEL, ending in .onnx)")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the weights (float32)")
    parser.add_argument(
        "--cost", type=float, default=5, metavar="N", help="a wrong answer costs N times a 'not sure' (5)"
    )
    parser.add_argument("--purpose", default="", metavar="TEXT", help="what the model is for, for the card")
    parser.add_argument("--shifted", metavar="FOLDER", help="images of other conditions, by class, for the card")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
