"""The record of a training: a table, and curves for TensorBoard where that is installed (lesson 04)."""

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

from helpers.checkpoints import History


def log_to(folder: str | Path) -> Callable[[History], None]:
    """For `on_epoch`: keeps the history of a training in `folder`, up to date after each epoch.

    `history.csv` has a row for each epoch. Where TensorBoard is installed, event files for it come beside the table;
    `tensorboard --logdir FOLDER` shows them. After a resume, both continue without a gap and without a repetition.

    Args:
        folder: made where it is not there. A table of an earlier training in it is replaced.
    """
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    writer = None
    if importlib.util.find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter  # takes seconds, which nobody without it need wait

        writer = SummaryWriter(str(folder))
    written = 0

    def log(history: History) -> None:
        nonlocal written
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", *history])
            rows.writerows([epoch, *figures] for epoch, figures in enumerate(zip(*history.values(), strict=True), 1))
        if writer is not None:
            for epoch in range(written, len(history["lr"])):
                for name, figures in history.items():
                    phase, _, figure = name.rpartition("_")  # `train_loss` and `val_loss` share a plot of TensorBoard
                    writer.add_scalar("/".join(filter(None, (figure, phase))), figures[epoch], epoch + 1)
            written = len(history["lr"])
            writer.flush()

    return log
