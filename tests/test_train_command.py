"""`python -m helpers.train` on one process: what it leaves, what it refuses, and with which exit status."""

import csv
import hashlib
import sys

import pytest
import torch
from support.checks import names
from support.helper_runs import small_datasets
from support.images import fill_with_insects

from helpers import train, training
from helpers.checkpoints import History
from helpers.inference import load_saved
from helpers.models import load_model
from helpers.weights import preprocessing_of

SMALL = ("--weights", "embedded", "--image-size", "32", "--epochs", "2", "--device", "cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return fill_with_insects(tmp_path_factory.mktemp("images") / "insects", 15)


@pytest.fixture
def command(monkeypatch, images, tmp_path):
    monkeypatch.setenv("TL_PRECISION", "float32")  # whatever this processor would take

    def run(*words: object, folder=images, out="mine.safetensors", options=SMALL) -> int:
        argv = ["train", str(folder), "--out", str(tmp_path / out), *options, *map(str, words)]
        monkeypatch.setattr(sys, "argv", argv)
        return train.main()

    return run


def left(tmp_path) -> list[str]:
    return [name for name in names(tmp_path) if not name.endswith("-tensorboard")]


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_model_with_a_log_and_a_card(command, tmp_path, capsys):
    assert command() == 0
    assert left(tmp_path) == ["mine.csv", "mine.md", "mine.safetensors"]
    said = capsys.readouterr().out
    assert "ok  images     30 in 2 classes" in said and "train 18, val 6, test 6" in said
    assert "1 process on cpu, float32; fine-tune of resnet18" in said and "epoch 2/2" in said
    rows = table(tmp_path / "mine.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 <= float(row["val_acc"]) <= 1 for row in rows)
    saved = load_saved(tmp_path / "mine.safetensors")
    assert saved.class_names == ["ants", "bees"] and saved.preprocessing.size == 32
    card = (tmp_path / "mine.md").read_text()
    measured = dict(line.split(": ") for line in said.splitlines() if line.startswith("test"))
    assert f"Accuracy {measured['test']}" in card
    for name in ("ants", "bees"):
        assert f"| {name} | {measured[f'test, {name}']} |" in card
    assert "| train | 9 | 9 | 18 |" in card and "MIT, as this repository" in card and "BatchNorm frozen" in card
    assert hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest() in card


def test_a_probe_needs_no_epochs(command, tmp_path):
    assert command("--method", "probe") == 0
    assert left(tmp_path) == ["mine.md", "mine.safetensors"]


def test_a_dry_run_says_what_it_takes_and_writes_nothing(command, tmp_path, capsys):
    assert command("--dry-run") == 0
    said = capsys.readouterr().out
    assert "then 2 epochs of " in said and "memory of each process: " in said and "nothing is written" in said
    assert left(tmp_path) == []


def stopped_after(monkeypatch, epochs: int) -> None:
    """The stop button, after so many epochs."""
    write = train.TrainingLog.__call__

    def stop(self, history: History) -> None:
        write(self, history)
        if len(history["lr"]) == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.TrainingLog, "__call__", stop)


def test_a_stopped_training_goes_on_and_ends_as_if_it_had_not_been_stopped(command, tmp_path, capsys):
    assert command(out="whole.safetensors") == 0
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 1)
        assert command() == 130
    assert "stopped after 1 epochs" in capsys.readouterr().err
    assert left(tmp_path)[:2] == ["mine.checkpoint", "mine.csv"] and not (tmp_path / "mine.safetensors").exists()
    assert command() == 0
    assert (tmp_path / "mine.csv").read_text() == (tmp_path / "whole.csv").read_text()
    mine, whole = (load_saved(tmp_path / f"{name}.safetensors").network.state_dict() for name in ("mine", "whole"))
    assert all(torch.equal(value, whole[name]) for name, value in mine.items())
    assert not (tmp_path / "mine.checkpoint").exists()


def test_another_recipe_is_refused_and_nothing_is_touched(command, tmp_path, capsys):
    assert command("--method", "probe") == 0  # an earlier model
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 1)
        assert command() == 130
    before = {name: (tmp_path / name).read_bytes() for name in left(tmp_path)}
    for changed, message in {
        ("--seed", 1): "another seed (0, now 1)",
        ("--epochs", 3): "another number of epochs (2, now 3)",
        ("--batch-size", 16): "another batch size (32, now 16)",
        ("--batchnorm", "per-process"): "another batchnorm (frozen, now per-process)",
    }.items():
        capsys.readouterr()
        assert command(*changed) == 1
        error = capsys.readouterr().err
        assert message in error and len(error.splitlines()) == 1
        assert {name: (tmp_path / name).read_bytes() for name in left(tmp_path)} == before


def test_a_probe_leaves_the_checkpoint_of_a_stopped_fine_tuning(command, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 1)
        assert command() == 130
    checkpoint = (tmp_path / "mine.checkpoint").read_bytes()
    assert command("--method", "probe") == 0
    assert (tmp_path / "mine.checkpoint").read_bytes() == checkpoint


@pytest.mark.parametrize("out", ["mine.md", "mine.checkpoint", "mine.v2"])
def test_no_name_takes_the_place_of_another_file(command, tmp_path, out):
    others = ["mine.csv", "mine.safetensors"]
    for name in others:
        (tmp_path / name).write_bytes(b"of an earlier training")
    assert command("--epochs", 1, out=out) == 0
    assert load_saved(tmp_path / out).class_names == ["ants", "bees"]
    assert all((tmp_path / name).read_bytes() == b"of an earlier training" for name in others)
    assert left(tmp_path) == sorted([*others, out, f"{out}.csv", f"{out}.md"])


def test_a_folder_is_no_name_for_a_model(command, tmp_path, capsys):
    assert command(out="") == 1
    assert (
        capsys.readouterr().err == f"{tmp_path} is a folder; --out takes the name of a file, as in mine.safetensors.\n"
    )


def test_each_process_needs_an_image_of_each_split(command, capsys, monkeypatch):
    monkeypatch.setattr(train, "world_size", lambda: 8)
    assert command() == 1
    assert capsys.readouterr().err == "val has 6 images for 8 processes; start at most 6.\n"


def test_synchronised_norms_keep_the_activations(monkeypatch):
    """Those within timm's own BatchNorm, too."""
    monkeypatch.setattr(train, "device_of", lambda model: torch.device("cuda"))
    model, x = load_model(None, "tf_efficientnet_lite0").eval(), torch.rand(1, 3, 64, 64)
    before = model(x)
    train._set_norms(model, "synchronised")
    torch.testing.assert_close(model.eval()(x), before)


def test_early_stopping_ends_it_and_keeps_the_best_epoch(command, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "early_stopping", lambda patience: lambda history: len(history["lr"]) == patience)
    kept = []
    fine_tune = training.fine_tune
    monkeypatch.setattr(train, "fine_tune", lambda *a, **o: kept.append(o["keep"]) or fine_tune(*a, **o))
    assert command("--patience", 1) == 0
    assert len(table(tmp_path / "mine.csv")) == 1 and kept == ["best"]


def test_a_folder_with_splits_keeps_them(command, tmp_path, capsys):
    small_datasets(tmp_path / "split")
    assert command(folder=tmp_path / "split", out="out/mine.safetensors") == 0
    assert "train 20, val 20\n" in capsys.readouterr().out
    assert "There is no test split" in (tmp_path / "out" / "mine.md").read_text()


def test_a_file_that_cannot_be_read_stops_it_unless_it_is_skipped(command, images, tmp_path, capsys):
    folder = fill_with_insects(tmp_path / "spoiled", 10)
    (folder / "ants" / "bad.jpg").write_text("no image")
    assert command(folder=folder) == 1
    error = capsys.readouterr().err
    assert "bad.jpg holds no image" in error and "skip_unreadable" in error
    assert command("--skip-unreadable", "--method", "probe", folder=folder) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "toaster"), "There is no device 'toaster'"),
        (("--device", "xpu"), "There is no device 'xpu'"),  # a name that PyTorch knows
        (("--weights", "nowhere"), "There are no weights 'nowhere'"),
        (("--batchnorm", "synchronised"), "Synchronised BatchNorm needs GPUs"),
    ],
)
def test_what_is_not_there_is_one_line(command, tmp_path, capsys, words, message):
    assert command(*words) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1 and left(tmp_path) == []


def test_a_folder_without_classes_is_one_line(command, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert command(folder=tmp_path / "empty") == 1
    assert (
        capsys.readouterr().err == f"{tmp_path / 'empty'} has no folders; put the images into one folder per class.\n"
    )


CPU_IS_FULL = "[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: can't allocate memory: 9 bytes"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError(CPU_IS_FULL),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.56 GB, max allowed: 6.80 GB)."),
    ],
)
def test_a_full_memory_is_one_line_and_leaves_the_earlier_model(command, tmp_path, capsys, monkeypatch, error):
    (tmp_path / "mine.safetensors").write_bytes(b"earlier")

    def full(*arguments, **options):
        raise error

    monkeypatch.setattr(train, "fine_tune", full)
    assert command("--batch-size", 64) == 1
    said = capsys.readouterr().err
    assert said.startswith("The memory is full with batches of 64 images") and len(said.splitlines()) == 1
    assert (tmp_path / "mine.safetensors").read_bytes() == b"earlier" and left(tmp_path) == ["mine.safetensors"]


def test_any_other_error_is_no_full_memory(command, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a mistake in the code")

    monkeypatch.setattr(train, "fine_tune", broken)
    with pytest.raises(RuntimeError, match="a mistake in the code"):
        command()


# --- Images that belong together


def test_what_a_pattern_names_stays_in_one_split(images):
    options = train._options([str(images), "--out", "mine", "--pattern", r"(\d)\.jpg"])
    datasets = train._datasets(options, preprocessing_of("embedded"))
    animals = {split: {path[-5] for path, _ in part.samples} for split, part in datasets.items()}
    assert sum(map(len, animals.values())) == len(set.union(*animals.values())) > 2, "each in one split"


def test_a_pattern_comes_too_late_for_a_folder_that_is_split(command, tmp_path, capsys):
    small_datasets(tmp_path / "split")
    assert command("--pattern", "(.)", folder=tmp_path / "split") == 1
    assert "is split already, so groups would change nothing" in capsys.readouterr().err


# --- Options


def options_of(tmp_path, text: str, *words: str):
    (tmp_path / "train.toml").write_text(text)
    return train._options(["images", "--config", str(tmp_path / "train.toml"), "--out", "mine", *words])


def test_a_file_holds_options_and_the_command_line_has_the_last_word(tmp_path):
    options = options_of(
        tmp_path, 'epochs = 4\nweights = "embedded"\nno-mirror = true\ndry-run = false', "--epochs", "7"
    )
    assert (options.epochs, options.weights, options.mirror, options.dry_run) == (7, "embedded", False, False)
    (tmp_path / "all.toml").write_text('out = "theirs"')
    assert train._options(["images", "--config", str(tmp_path / "all.toml")]).out == "theirs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 4", "has 'epoch', which is no option"),
        ("config = 'again.toml'", "has 'config', which is no option"),
        ("epochs = 'many'", "invalid positive value: 'many'"),
        ("epochs = ", "cannot be read"),
        ("epochs = 0", "invalid positive value: '0'"),
        ("workers = -1", "invalid natural value: '-1'"),
        ("seed = -1", "invalid natural value: '-1'"),
    ],
)
def test_a_wrong_file_of_options_is_one_line(tmp_path, capsys, text, message):
    with pytest.raises(SystemExit) as end:
        options_of(tmp_path, text)
    error = capsys.readouterr().err
    assert end.value.code == 2 and message in error and len(error.splitlines()) == 1


def test_a_wrong_option_is_told_by_the_first_process_only(capsys, monkeypatch):
    for rank, lines in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(SystemExit) as end:
            train._options(["images", "--out", "mine", "--epochs", "none"])
        assert end.value.code == 2 and len(capsys.readouterr().err.splitlines()) == lines


def test_the_precision_is_that_of_the_option(command, capsys):
    assert command("--precision", "bfloat16", "--dry-run") == 0
    assert "on cpu, bfloat16" in capsys.readouterr().out
