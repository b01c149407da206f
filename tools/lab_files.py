"""The files of the browser lab: its programs, the networks as ONNX, examples, and the runtime that npm brings."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from helpers.files import atomic_write
from helpers.models import find_head, load_model, meta_model
from helpers.weights import SOURCES
from tools.environment import ROOT

LAB = ROOT / "site" / "lab"
RUNTIME = ROOT / "build" / "npm" / "node_modules" / "onnxruntime-web" / "dist"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
EXPORTED = ROOT / "build" / "onnx"  # kept from one build to the next: an export takes half a minute
IMAGES = 120  # of an example, all classes together
EXAMPLES = {"Ants and bees": "insects", "Six species": "species"}
NETWORKS = {
    "embedded": ("ResNet18", "made for these lessons, has never seen an ant or a bee"),
    "imagenet": ("EfficientNet-Lite0", "learned from the 1000 classes of ImageNet"),
}


def put_together(folder: Path) -> list[str]:
    """Write the files of the lab; returns what is left out, a line each."""
    if not RUNTIME.is_dir():
        return ["the browser lab: npm brings its runtime, and npm is not here or reaches no registry"]
    shutil.copytree(LAB, folder)
    (folder / "ort").mkdir()
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, folder / "ort")
    about = {
        "networks": [network(weights, folder) for weights in NETWORKS],
        "examples": {words: example(images, folder) for words, images in EXAMPLES.items()},
    }
    (folder / "lab.json").write_text(json.dumps(about), encoding="utf-8")
    return []


def network(weights: str, folder: Path) -> dict[str, Any]:
    """Put a backbone into the lab's folder; returns what the page has to know of it."""
    source = SOURCES[weights]
    exported = EXPORTED / f"{weights}-{source.sha256[:8]}.onnx"
    if not exported.is_file():
        exported.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(exported, features_model(weights))
    shutil.copy(exported, folder / exported.name)
    model = meta_model(source.architecture)
    head = find_head(model)
    label, note = NETWORKS[weights]
    return {
        "weights": weights,
        "label": label,
        "note": note,
        "file": exported.name,
        "bytes": exported.stat().st_size,
        "architecture": source.architecture,
        "head": head,
        "channels": model.get_submodule(head).in_features,
        "preprocessing": vars(source.preprocessing),
    }


def features_model(weights: str) -> bytes:
    """A network without its head, as ONNX: images (n, 3, size, size) in, features (n, channels) out."""
    model = load_model(weights).eval()
    model.set_submodule(find_head(model), nn.Identity())
    size = SOURCES[weights].preprocessing.size
    program = torch.onnx.export(
        model,
        (torch.zeros(2, 3, size, size),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("images")},),
        input_names=["images"],
        output_names=["features"],
        optimize=False,  # as the weights are: in half precision, where they were saved so
        verbose=False,
    )
    exported = program.model_proto
    halve(exported)
    onnx.checker.check_model(exported)
    return exported.SerializeToString()


def halve(model: onnx.ModelProto) -> None:
    """Keep in half precision, half as large, what half precision holds exactly; the network computes in single."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16) if values.dtype == np.float32 else values
        if values.dtype == np.float32 and values.size > 1 and np.array_equal(half.astype(np.float32), values):
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def example(images: str, folder: Path) -> dict[str, list[str]]:
    """Copy the first images of each class; returns their paths by class."""
    paths: dict[str, list[str]] = {}
    classes = sorted((ROOT / "data" / images / "train").iterdir())
    for source in classes:
        target = folder / "examples" / images / source.name
        target.mkdir(parents=True)
        paths[source.name] = []
        for image in sorted(source.glob("*.jpg"))[: IMAGES // len(classes)]:
            shutil.copy(image, target)
            paths[source.name].append((target / image.name).relative_to(folder).as_posix())
    return paths
