"""The textbook's training, with batches of 32 in place of 4: what the helpers are held against (benchmarks/speed.py).

After PyTorch's "Transfer Learning for Computer Vision Tutorial" (Chilamkurthy, 2017). Paths, the size of the
pictures and the weights are arguments here, so that both sides have the same; the rest is left alone, slips too.
"""

import copy
from pathlib import Path

import torch
from torch import nn, optim
from torch.optim import lr_scheduler
from torchvision import datasets, transforms

from helpers.devices import best_device
from helpers.models import load_model

EPOCHS = 25


def dataloaders(data_dir: Path, size: int, **flags) -> dict[str, torch.utils.data.DataLoader]:
    """The textbook's loaders for `train` and `val`; `flags` go to `DataLoader` in place of its own."""
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    data_transforms = {
        "train": transforms.Compose(
            [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalize]
        ),
        "val": transforms.Compose(
            [
                transforms.Resize(round(size * 256 / 224)),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                normalize,
            ]
        ),
    }
    image_datasets = {x: datasets.ImageFolder(data_dir / x, data_transforms[x]) for x in ("train", "val")}
    flags = {"batch_size": 32, "shuffle": True, "num_workers": 4} | flags
    return {x: torch.utils.data.DataLoader(image_datasets[x], **flags) for x in ("train", "val")}


def train_model(model, dataloaders, criterion, optimizer, scheduler, num_epochs=EPOCHS):
    """The textbook's loop, without what it prints. Returns the model with its best weights."""
    device = best_device()
    dataset_sizes = {x: len(dataloaders[x].dataset) for x in ("train", "val")}
    best_model_wts = copy.deepcopy(model.state_dict())
    best_acc = 0.0
    for _ in range(num_epochs):
        for phase in ("train", "val"):
            if phase == "train":
                model.train()
            else:
                model.eval()
            running_loss = 0.0
            running_corrects = 0
            for inputs, labels in dataloaders[phase]:
                inputs = inputs.to(device)
                labels = labels.to(device)
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(preds == labels.data)
            if phase == "train":
                scheduler.step()
            epoch_acc = running_corrects.double() / dataset_sizes[phase]
            if phase == "val" and epoch_acc > best_acc:
                best_acc = epoch_acc
                best_model_wts = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_model_wts)
    return model


def replace_head(class_names: list[str], frozen: bool) -> tuple[nn.Module, optim.Optimizer, lr_scheduler.LRScheduler]:
    """The embedded network with the textbook's new head, its optimizer and its scheduler."""
    model = load_model("embedded")
    if frozen:
        for param in model.parameters():
            param.requires_grad = False
    num_ftrs = model.fc.in_features
    model.fc = nn.Linear(num_ftrs, len(class_names))
    model = model.to(best_device())
    optimizer = optim.SGD(model.fc.parameters() if frozen else model.parameters(), lr=0.001, momentum=0.9)
    return model, optimizer, lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
