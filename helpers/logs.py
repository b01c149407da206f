"""The record of a training: a table, and curves for TensorBoard where that is installed (lesson 04)."""

import csv
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

from helpers.checkpoints import History
from helpers.files import atomic_write


def log_to(folder: str | Path) -> Callable[[History], None]:
    """For `on_epoch`: keeps the history of a training in `folder`, up to date after each epoch.

    `history.csv` has a row for each epoch, counted from 1. Where TensorBoard is installed, files for it come beside the
    table; `tensorboard --logdir FOLDER` shows them. After a resume, the table continues without a gap or a repetition.

    Args:
        folder: made where it is not there. The table of an earlier training in it is replaced.

    Raises:
        LessonError: (when it is called) the table cannot be written.
    """
    folder = Path(folder).expanduser()
    writer = None
    if importlib.util.find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter  # takes seconds, which nobody without it need wait

        writer = SummaryWriter(str(folder))

    def log(history: History) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *figures] for epoch, figures in enumerate(zip(*history.values(), strict=True), start=1))
        atomic_write(folder / "history.csv", text.getvalue().encode())
        if writer is not None:
            for name, figures in history.items():
                phase, _, figure = name.rpartition("_")  # `train_loss` and `val_loss` share a plot
                writer.add_scalar(f"{figure}/{phase}" if phase else figure, figures[-1], len(figures))
            writer.flush()

    return log
