"""A training that `torchrun` starts in a test: python -m torch.distributed.run ... elastic.py FOLDER KILLED AFTER

In the first attempt, the process KILLED ends AFTER seconds after its training has begun, as by `kill -9`.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import torch
from torch import nn

from helpers.data import make_dataloader
from helpers.distributed import process_group, rank
from helpers.training import train_model
from support.training import sgd, tiny_loaders, tiny_model

EPOCHS = 12


def main(folder: Path, killed: int, after: float) -> None:
    torch.set_num_threads(1)
    with process_group(torch.device("cpu")):
        first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
        if first and rank() == killed:
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL)).start()
        torch.manual_seed(rank())
        model, data = tiny_model(), tiny_loaders()["train"].dataset
        loaders = {"train": make_dataloader(data, 8, shuffle=True), "val": make_dataloader(data, 8)}
        history = train_model(
            model,
            loaders,
            nn.CrossEntropyLoss(),
            *sgd(model),
            num_epochs=EPOCHS,
            checkpoint=folder / "run.pt",
            on_epoch=lambda history: time.sleep(0.05),  # so that a kill finds it at work
        )[1]
        if rank() == 0:
            torch.save([history, model.state_dict()], folder / "end.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
