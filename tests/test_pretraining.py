"""The pretraining recipe, on a few coloured squares: it reads both layouts and goes on after a kill."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import recipes.pretrain_resnet18 as recipe

CLASSES, EACH = ["n01443537", "n01629819"], 12


def picture(label: int, number: int) -> Image.Image:
    rng = np.random.default_rng(100 * label + number)
    return Image.fromarray((rng.random((64, 64, 3)) * 127 + 128 * label).astype(np.uint8))


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    (folder / "classes.json").write_text(json.dumps([{"wnid": wnid, "name": wnid} for wnid in CLASSES]))
    files = []
    for label in range(len(CLASSES)):
        for number in range(EACH):
            picture(label, number).save(file := io.BytesIO(), "WEBP", lossless=True)
            files.append(file.getvalue())
    offsets = np.cumsum([0, *map(len, files)])
    labels = np.repeat(np.arange(len(CLASSES)), EACH).astype(np.int16)
    data = np.frombuffer(b"".join(files), np.uint8)
    np.savez(folder / "part-0.npz", data=data, offsets=offsets, labels=labels)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {"SIDES": [(2, 32)], "BATCH_SIZE": 4, "HELD_OUT": 2, "CHECKPOINT_EVERY": 3}.items():
        monkeypatch.setattr(recipe, name, value)


def pretrain(data: Path, out: Path, monkeypatch) -> dict[str, torch.Tensor]:
    arguments = ["pretrain", str(data), "--out", str(out / "w.safetensors"), "--checkpoint", str(out / "c.pt")]
    monkeypatch.setattr(sys, "argv", arguments)
    recipe.main()
    return load_file(out / "w.safetensors")


def test_a_killed_run_goes_on_to_the_same_weights(packed, tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = pretrain(packed, tmp_path / "whole", monkeypatch)

    with monkeypatch.context() as killed:
        save = recipe.save

        def save_and_die(state, path):
            save(state, path)
            raise KeyboardInterrupt

        killed.setattr(recipe, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            pretrain(packed, tmp_path / "killed", monkeypatch)
    resumed = pretrain(packed, tmp_path / "killed", monkeypatch)

    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert whole["conv1.weight"].dtype == torch.float16
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == ["SHA256SUMS", "w.safetensors"]


def test_the_public_layout_is_read_without_the_bee(tmp_path):
    for label, wnid in enumerate([*CLASSES, recipe.LEFT_OUT]):
        images = tmp_path / "train" / wnid / "images"
        images.mkdir(parents=True)
        for number in range(3):
            picture(label % 2, number).save(images / f"{wnid}_{number}.JPEG", quality=95)
    (tmp_path / "wnids.txt").write_text("\n".join([*CLASSES, recipe.LEFT_OUT]))
    (tmp_path / "words.txt").write_text(f"{CLASSES[0]}\tgoldfish, Carassius auratus\n{CLASSES[1]}\tsalamander\n")
    images, labels, classes = recipe.load_images(tmp_path)
    assert images.shape == (6, 3, 64, 64) and images.dtype == torch.uint8
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert classes == [{"wnid": CLASSES[0], "name": "goldfish"}, {"wnid": CLASSES[1], "name": "salamander"}]
    assert images[3:].float().mean() > images[:3].float().mean() + 100


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(SystemExit, match="give the folder of Tiny ImageNet"):
        recipe.load_images(tmp_path)


def test_nothing_is_both_trained_on_and_measured_on():
    labels = torch.arange(2).repeat_interleave(EACH)
    train, held_out = recipe.split(labels, seed=0)
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(2 * EACH))
    assert labels[held_out].bincount().tolist() == [2, 2]


def test_crops_come_from_the_picture_and_half_are_mirrored():
    ramp = torch.linspace(0, 1, 64).expand(64, 3, 64, 64)  # darker on the left
    crops = recipe.random_crops(ramp, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (64, 3, 16, 16)
    assert 0 <= crops.min() and crops.max() <= 1
    mirrored = (crops[:, 0, 0, 0] > crops[:, 0, 0, -1]).sum()
    assert 20 < mirrored < 44
