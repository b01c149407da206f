"""From a folder of images, or of shards, to a trained model in one file.

python -m helpers.train FOLDER --out MODEL
torchrun --standalone --nproc-per-node=2 -m helpers.train FOLDER --out MODEL
"""

import argparse
import os
import platform
import sys
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn

from helpers.checkpoints import History
from helpers.costs import duration, measure_steps
from helpers.data import SampleDataset, class_counts, make_dataloader, with_transform
from helpers.devices import autocast_dtype, best_device, device_of
from helpers.distributed import of_first, process_group, rank, replicate, world_size
from helpers.errors import MEMORY_IS_FULL, LessonError, Stopped
from helpers.evaluation import accuracy, predict
from helpers.features import probe_head
from helpers.files import atomic_write
from helpers.inference import SavedModel, save_model
from helpers.model_card import LISTED, Answers, card
from helpers.models import BATCH_NORM, freeze_norms, load_model, replace_head
from helpers.options import natural, positive
from helpers.own_images import check_folder, folder_datasets, groups_by_name
from helpers.shard import ShardDataset, is_sharded, shard_datasets
from helpers.training import early_stopping, fine_tune, fine_tuning, fine_tuning_epochs
from helpers.training_log import TrainingLog
from helpers.transforms import eval_transform
from helpers.weights import Preprocessing, preprocessing_of

Datasets = Mapping[str, SampleDataset | ShardDataset]


def main() -> int:
    """Trains, reports and saves; the exit status is 1 after an error, 2 after a wrong option, 130 after a stop."""
    options = _options(sys.argv[1:])
    try:
        with process_group(_device(options)):
            _run(options)
    except LessonError as error:
        return _end(str(error))
    except KeyboardInterrupt as stop:
        return _end(str(stop) if isinstance(stop, Stopped) else "stopped.", 130)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _end(
            f"The memory is full with batches of {options.batch_size} images; take a smaller --batch-size or "
            "--image-size. --dry-run says how much they need."
        )
    return 0


def _end(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr, flush=True)
    return status


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in MEMORY_IS_FULL)


def _device(options: argparse.Namespace) -> torch.device:
    try:
        device = torch.device(options.device) if options.device else best_device()
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # each kind of device says in its own way that it is not there
        reason = str(error).splitlines()[0]
        raise LessonError(f"There is no device {options.device!r} ({reason}); leave --device out.") from error
    if options.precision:
        os.environ["TL_PRECISION"] = options.precision
    return device


def _run(options: argparse.Namespace) -> None:
    device, out = _device(options), Path(options.out).expanduser()
    if out.is_dir():
        raise LessonError(f"{out} is a folder; --out takes the name of a file, as in mine.safetensors.")
    if out.suffix.lower() == ".onnx":
        raise LessonError(f"{out} should end in .safetensors; `python -m helpers.export` makes ONNX of it.")
    preprocessing = preprocessing_of(options.weights)
    preprocessing = preprocessing.at(options.image_size or preprocessing.size)
    datasets = _datasets(options, preprocessing)
    class_names = datasets["train"].classes
    torch.manual_seed(options.seed)
    model = replace_head(load_model(options.weights), len(class_names)).to(device)
    _set_norms(model, options.batchnorm)
    torch.manual_seed(options.seed + rank())  # so that each process draws crops of its own
    _say(f"{_processes()} on {device.type}, {_precision(device)}; {options.method} of {model.architecture}")
    if options.dry_run:
        _say(_forecast(model, datasets, preprocessing, options))
        return
    if options.method == "probe":
        train_view = with_transform(datasets["train"], eval_transform(preprocessing))
        probe_head(model, make_dataloader(train_view, options.batch_size, num_workers=options.workers))
    else:
        _fine_tune(model, datasets, preprocessing, options)
    measured = _measured(model, datasets, options)
    if rank() == 0:
        save_model(out, model, class_names, preprocessing)
        atomic_write(_beside(out, ".md"), _card(options, model, preprocessing, datasets, measured).encode())
        if options.method == "fine-tune":  # a probe has none: one that lies there is of a training that was stopped
            _beside(out, ".checkpoint").unlink(missing_ok=True)
        _say(f"saved: {out} (ask it with `python -m helpers.predict {out} IMAGE...`)")


def _say(text: object) -> None:
    """The first process speaks; the others would say the same."""
    if rank() == 0:
        print(text, flush=True)


def _beside(out: Path, ending: str) -> Path:
    """Log, card and checkpoint bear the model's name."""
    return out.with_name(out.name.removesuffix(".safetensors") + ending)


def _processes() -> str:
    return f"{world_size()} process{'es' if world_size() > 1 else ''}"


def _precision(device: torch.device) -> str:
    return str(autocast_dtype(device)).removeprefix("torch.")


def _datasets(options: argparse.Namespace, preprocessing: Preprocessing) -> Datasets:
    """The splits of the folder; of several processes, the first one looks at the images."""
    datasets: Datasets
    if is_sharded(options.folder):
        if options.pattern:
            raise LessonError("Shards are split already; give --pattern to `python -m helpers.shard`.")
        datasets = shard_datasets(options.folder, preprocessing)
    else:
        report = of_first(check_folder(options.folder) if rank() == 0 else None)
        assert report is not None
        _say(report)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of small classes: the report has named them
            groups = groups_by_name(report, options.pattern) if options.pattern else None
            datasets = folder_datasets(report, preprocessing, options.seed, options.skip_unreadable, groups)
    _say(", ".join(f"{split} {len(part)}" for split, part in datasets.items()))
    for split, part in datasets.items():
        if len(part) < world_size():
            raise LessonError(
                f"{split} has {len(part)} images for {world_size()} processes; start at most {len(part)}."
            )
    return datasets


def _set_norms(model: nn.Module, choice: str) -> None:
    """What BatchNorm does with batches of which each process sees a part; networks without it stay as they are."""
    if choice == "synchronised":
        if device_of(model).type != "cuda":
            raise LessonError(
                "Synchronised BatchNorm needs GPUs; `--batchnorm frozen` needs none, and does not depend on the number "
                "of processes either."
            )
        from timm.layers import convert_sync_batchnorm  # PyTorch's would drop the activations in timm's own BatchNorm

        convert_sync_batchnorm(model)
    elif choice == "frozen" and any(isinstance(layer, BATCH_NORM) for layer in model.modules()):
        freeze_norms(model)


def _fine_tune(model: nn.Module, datasets: Datasets, preprocessing: Preprocessing, options: argparse.Namespace) -> None:
    out = Path(options.out).expanduser()
    epochs = options.epochs or fine_tuning_epochs(-(-len(datasets["train"]) // options.batch_size))
    log = TrainingLog(_beside(out, ".csv"), _beside(out, "-tensorboard"), epochs)
    stop = early_stopping(options.patience) if options.patience else None

    def on_epoch(history: History) -> bool:
        log(history)
        return bool(stop and stop(history))

    recipe = {
        "folder": str(Path(options.folder).expanduser().resolve()),
        "number of epochs": epochs,
        "image size": preprocessing.size,
        "batch size": options.batch_size,
        "precision": _precision(device_of(model)),
        **{name: getattr(options, name) for name in ("weights", "seed", "pattern", "batchnorm", "mirror", "patience")},
    }
    _, history = fine_tune(
        model,
        datasets,
        preprocessing,
        epochs,
        options.seed,
        options.mirror,
        _beside(out, ".checkpoint"),
        on_epoch,
        batch_size=options.batch_size,
        num_workers=options.workers,
        keep="best" if stop else "last",
        recipe=recipe,
    )
    reached = max(history["val_acc"]) if stop else history["val_acc"][-1]
    if reached < history["probe_acc"][0]:
        _say(f"the linear probe had {history['probe_acc'][0]:.1%} of val right, which is more: the model is the probe")


def _forecast(model: nn.Module, datasets: Datasets, preprocessing: Preprocessing, options: argparse.Namespace) -> str:
    """Time and memory of this training, from a few of its steps."""
    with fine_tuning(
        model,
        datasets,
        preprocessing,
        options.seed,
        options.mirror,
        batch_size=options.batch_size,
        num_workers=options.workers,
    ) as (loaders, optimizer):
        measured = measure_steps(model, replicate(model), loaders, optimizer)
    probe = len(loaders["train"]) * measured.val_step
    epoch = len(loaders["train"]) * measured.train_step + len(loaders["val"]) * measured.val_step
    epochs = options.epochs or fine_tuning_epochs(-(-len(datasets["train"]) // options.batch_size))
    time = f"the probe {duration(probe)}"
    if options.method == "fine-tune":
        time += f", then {epochs} epochs of {duration(epoch)}: {duration(probe + epochs * epoch)} in all"
    return (
        f"time: {time} (a step takes {measured.train_step:.2f} s)\n"
        f"memory of each process: {measured.memory / 1e9:.1f} GB at most\n"
        "This was a dry run, from a few steps: nothing is written."
    )


def _measured(model: nn.Module, datasets: Datasets, options: argparse.Namespace) -> dict[str, Answers]:
    """What the model answers in each split that was not trained on; says the accuracy, and the recall of each class."""
    measured = {}
    for split in ("val", "test"):
        if split not in datasets:
            continue
        loader = make_dataloader(datasets[split], options.batch_size, num_workers=options.workers)
        measured[split] = probabilities, labels = predict(model, loader)
        predicted = probabilities.argmax(1)
        _say(f"{split}: {accuracy(predicted, labels)}")
        for number, name in enumerate(datasets[split].classes[:LISTED]):
            if (of_class := labels == number).any():
                _say(f"{split}, {name}: {accuracy(predicted[of_class], labels[of_class])}")
    return measured


def _card(
    options: argparse.Namespace,
    model: nn.Module,
    preprocessing: Preprocessing,
    datasets: Datasets,
    measured: Mapping[str, Answers],
) -> str:
    saved = SavedModel(
        model, str(model.architecture), datasets["train"].classes, preprocessing, pretrained=options.weights
    )
    facts = {
        "images": Path(options.folder).name,
        "method": f"{options.method}, seed {options.seed}, batches of {options.batch_size}, BatchNorm "
        f"{options.batchnorm}, {_processes()}",
        "made with": f"torch {torch.__version__}, Python {platform.python_version()}",
    }
    counts = {
        split: part.counts if isinstance(part, ShardDataset) else class_counts(part) for split, part in datasets.items()
    }
    return card(saved, options.out, facts, counts, measured)


class _Parser(argparse.ArgumentParser):
    """A wrong option is one line, of one process."""

    def error(self, message: str) -> NoReturn:
        if int(os.environ.get("RANK", "0")) == 0:
            print(f"{message}; --help lists the options.", file=sys.stderr)
        sys.exit(2)


def _options(words: list[str]) -> argparse.Namespace:
    """The options of the command line, before those of the file that --config names."""

    parser = _Parser(prog="python -m helpers.train", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="images, in one folder per class, or in train/ and val/; or shards")
    add("--out", metavar="MODEL", required=True, help="the file to write, as in mine.safetensors")
    add("--config", metavar="FILE", help="a TOML file with options, as in `epochs = 10`")
    add("--weights", default="imagenet", help="a name in helpers.weights.SOURCES, or of torchvision's (imagenet)")
    add("--method", choices=("fine-tune", "probe"), default="fine-tune", help="train late layers, or the head alone")
    add("--epochs", type=positive, metavar="N", help="passes over the images (6, or more for few images)")
    add("--batch-size", type=positive, default=32, metavar="N", help="of all processes together (32)")
    add("--image-size", type=positive, metavar="PIXELS", help="that the network sees (as the weights were made)")
    add("--batchnorm", choices=("frozen", "per-process", "synchronised"), default="frozen", help="(frozen)")
    add("--no-mirror", dest="mirror", action="store_false", help="do not flip images: letters, road signs")
    add("--patience", type=positive, metavar="N", help="stop N epochs after the best val loss, keep the best epoch")
    add("--seed", type=natural, default=0, metavar="N", help="of split, order and crops (0)")
    add("--pattern", metavar="REGEX", help="what names belonging together have in common, as in '(patient[0-9]+)'")
    add("--device", help="as in cpu, cuda or mps; the fastest there is")
    add("--precision", choices=("float32", "bfloat16", "float16"), help="what the device multiplies fastest")
    add(
        "--workers", type=natural, default=0, metavar="N", help="processes that decode images, for each that trains (0)"
    )
    add("--skip-unreadable", action="store_true", help="leave out files that cannot be read")
    add("--dry-run", action="store_true", help="say how long it takes and how much memory, and write nothing")
    first = _Parser(add_help=False)  # the file may hold what is required
    first.add_argument("--config")
    config = first.parse_known_args(words)[0].config
    return parser.parse_args([*(_words_of(config, parser) if config else []), *words])


def _words_of(config: str, parser: argparse.ArgumentParser) -> list[str]:
    """What a TOML file says, as the words of a command line."""
    path = Path(config).expanduser()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"{path} cannot be read ({error})")
    words = []
    for name, value in values.items():
        option = f"--{name}"
        if option not in parser._option_string_actions or name in ("config", "help"):
            parser.error(f"{path} has {name!r}, which is no option")
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return words


if __name__ == "__main__":
    sys.exit(main())
