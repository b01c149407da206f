"""Shards: each image once however many processes read them, another order in each epoch, damage named."""

import json
import sys
import tarfile

import numpy as np
import pytest
import torch
from support.checks import line, names
from support.helper_runs import PREPROCESSING, network, small_datasets
from support.images import noise

from helpers import data, shard
from helpers.costs import peak_memory
from helpers.data import SampleDataset, make_dataloader
from helpers.errors import LessonError
from helpers.images import load_image
from helpers.shard import ShardDataset, is_sharded, main, shard_datasets, write_shards
from helpers.training import fine_tune

CPU = torch.device("cpu")
IMAGES = 43


def first_pixel(image) -> int:
    """The number of an image, which is its colour."""
    red, green, _ = np.asarray(image)[0, 0].tolist()
    return 256 * red + green


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> SampleDataset:
    """Images that say which one they are."""
    folder = tmp_path_factory.mktemp("numbered")
    samples = []
    for number in range(IMAGES):
        image = noise(number, (20, 16))
        image.paste((number // 256, number % 256, 0), (0, 0, 2, 2))
        image.save(folder / f"{number}.png")
        samples.append((str(folder / f"{number}.png"), number % 3))
    return SampleDataset(samples, ["a", "b", "c"])


@pytest.fixture(scope="module")
def written(numbered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "made"
    write_shards({"train": numbered}, folder, megabytes=0.008)
    return folder


def read(folder, processes=1, workers=0, shuffle=False, epoch=0, batch_size=4) -> list[list[list[int]]]:
    """The numbers of the images that each process gets, batch by batch."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for rank in range(processes):
            for module in (shard, data, sys.modules["helpers.distributed"]):
                patch.setattr(module, "world_size", lambda: processes)
                if hasattr(module, "rank"):
                    patch.setattr(module, "rank", lambda rank=rank: rank)
            dataset = ShardDataset(folder, "train", first_pixel)
            loader = make_dataloader(dataset, batch_size * processes if shuffle else batch_size, shuffle, workers)
            loader.dataset.set_epoch(epoch)
            found.append([numbers.tolist() for numbers, _ in loader])
            assert len(found[-1]) == len(loader)
    return found


def flat(found: list[list[list[int]]]) -> list[int]:
    return [number for process in found for batch in process for number in batch]


def test_there_are_several_shards_of_different_lengths(written):
    index = json.loads((written / "index.json").read_text())
    images = [each["images"] for each in index["splits"]["train"]]
    assert len(images) > 3 and sum(images) == IMAGES and len(set(images)) > 1
    assert dict(index["counts"]["train"]) == {0: 15, 1: 14, 2: 14}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_each_image_is_read_exactly_once(written, processes, workers):
    if workers and processes != 2:
        pytest.skip("workers take seconds to start; two processes are enough")
    numbers = flat(read(written, processes, workers))
    assert sorted(numbers) == list(range(IMAGES))
    assert numbers != sorted(numbers), "they were mixed when they were written"


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_to_train_each_process_gets_as_much(written, processes):
    found = read(written, processes, shuffle=True)
    lengths = {tuple(map(len, process)) for process in found}
    assert len(lengths) == 1, "a process without a batch would make the others wait"
    assert set(flat(found)) == set(range(IMAGES))
    assert len(flat(found)) - IMAGES < processes


def test_each_epoch_has_an_order_of_its_own_that_can_be_repeated(written):
    orders = [flat(read(written, shuffle=True, epoch=epoch)) for epoch in (0, 1, 1)]
    assert orders[0] != orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(orders[1])


def test_labels_and_pixels_are_those_of_the_files(written, numbered):
    dataset = ShardDataset(written, "train")
    for image, label in dataset:
        path, expected = numbered.samples[first_pixel(image)]
        assert label == expected and image.tobytes() == load_image(path).tobytes()
    assert dataset.counts == {"a": 15, "b": 14, "c": 14}


def test_webdataset_reads_them(written, numbered):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    files = sorted(str(path) for path in written.glob("train-*.tar"))
    found = list(webdataset.WebDataset(files, shardshuffle=False).decode("pil").to_tuple("png", "cls"))
    assert sorted(first_pixel(image) for image, _ in found) == list(range(IMAGES))
    assert all(label == numbered.targets[first_pixel(image)] for image, label in found)


@pytest.mark.parametrize("megabytes", [0, -1, float("nan")])
def test_the_smallest_shard_holds_an_image(numbered, tmp_path, megabytes):
    splits = write_shards({"train": numbered}, tmp_path / "shards", megabytes=megabytes)
    assert [shard.images for shard in splits["train"]] == [1] * IMAGES


def test_the_recipe_trains_on_shards(tmp_path):
    write_shards(
        {split: SampleDataset(part.samples, part.classes) for split, part in small_datasets(tmp_path / "i").items()},
        tmp_path / "shards",
        megabytes=0.005,
    )
    (tmp_path / "i" / "index.json").write_text('{"license": "MIT"}')  # of another program
    assert is_sharded(tmp_path / "shards") and not is_sharded(tmp_path / "i")
    parts = shard_datasets(tmp_path / "shards", PREPROCESSING)
    _, history = fine_tune(network(CPU), parts, PREPROCESSING, num_epochs=2, batch_size=8)
    assert history["val_acc"][-1] >= 0.8


# --- What goes wrong


@pytest.fixture
def copy(written, tmp_path):
    for path in written.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def cut(path):
    path.write_bytes(path.read_bytes()[:-600])


def spoil(path):
    path.write_bytes(path.read_bytes().replace(b"ustar", b"xxxxx"))


def other_content(path):
    path.write_bytes(path.read_bytes().replace(b"IHDR", b"XXXX"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.unlink(), "train-000001.tar is missing; copy it again"),
        (cut, r"train-000001.tar has \d+ bytes, not \d+: it was cut short or changed; copy it again"),
        (spoil, "train-000001.tar is damaged; copy it again, or write the shards anew"),
        (other_content, r"train-000001.tar, \d+.png, .*; write the shards anew"),
        (lambda path: path.with_name("index.json").unlink(), "has no readable index.json; `python -m helpers.shard`"),
        (lambda path: path.with_name("index.json").write_text("{"), "has no readable index.json"),
    ],
)
def test_damage_is_named(copy, harm, message):
    harm(copy / "train-000001.tar")
    with pytest.raises(LessonError, match=message) as error:
        list(ShardDataset(copy, "train"))
    assert str(copy) in line(error)


def test_a_split_that_is_not_there_is_named(copy):
    with pytest.raises(LessonError, match="has no 'test', only train"):
        ShardDataset(copy, "test")


def test_what_is_there_is_not_overwritten_and_a_killed_run_leaves_no_shards(numbered, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(LessonError, match="mine is there already"):
        write_shards({"train": numbered}, tmp_path / "mine")
    (tmp_path / "other.part").mkdir()
    (tmp_path / "other.part" / "train-000099.tar").touch()
    write_shards({"train": numbered}, tmp_path / "other")
    assert names(tmp_path / "other") == ["index.json", "train-000000.tar"] and names(tmp_path) == ["mine", "other"]


def test_the_command(tmp_path, monkeypatch, capsys):
    small_datasets(tmp_path / "images")
    monkeypatch.setattr(sys, "argv", ["shard", str(tmp_path / "images"), str(tmp_path / "shards")])
    assert main() == 0
    assert "train: 20 images in 1 shards" in capsys.readouterr().out
    with tarfile.open(tmp_path / "shards" / "val-000000.tar") as tar:
        assert len(tar.getnames()) == 40
    with pytest.raises(SystemExit, match="shards is there already"):
        main()


@pytest.mark.nightly
def test_a_hundred_thousand_images_stream_in_flat_memory(numbered, tmp_path):
    """Memory after all is that after the first tenth, but for a few megabytes; each image comes once."""
    many = SampleDataset(numbered.samples * (100_000 // IMAGES + 1), numbered.classes)
    write_shards({"train": many}, tmp_path / "many", megabytes=5)
    loader = make_dataloader(ShardDataset(tmp_path / "many", "train", first_pixel), 500, shuffle=True)
    counts = np.zeros(IMAGES, dtype=int)
    for position, (numbers, _) in enumerate(loader):
        counts += np.bincount(numbers, minlength=IMAGES)
        if position == len(loader) // 10:
            early = peak_memory(CPU)
    assert (counts == 100_000 // IMAGES + 1).all()
    assert peak_memory(CPU) - early < 20e6
