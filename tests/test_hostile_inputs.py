"""What people's folders and files really look like: each row ends well, or in one line."""

import io
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps
from support.checks import line
from support.images import INSECTS, RED, bomb, corners, fill, quarters
from support.training import sgd, tiny_loaders, tiny_model
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import get_model

from helpers.archives import WrongBytes
from helpers.data import ImageDataset, load_image, make_dataloaders
from helpers.errors import LessonError
from helpers.features import penultimate_features
from helpers.inference import load_saved, save_model
from helpers.models import input_size, load_model, replace_head
from helpers.own_images import check_folder, extract_pictures, split_folder
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform, train_transform
from helpers.weights import Preprocessing


def picture_bytes(kind: str) -> bytes:
    file = io.BytesIO()
    quarters((64, 48)).save(file, kind)
    return file.getvalue()


# --- One file: it is found before training, by its path

UNREADABLE = {
    "truncated.jpg": picture_bytes("JPEG")[:-200],
    "truncated.png": picture_bytes("PNG")[:-40],
    "empty.jpg": b"",
    "text.jpg": b"this is no image\n",
    "error page.jpg": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
    "bomb.png": bomb(),
    "half a header.png": b"\x89PNG",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read(tmp_path, name):
    fill(tmp_path / "ants", "a.png", "b.png")
    path = fill(tmp_path / "bees", "c.png") / name
    path.write_bytes(UNREADABLE[name])
    found = check_folder(tmp_path)
    assert list(found.unreadable) == [f"bees/{name}"] and f"!!  unreadable bees/{name}" in str(found)
    with pytest.raises(LessonError, match="skip_unreadable=True") as error:
        split_folder(found, Preprocessing(32))
    assert str(path) in line(error)
    with pytest.raises(LessonError) as error:
        load_image(path)
    remedy = "scale it down" if name == "bomb.png" else "replace it or take it out"
    assert str(path) in line(error) and remedy in line(error)
    assert path.read_bytes() == UNREADABLE[name], "nothing of the user's is touched"


READABLE = {  # how it is saved, and the endings under which people have it
    "upper.JPG": "JPEG",
    "a.webp": "WEBP",
    "a.bmp": "BMP",
    "a.tiff": "TIFF",
    "a.PNG": "PNG",
    "gif inside.png": "GIF",  # the ending does not matter to the decoder
    "name with 'quotes' and spaces.png": "PNG",
    "\N{ANT}\N{HONEYBEE}.png": "PNG",
    f"{'x' * 196}.png": "PNG",
}


@pytest.mark.parametrize("name", READABLE)
def test_a_file_that_can_be_read(tmp_path, name):
    fill(tmp_path / "ants", "a.png")
    path = fill(tmp_path / "bees") / name
    path.write_bytes(picture_bytes(READABLE[name]))
    found = check_folder(tmp_path)
    assert not found.unreadable and found.counts() == {"ants": 1, "bees": 1}
    assert ImageDataset(tmp_path).samples[1] == (str(path), 1)
    assert load_image(path).size == (64, 48)


@pytest.mark.parametrize("frames", [1, 3])
def test_a_gif_is_reported_and_not_counted(tmp_path, frames):
    fill(tmp_path / "ants", "a.png")
    images = [Image.new("P", (8, 8), i) for i in range(frames)]
    images[0].save(tmp_path / "ants" / "imageNotFound.gif", save_all=True, append_images=images[1:])
    found = check_folder(tmp_path)
    assert found.others == ["ants/imageNotFound.gif"] and found.counts() == {"ants": 1}
    assert "imageNotFound.gif" in str(found)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
@pytest.mark.parametrize("make", [train_transform, eval_transform])
def test_odd_sizes_reach_the_network(tmp_path, size, make):
    path = fill(tmp_path / "ants") / "odd.png"
    Image.new("RGB", size, RED).save(path)
    assert make(Preprocessing(96))(load_image(path)).shape == (3, 96, 96)
    assert ("odd.png; crop it" in str(check_folder(tmp_path))) == (size != (1, 1))


def test_the_orientation_counts_in_training_and_in_prediction(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    fill(tmp_path / "ants", "a.png")
    path = fill(tmp_path / "bees") / "turned.png"
    quarters().save(path, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    assert ImageDataset(tmp_path)[1][0].size == upright.size == (8, 16)
    assert corners(ImageDataset(tmp_path)[1][0]) == corners(upright)
    save_model(tmp_path / "m", replace_head(load_model(None), 2), ["ants", "bees"], Preprocessing(32))
    assert load_saved(tmp_path / "m").predict(path) == load_saved(tmp_path / "m").predict(upright)


# --- Folders


def test_a_folder_that_may_only_be_read(tmp_path):
    fill(tmp_path / "ants", "a.png", "b.png")
    fill(tmp_path / "bees", "c.png", colour=(0, 0, 255))
    fill(tmp_path / "ants", "b.png", colour=(0, 255, 0))
    before = sorted(tmp_path.rglob("*"))
    for path in [tmp_path, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with pytest.warns(UserWarning, match="collect more"):
            datasets = split_folder(check_folder(tmp_path), Preprocessing(32))
        assert len([image for image, _ in datasets["train"]]) == 2
        assert sorted(tmp_path.rglob("*")) == before, "root may write there, and nothing did"
    finally:
        for path in [tmp_path, *before]:
            path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_in_a_circle(tmp_path):
    fill(tmp_path / "ants", "a.png")
    (tmp_path / "ants" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "ants" / "self.png").symlink_to("self.png")
    (tmp_path / "bees").symlink_to("bees")
    found = check_folder(tmp_path)
    assert [p.name for p in found.pictures] == ["ants/a.png"]
    assert "ants/self.png" in found.others


def test_one_to_two_hundred_trains_with_a_warning(tmp_path):
    noise = torch.randint(0, 256, (201, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for i, pixels in enumerate(noise):
        path = fill(tmp_path / ("ants" if i < 200 else "bees")) / f"{i}.png"
        Image.fromarray(pixels.numpy()).resize((16, 16), Image.Resampling.NEAREST).save(path)
    found = check_folder(tmp_path)
    assert "!!  balance    ants 200, bees 1; collect more, or draw with weighted_sampler" in str(found)
    with pytest.warns(UserWarning, match="'bees' has 1 image"):
        datasets = split_folder(found, Preprocessing(16))
    assert 1 in datasets["train"].targets, "the one bee is learned from"
    assert train_small(datasets)["val_acc"][0] >= 0


def train_small(datasets) -> dict:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return fine_tune(model, datasets, Preprocessing(16), num_epochs=1)[1]


def test_three_pictures_in_all_train(tmp_path):
    fill(tmp_path / "ants", "a.png")
    fill(tmp_path / "ants", "b.png", colour=(0, 255, 0))
    fill(tmp_path / "bees", "c.png", colour=(0, 0, 255))
    with pytest.warns(UserWarning, match="'bees' has 1 image; collect more"):
        datasets = split_folder(check_folder(tmp_path), Preprocessing(16))
    assert len(train_small(datasets)["lr"]) == 1


# --- Training


@pytest.mark.parametrize("size", [32, 64])
def test_a_last_batch_of_one_with_the_real_network(size):
    """At 32 pixels BatchNorm would see one value per channel in such a batch, and PyTorch refuses it."""
    data = TensorDataset(torch.rand(3, 3, size, size), torch.tensor([0, 1, 0]))
    loaders = make_dataloaders({"train": data, "val": data}, batch_size=2)
    model = replace_head(load_model("embedded"), 2)
    _, history = train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=1)
    assert len(history["lr"]) == 1 and sum(len(labels) for _, labels in loaders["train"]) == 3


def test_a_last_batch_of_one_from_another_loader_is_one_line():
    data = TensorDataset(torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 0]))
    loaders = dict.fromkeys(("train", "val"), DataLoader(data, batch_size=2))
    model = replace_head(load_model("embedded"), 2)
    with pytest.raises(LessonError, match="let `make_dataloaders` make the batches") as error:
        train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=1)
    line(error)


@pytest.fixture(scope="module")
def inception() -> nn.Module:
    return replace_head(get_model("inception_v3", weights=None, init_weights=False), 2)


@pytest.mark.parametrize(("size", "probed"), [(64, False), pytest.param(224, True, marks=pytest.mark.nightly)])
def test_inception_says_that_pictures_are_too_small(inception, size, probed):
    data = TensorDataset(torch.rand(2, 3, size, size), torch.tensor([0, 1]))
    loaders = make_dataloaders({"train": data, "val": data})
    if probed:  # its auxiliary head, which only training uses, needs more than the rest
        assert penultimate_features(inception, loaders["val"])[0].shape == (2, 2048)
    else:
        with pytest.raises(LessonError, match=f"Inception3 cannot take images of {size} x {size} pixels"):
            penultimate_features(inception, loaders["val"])
    with pytest.raises(LessonError, match=f"Inception3 cannot take images of {size} x {size} pixels") as error:
        train_model(inception, loaders, nn.CrossEntropyLoss(), *sgd(inception), num_epochs=1)
    assert "; 299 x 299 fit" in line(error) and input_size("inception_v3") == 299


def test_numbers_that_are_none_in_val_stop_the_training():
    loaders = tiny_loaders()
    x, y = loaders["val"].dataset.tensors
    spoilt = x.clone()
    spoilt[3, 0, 0, 0] = float("nan")
    loaders["val"] = DataLoader(TensorDataset(spoilt, y), 8)
    model = tiny_model()
    with pytest.raises(LessonError, match="The loss on val is nan in epoch 1") as error:
        train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=3)
    line(error)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_workers_under_spawn_read_a_split(tmp_path):
    fill(tmp_path / "ants", "a.png", "b.png")
    fill(tmp_path / "ants", "b.png", colour=(0, 255, 0))
    fill(tmp_path / "bees", "c.png", colour=(0, 0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = split_folder(check_folder(tmp_path), Preprocessing(32))["val"]
    loader = DataLoader(data, 1, num_workers=1, multiprocessing_context="spawn")
    assert [x.shape for x, _ in loader] == [(1, 3, 32, 32)]


def insects_zip(path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in ("ants", "bees"):
            for picture in sorted((INSECTS / "train" / name).iterdir())[:20]:
                file.write(picture, f"{top}{name}/{picture.name}")
    return path


# --- A reader's own zip and upload


@pytest.mark.parametrize("top", ["", "my images/", "\N{ANT}/"])
@pytest.mark.parametrize("read", [lambda path: path, Path.read_bytes], ids=["zip", "upload"])
def test_a_zip_with_and_without_a_folder_around(tmp_path, top, read):
    archive = insects_zip(tmp_path / "p.zip", top)
    folder = extract_pictures(read(archive), tmp_path / "mine")
    assert check_folder(folder).counts() == {"ants": 20, "bees": 20}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "p.zip"]


@pytest.mark.parametrize("name", ["../evil", "ants/../../evil", "/evil", "C:\\evil", "C:evil", "\\\\host\\evil"])
def test_a_zip_that_leads_out_is_refused(tmp_path, name):
    archive = insects_zip(tmp_path / "p.zip")
    with zipfile.ZipFile(archive, "a") as file:
        member = zipfile.ZipInfo()
        member.filename = name
        file.writestr(member, b"evil")
    with pytest.raises(WrongBytes, match="leads out of the folder") as error:
        extract_pictures(archive, tmp_path / "in" / "mine")
    assert repr(name) in line(error) and not any((tmp_path / "in").iterdir())


def test_a_zip_with_a_link_is_refused(tmp_path):
    archive = insects_zip(tmp_path / "p.zip")
    with zipfile.ZipFile(archive, "a") as file:
        link = zipfile.ZipInfo("ants/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(WrongBytes, match=r"'ants/link.jpg' is a link"):
        extract_pictures(archive, tmp_path / "mine")


def test_a_zip_bomb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ants/a.bmp", bytes(101 * 10**6))
    with pytest.raises(WrongBytes, match=r"bytes would become 101,000,000"):
        extract_pictures(tmp_path / "p.zip", tmp_path / "mine")
    assert [p.name for p in tmp_path.iterdir()] == ["p.zip"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_an_upload_that_is_no_zip_is_one_line(tmp_path, content):
    with pytest.raises(WrongBytes, match="The upload is not the expected archive") as error:
        extract_pictures(content, tmp_path / "mine")
    line(error)
    assert not any(tmp_path.iterdir())
