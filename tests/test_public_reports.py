"""What people report of other programs: here it is a right result, or one line that names the thing and the remedy."""

import io
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset
from torchvision.transforms import v2

from helpers.data import CachedDataset, ImageDataset, SampleDataset, class_counts, make_dataloader, make_dataloaders
from helpers.errors import LessonError
from helpers.evaluation import accuracy, fit_temperature, predict
from helpers.explain import grad_cam
from helpers.features import extract_features, linear_probe
from helpers.images import load_image
from helpers.inference import load_saved, save_model
from helpers.layouts import read_layout
from helpers.models import load_model, replace_head
from helpers.shard import ShardDataset, write_shards
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform
from helpers.weights import EMBEDDED, Preprocessing

pytestmark = pytest.mark.quick

P = EMBEDDED.at(32)
X, Y = torch.rand(12, 3, 16, 16), torch.arange(12) % 2


def tiny(classes=2, end=()):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes), *end)


def train(x=X, y=Y, criterion=None, model=None, scheduler=None, epochs=1, *more):
    model, loader = model or tiny(), DataLoader(TensorDataset(x, y, *more), 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return train_model(
        model,
        {"train": loader, "val": loader},
        criterion or nn.CrossEntropyLoss(),
        optimizer,
        scheduler(optimizer) if scheduler else None,
        epochs,
    )[1]


def folder(path, **classes):
    for name, number in classes.items():
        (path / name).mkdir(parents=True)
        for i in range(number):
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8)).save(
                path / name / f"{i}.png"
            )
    return path


def network():
    return replace_head(load_model("embedded"), 2).eval()


def test_an_index_means_one_class_in_train_and_val(tmp_path):
    datasets = {
        "train": ImageDataset(folder(tmp_path / "train", ant=2, bee=2, cow=2), eval_transform(P)),
        "val": ImageDataset(folder(tmp_path / "val", ant=2, cow=2), eval_transform(P)),
    }
    model = replace_head(load_model("embedded"), 3)
    line = "train has the classes ant, bee, cow, and val ant, cow: .*same class_names"
    with pytest.raises(LessonError, match=line):
        fine_tune(model, datasets, P, 1)
    with pytest.raises(LessonError, match=line):
        train_model(model, make_dataloaders(datasets), nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters()))
    joined = ConcatDataset([datasets["train"], datasets["val"]])
    with pytest.raises(LessonError, match="same class_names"):
        fine_tune(model, {"train": joined, "val": datasets["train"]}, P, 1)


def test_one_output_is_no_accuracy_of_100_percent():
    with pytest.raises(LessonError, match=r"one output; .*replace_head\(model, 2\)"):
        train(y=Y[:, None].float(), criterion=nn.BCEWithLogitsLoss(), model=tiny(1))


@pytest.mark.parametrize(
    ("labels", "line"),
    {
        "float": (Y.float(), r"labels are torch.float32; .*labels.long\(\)"),
        "one column": (Y[:, None], r"shape \(4, 1\)"),
        "several": (torch.ones(12, 2), "add up to 1"),
        "negative": (Y - 1, "label -1; class indices count from 0"),
    }.values(),
)
def test_labels_that_are_no_indices(labels, line):
    with pytest.raises(LessonError, match=line):
        train(y=labels)


def test_labels_of_fewer_bits_and_images_of_more():
    assert train(X.double(), Y.int()).keys() == train().keys()
    assert predict(tiny().half(), DataLoader(TensorDataset(X, Y), 4))[0].dtype == torch.float32
    with pytest.raises(LessonError, match="images are uint8"):
        train((X * 255).byte())
    with pytest.raises(LessonError, match=r"these are \(height, width, 3\): `x.permute\(0, 3, 1, 2\)`"):
        train(X.permute(0, 2, 3, 1))


def test_batches_of_something_else():
    with pytest.raises(LessonError, match="has 3 parts"):
        train(X, Y, None, None, None, 1, Y)
    with pytest.raises(LessonError, match="the keys 'pixel_values', 'labels'"):
        predict(tiny(), [{"pixel_values": X, "labels": Y}])
    with pytest.raises(LessonError, match="images alone"):
        predict(tiny(), DataLoader(X, 4))


@pytest.mark.parametrize(
    ("options", "line"),
    {
        "class": ({"criterion": nn.CrossEntropyLoss}, r"CrossEntropyLoss\(\)"),
        "nll": ({"criterion": nn.NLLLoss()}, "NLLLoss takes log-probabilities"),
        "softmax": ({"model": tiny(end=[nn.Softmax(1)])}, r"take nn.Softmax out"),
        "weights": ({"criterion": nn.CrossEntropyLoss(torch.ones(3))}, "3 class weights for 2 outputs"),
    }.values(),
)
def test_losses_that_do_not_fit(options, line):
    with pytest.raises(LessonError, match=line):
        train(**options)


@pytest.mark.parametrize(
    ("scheduler", "line"),
    {
        "short": (lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=2), "total_steps=6"),
        "batches": (lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 6), "T_max=2"),
    }.values(),
)
def test_schedulers_that_count_something_else(scheduler, line):
    with pytest.raises(LessonError, match=line):
        train(scheduler=scheduler, epochs=2)


def test_what_a_network_may_return():
    class Other(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.inner, self.wrap = tiny(), wrap

        def forward(self, x):
            return self.wrap(self.inner(x))

    class Output(dict):  # as of transformers
        logits = property(lambda self: self["logits"])

    assert train(model=Other(lambda logits: Output(logits=logits)))["lr"]
    with pytest.raises(LessonError, match="Other returns a tuple; let its forward return logits alone"):
        train(model=Other(lambda logits: (logits, logits)))


def test_a_diverged_network_has_no_accuracy():
    model = tiny()
    model[0].weight.data.fill_(torch.nan)
    with pytest.raises(LessonError, match="12 of 12 images with NaN"):
        predict(model, DataLoader(TensorDataset(X, Y), 4))
    with pytest.raises(LessonError, match="features hold"):
        linear_probe(np.full((4, 2), np.nan), np.arange(4) % 2)


def test_shapes_that_would_be_spread():
    for predicted, labels in ((Y, Y[:, None]), (torch.rand(12, 2), Y), (Y[:3], Y[:2])):
        with pytest.raises(LessonError, match="class indices"):
            accuracy(predicted, labels)
    assert str(accuracy(Y[:0], Y[:0])) == "none (0 of 0)"


def test_temperature_of_a_model_that_is_always_right():
    with pytest.warns(UserWarning, match="Every image is right"):
        assert fit_temperature(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([0, 1])) == 1


def test_a_map_for_each_image():
    model, images = network(), torch.rand(2, 3, 32, 32)
    with pytest.raises(LessonError, match="one for each image"):
        grad_cam(model, images, [0])
    with pytest.raises(LessonError, match="no class 5"):
        grad_cam(model, images, [0, 5])
    with pytest.raises(LessonError, match="'fc' knows no places; 'layer4'"):
        grad_cam(model, images, [0, 1], "fc")
    labels = predict(model, [(images, torch.tensor([0, 1]))])[1]
    assert torch.equal(grad_cam(model, images, labels), grad_cam(model, images, [0, 1]))
    with torch.inference_mode():
        assert torch.equal(grad_cam(model, images + 0, [0, 1]), grad_cam(model, images, [0, 1]))


def test_features_of_layers_without_places_of_streams_and_of_wrapped_networks(tmp_path):
    dataset = ImageDataset(folder(tmp_path / "p", a=3, b=3), eval_transform(P))
    model = network()
    assert extract_features(model, make_dataloader(dataset), ("fc",))[0].shape == (6, 2)
    write_shards({"train": SampleDataset(dataset.samples, dataset.classes)}, tmp_path / "s")
    assert (
        len(extract_features(model, make_dataloader(ShardDataset(tmp_path / "s", "train", eval_transform(P)), 4))[0])
        == 6
    )
    wrapped = nn.Sequential(OrderedDict(backbone=model))
    with pytest.raises(LessonError, match="name a layer within them"):
        extract_features(wrapped, make_dataloader(dataset))


def test_images_that_make_no_batch(tmp_path):
    dataset = ImageDataset(folder(tmp_path, a=2, b=2))
    with pytest.raises(LessonError, match="PIL images, .* give it a transform"):
        next(iter(make_dataloader(dataset)))
    Image.new("RGB", (48, 32)).save(tmp_path / "a" / "wide.png")
    dataset = ImageDataset(tmp_path, v2.Compose([v2.Resize(32), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]))
    with pytest.raises(LessonError, match="different shapes"):
        next(iter(make_dataloader(dataset)))


def test_a_part_of_a_dataset_counts_and_is_kept(tmp_path):
    part = Subset(ImageDataset(folder(tmp_path, a=3, b=3), eval_transform(P)), [0, 1, 5])
    assert class_counts(part) == {"a": 2, "b": 1}
    assert CachedDataset(part).targets == [0, 0, 1]


def test_files_that_others_read(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, "PNG")
    assert load_image(file).size == (4, 3)  # the file stands at its end
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    Image.new("RGB", (4, 3)).save(tmp_path / "text.png", pnginfo=text)
    assert load_image(tmp_path / "text.png").size == (4, 3)
    with Image.open(tmp_path / "text.png") as image:
        pass
    with pytest.raises(LessonError, match="was closed before it was read"):
        load_image(image)
    (tmp_path / "a.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(LessonError, match="git lfs pull"):
        load_image(tmp_path / "a.jpg")


def test_a_disk_that_does_not_answer(tmp_path, monkeypatch):
    def broken(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.scandir", broken)
    with pytest.raises(LessonError, match=r"cannot be read \(Input/output error\)"):
        read_layout(tmp_path)


@pytest.mark.parametrize("names", [{"b": 1, "a": 0}, {"a", "b"}, "ab", ["a", "a"]])
def test_names_without_an_order_are_not_saved(tmp_path, names):
    with pytest.raises(LessonError, match="class_names"):
        save_model(tmp_path / "m.safetensors", network(), names, P)


def test_numbers_of_numpy_and_torch_are_saved(tmp_path):
    preprocessing = Preprocessing(32, mean=torch.tensor([0.5] * 3), std=np.float32([0.5] * 3))
    save_model(tmp_path / "m.safetensors", network(), np.array([3, 7]), preprocessing, threshold=torch.tensor(0.5))
    saved = load_saved(tmp_path / "m.safetensors")
    assert (saved.class_names, saved.threshold, saved.preprocessing) == (["3", "7"], 0.5, preprocessing)
    with pytest.raises(LessonError, match="should end in .safetensors"):
        save_model(tmp_path / "m.onnx", network(), ["a", "b"], P)
    with pytest.raises(LessonError, match="of 0 to 1"):
        save_model(tmp_path / "m.safetensors", network(), ["a", "b"], P, threshold=80)
    with pytest.raises(LessonError, match="divide it by 255"):
        Preprocessing(224, mean=(123.675, 116.28, 103.53))
