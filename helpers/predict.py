"""Predictions of a saved model for new images.

python -m helpers.predict MODEL IMAGE...
"""

import argparse
import csv
import glob
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from helpers.classifier import Classifier, load
from helpers.errors import LessonError
from helpers.layouts import image_files
from helpers.options import natural, positive


def main() -> int:
    """Prints a line for each image; the exit status is 1 where one could not be read."""
    arguments = _arguments()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names that a terminal cannot write
    try:
        model = load(arguments.model)
        arguments.top = min(arguments.top, len(model.class_names))  # a table has no columns for more
        _move(model, arguments.device)
        paths, problems = find_images(arguments.images)
    except LessonError as error:
        sys.exit(str(error))
    for problem in problems:
        print(problem, file=sys.stderr)
    answers = tqdm(
        model.predict_files(paths, arguments.batch_size, arguments.workers),
        total=len(paths),
        unit="image",
        disable=None,  # without a terminal
    )
    try:
        failed = len(problems) + _write(answers, arguments)
    except LessonError as error:  # the network, not an image
        sys.exit(str(error))
    return int(failed > 0)


def _move(model: Classifier, device: str | None) -> None:
    """A network of PyTorch goes to a device; an ONNX file stays on the CPU, and needs no PyTorch here."""
    network = getattr(model, "network", None)
    if network is None:
        return
    import torch

    from helpers.devices import best_device

    try:
        network.to(torch.device(device) if device else best_device())
    except (RuntimeError, AssertionError) as error:  # each kind of device says in its own way that it is not there
        raise LessonError(
            f"There is no device {device!r} ({str(error).splitlines()[0]}); leave --device out."
        ) from error


def find_images(names: list[str]) -> tuple[list[str], list[str]]:
    """What is meant by names of images, folders and patterns such as `new/*.jpg`.

    Returns:
        The paths of the images, those of a folder in order; and a line for each name that leads to none.
    """
    paths, problems = [], []
    for name in names:
        path = Path(name).expanduser()
        matches = [name] if path.exists() or not glob.has_magic(name) else sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - takes absolute patterns
        found = [
            str(image)
            for match in matches
            for image in (image_files(Path(match).expanduser()) if Path(match).expanduser().is_dir() else [match])
        ]
        if not found:
            problems.append(f"{name} {'has no images' if path.is_dir() else 'matches no file'}; check its name.")
        paths += found
    return paths, problems


def _write(answers: Iterable[tuple[str | Path, dict[str, float] | LessonError]], arguments: argparse.Namespace) -> int:
    """Print the answers as they come; returns how many images could not be read."""
    rows: list[dict[str, Any]] = []
    failed = 0
    table = csv.writer(sys.stdout, lineterminator="\n")
    if arguments.csv:
        more = [f"{column}_{rank}" for rank in range(2, arguments.top + 1) for column in ("label", "probability")]
        with tqdm.external_write_mode():  # the bar would stand in the same line
            table.writerow(["file", "label", "probability", *more])
    for path, answer in answers:
        if isinstance(answer, LessonError):
            tqdm.write(str(answer), file=sys.stderr)
            failed += 1
            rows.append({"file": path, "error": str(answer)})
            continue
        best = list(answer.items())[: arguments.top]
        if arguments.json:
            rows.append({"file": path, "probabilities": dict(best)})
            continue
        with tqdm.external_write_mode():
            if arguments.csv:
                table.writerow([path, *(value for name, p in best for value in (name, f"{p:.6f}"))])
            else:
                print(f"{path}  {', '.join(f'{name} {p:.1%}' for name, p in best)}")
    if arguments.json:
        print(json.dumps(rows, indent=1))
    return failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="MODEL", help="a file of helpers.inference.save_model or helpers.export")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="images, folders of them, or patterns")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--csv", action="store_true", help="a table, for spreadsheets")
    kind.add_argument("--json", action="store_true", help="a list, for programs; images that fail are in it, too")
    parser.add_argument("--top", type=positive, default=1, metavar="N", help="the N most probable classes (1)")
    parser.add_argument("--batch-size", type=positive, default=32, metavar="N", help="images at once (32)")
    parser.add_argument("--workers", type=natural, default=0, metavar="N", help="processes that decode images (0)")
    parser.add_argument("--device", help="as in cpu, cuda or mps; the fastest there is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
