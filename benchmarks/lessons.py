"""How long each lesson runs and how much memory its kernel takes, and how long a new reader waits.

    python -m benchmarks.lessons      on a machine that does nothing else; a first run fills the package cache

The times are those of a clock, from the start of the kernel to the last cell.
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.runs import write_section
from tools.environment import NOTEBOOKS, ROOT
from tools.refresh_notebooks import execute

GIB = 2**30


def measure(notebook: Path) -> tuple[float, float]:
    """Seconds, and the peak memory of the largest process in GiB, of one run from top to bottom."""
    start = time.perf_counter()
    execute(notebook)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / GIB


def from_clone(folder: Path) -> float:
    """Seconds from `git clone` to the end of lesson 00, where a classifier has been trained and tested."""
    start = time.perf_counter()
    for command in (
        ["git", "clone", "--quiet", ROOT, folder],
        ["make", "--directory", folder, ".venv/ready", f"PYTHON={sys.executable}"],
        [folder / ".venv/bin/jupyter", "execute", folder / "notebooks/00_start_here.ipynb"],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    lines = ["| what | seconds | peak memory, GiB |", "|---|---|---|"]
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # each with the memory of its own children
            seconds, peak = pool.apply(measure, (notebook,))
        lines.append(f"| {notebook.stem} | {seconds:.0f} | {peak:.2f} |")
        print(lines[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        lines.append(f"| from `git clone` to the end of lesson 00 | {from_clone(Path(folder) / 'clone'):.0f} | |")
    write_section("lessons", f"{os.cpu_count()} cores.\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
