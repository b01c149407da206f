"""What fewer bits are worth: size, time and accuracy of exported networks in float32, float16 and int8.

    python -m benchmarks.shipping

A linear probe on `data/species` makes the head; int8 is calibrated on `train`; `test` judges, the same images in all
versions. One thread of onnxruntime on the CPU; what counts is the processor's time, the median over the images.
"""

import platform
import time

import numpy as np
import onnxruntime
import torch

from benchmarks.runs import write_section
from helpers.data import CachedDataset, ImageDataset, make_dataloader
from helpers.evaluation import accuracy, mean_interval
from helpers.export import prepared_images, tensor_graph, to_float16, to_int8
from helpers.features import probe_head
from helpers.inference import SavedModel
from helpers.models import load_model, replace_head
from helpers.tracks import IMAGES
from helpers.transforms import eval_transform
from helpers.weights import preprocessing_of

FOLDER = IMAGES["species"]
NETWORKS = {"ResNet18, embedded weights": "embedded", "EfficientNet-Lite0, ImageNet weights": "imagenet"}


def trained(weights: str) -> SavedModel:
    """A frozen network with a new head for the six classes."""
    torch.manual_seed(0)
    preprocessing = preprocessing_of(weights)
    train = ImageDataset(FOLDER / "train", eval_transform(preprocessing))
    network = replace_head(load_model(weights), len(train.classes))
    probe_head(network, make_dataloader(train))
    return SavedModel(network.eval(), network.architecture, train.classes, preprocessing)


def measure(graph: bytes, images: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """The class of each image, and the milliseconds of one core for one image."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    predicted, seconds = [], []
    for image in images:
        start = time.process_time()
        predicted.append(session.run(None, {"images": image})[0].argmax())
        seconds.append(time.process_time() - start)
    return np.array(predicted), 1000 * float(np.median(seconds))


def rows(title: str, weights: str) -> list[str]:
    """The lines of the table for one network."""
    model = trained(weights)
    test = CachedDataset(ImageDataset(FOLDER / "test", eval_transform(model.preprocessing), model.class_names))
    images, labels = [x[None].numpy() for x, _ in test], np.array(test.targets)
    full = tensor_graph(model)
    versions = {
        "float32": full,
        "float16": to_float16(full),
        "int8": to_int8(full, prepared_images(FOLDER, model.preprocessing)),
    }
    lines, reference = [], None
    for name, graph in versions.items():
        content = graph.SerializeToString()
        predicted, milliseconds = measure(content, images)
        right = (predicted == labels).astype(float)
        reference = right if reference is None else reference
        mean, low, high = (100 * value for value in mean_interval(right - reference))
        paired = "" if name == "float32" else f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
        lines.append(
            f"| {title}, {model.preprocessing.size} px | {name} | {len(content) / 1e6:.1f} | {milliseconds:.1f} | "
            f"{accuracy(predicted, labels)} | {paired} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "| network | version | MB | ms | accuracy on test | points against float32 |",
        "|---|---|---|---|---|---|",
        *(line for title, weights in NETWORKS.items() for line in rows(title, weights)),
    ]
    vnni = "has" if has_int8_instructions() else "has no"
    write_section(
        "shipping", f"This processor ({platform.machine()}) {vnni} instructions for int8.\n\n" + "\n".join(lines) + "\n"
    )


def has_int8_instructions() -> bool:
    """VNNI of x86 processors."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


if __name__ == "__main__":
    main()
