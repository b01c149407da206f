"""A network and batches so small that a training takes milliseconds."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def tiny_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(4, 2))


def tiny_loaders(images: int = 21, batch_size: int = 8) -> dict[str, DataLoader]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(images, 3, 8, 8, generator=generator)
    y = (x.mean((1, 2, 3)) > x.mean()).long()
    data = TensorDataset(x, y)
    return {
        "train": DataLoader(data, batch_size, shuffle=True, generator=torch.Generator().manual_seed(0)),
        "val": DataLoader(data, batch_size),
    }


def sgd(model: nn.Module, lr: float = 0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
