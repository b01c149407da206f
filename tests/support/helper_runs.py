"""Each helper that computes, called once on a small model, in one place: to compare devices with the CPU."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from helpers.checkpoints import History
from helpers.data import image_datasets, make_dataloader, make_dataloaders
from helpers.devices import device_of
from helpers.evaluation import predict
from helpers.explain import grad_cam
from helpers.export import cpu_copy
from helpers.features import extract_features, penultimate_features, probe_head
from helpers.inference import SavedModel
from helpers.models import activation_bytes, count_multiply_adds, freeze, parameter_groups, replace_head
from helpers.plots import visualize_model
from helpers.training import fine_tune, lr_range_test, run_epoch, train_model
from helpers.weights import Preprocessing
from helpers.widgets import confusion_explorer

PREPROCESSING = Preprocessing(24)
CLASSES = ["dark", "light"]


def small_datasets(folder: Path) -> dict[str, Dataset]:
    """Ten small images of each class, for training and validation, written into `folder`."""
    generator = np.random.default_rng(0)
    for split in ("train", "val"):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for number in range(10):
                pixels = generator.integers(0, 160, (28, 28, 3)) + 60 * label
                Image.fromarray(pixels.astype(np.uint8)).save(folder / split / name / f"{number}.png")
    return image_datasets(folder, PREPROCESSING)


def network(device: torch.device, dropout: float = 0.0) -> nn.Module:
    """As a small ResNet: it has the parts that the helpers look for."""
    torch.manual_seed(0)
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 8, 3, stride=2),
        bn1=nn.BatchNorm2d(8),
        relu=nn.ReLU(),
        layer3=nn.Conv2d(8, 8, 3, padding=1),
        layer4=nn.Conv2d(8, 8, 3, padding=1),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        drop=nn.Dropout(dropout),
        fc=nn.Linear(8, 2),
    )
    return nn.Sequential(layers).to(device)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [value.detach().cpu() for value in model.state_dict().values()]


def shown(figure) -> list[Any]:
    """What can be seen in a figure."""
    axes = figure.axes
    return [[ax.get_title() for ax in axes], [np.asarray(image.get_array()) for ax in axes for image in ax.images]]


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameter_groups(model, lr=0.05, backbone_lr=0.02), momentum=0.9)


def train(
    model: nn.Module, datasets: dict, num_epochs: int = 2, criterion: nn.Module | None = None, **options
) -> History:
    loaders, criterion, optimizer = (
        make_dataloaders(datasets, batch_size=8),
        criterion or nn.CrossEntropyLoss(),
        sgd(model),
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    _, history = train_model(model, loaders, criterion, optimizer, scheduler, num_epochs, **options)
    return history


# --- The helpers. Each gets a model and datasets, and returns what is to be compared.


def evaluated(model, datasets):
    return run_epoch(model, make_dataloader(datasets["val"], 8), nn.CrossEntropyLoss())


def trained(model, datasets):
    return train(model, datasets), weights(model)


def trained_with_class_weights(model, datasets):
    return train(model, datasets, criterion=nn.CrossEntropyLoss(torch.tensor([1.0, 3.0]))), weights(model)


def trained_with_clipped_gradients(model, datasets):
    return train(model, datasets, max_norm=0.1, keep="last"), weights(model)


def trained_frozen(model, datasets):
    return train(freeze(model), datasets), weights(model)


def fine_tuned(model, datasets):
    return fine_tune(model, datasets, PREPROCESSING, num_epochs=2)[1], weights(model)


def searched_for_a_learning_rate(model, datasets):
    return lr_range_test(model, make_dataloader(datasets["train"], 8), nn.CrossEntropyLoss(), sgd(model), steps=6)


def predicted(model, datasets):
    return predict(model, make_dataloader(datasets["val"], 8))


def predicted_with_mirror_images(model, datasets):
    return predict(model, make_dataloader(datasets["val"], 8), mirror=True)


def drawn_with_predictions(model, datasets):
    return shown(visualize_model(model, make_dataloader(datasets["val"], 8), CLASSES, PREPROCESSING))


def extracted(model, datasets):
    return extract_features(model, make_dataloader(datasets["val"], 8))


def penultimate(model, datasets):
    return penultimate_features(model, make_dataloader(datasets["val"], 8))


def head_from_a_probe(model, datasets):
    return weights(probe_head(model, make_dataloader(datasets["train"], 8)))


def given_batches_that_lie_on_the_device(model, datasets):
    batches = [[part.to(device_of(model)) for part in batch] for batch in make_dataloader(datasets["train"], 8)]
    loader = make_dataloader(TensorDataset(*(torch.cat(parts) for parts in zip(*batches, strict=True))), 8)
    results = [run(model, loader) for run in (predict, extract_features, penultimate_features)]
    return results, run_epoch(model, loader, nn.CrossEntropyLoss()), weights(probe_head(model, loader))


def explained(model, datasets):
    images = torch.stack([datasets["val"][i][0] for i in (0, 12)])
    return grad_cam(model, images, torch.tensor([0, 1]))


def explored(model, datasets):
    explorer = confusion_explorer(model, datasets["val"], PREPROCESSING)
    return explorer.text, [shown(explorer.draw(0, predicted, True)[0]) for predicted in (0, 1)]


def counted(model, datasets):
    return count_multiply_adds(model, 24), activation_bytes(model, 24)


def answered(model, datasets):
    picture = datasets["val"].loader(datasets["val"].samples[0][0])
    return SavedModel(model.eval(), "small", CLASSES, PREPROCESSING).predict([picture, picture])


def copied_for_export(model, datasets):
    return [(str(p.device), str(p.dtype)) for p in cpu_copy(model).parameters()]


def given_a_new_head(model, datasets):
    return [tuple(part.shape) for part in weights(replace_head(model, 5))]


# To be compared between devices: each by its own.
HELPERS = [
    evaluated,
    trained,
    trained_with_class_weights,
    trained_with_clipped_gradients,
    trained_frozen,
    fine_tuned,
    searched_for_a_learning_rate,
    predicted,
    predicted_with_mirror_images,
    drawn_with_predictions,
    extracted,
    penultimate,
    head_from_a_probe,
    given_batches_that_lie_on_the_device,
    explained,
    explored,
    counted,
    answered,
    copied_for_export,
    given_a_new_head,
]


def assert_same(one: Any, other: Any, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    """Equal but for rounding; tensors on the same device."""
    if isinstance(one, dict):
        one, other = list(one.items()), list(other.items())
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for parts in zip(one, other, strict=True):
            assert_same(*parts, rtol, atol)
    elif isinstance(one, (str, int)):
        assert one == other
    else:
        torch.testing.assert_close(one, other, rtol=rtol, atol=atol)
