"""What a training in a terminal leaves of its epochs: lines, a table, and curves (lesson 11)."""

import csv
import io
import time
from pathlib import Path
from typing import Any

from helpers.checkpoints import History
from helpers.costs import duration
from helpers.distributed import rank
from helpers.files import atomic_write


class TrainingLog:
    """For `on_epoch`: a line for each epoch, a CSV file, and curves for TensorBoard where it is installed.

    Of several processes, the first one writes.

    Args:
        table: the CSV file. It is written anew after each epoch, so that a resumed training leaves no row twice.
        curves: TensorBoard's folder.
        num_epochs: of the whole training, for the time that is left.
    """

    def __init__(self, table: Path, curves: Path, num_epochs: int):
        self.table, self.num_epochs = table, num_epochs
        self.board = _board(curves) if rank() == 0 else None
        self.before = time.monotonic()

    def __call__(self, history: History) -> None:
        """Called after each epoch, and once with those of a checkpoint."""
        if rank() > 0:
            return
        figures = {name: values[-1] for name, values in history.items()}
        epoch, now = len(history["lr"]), time.monotonic()
        left = duration((self.num_epochs - epoch) * (now - self.before))
        self.before = now
        print(
            f"epoch {epoch}/{self.num_epochs}  train loss {figures['train_loss']:.4f}  "
            f"val loss {figures['val_loss']:.4f}  val accuracy {figures['val_acc']:.1%}  {left} left",
            flush=True,
        )
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["epoch", *history])
        rows.writerows(zip(range(1, epoch + 1), *history.values(), strict=True))
        atomic_write(self.table, text.getvalue().encode())
        if self.board:
            for name, figure in figures.items():
                self.board.add_scalar(name, figure, epoch)
            self.board.flush()


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # only where somebody has installed TensorBoard
    except ImportError:
        return None
    return SummaryWriter(str(folder))
