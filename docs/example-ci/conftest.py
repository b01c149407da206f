"""The environment in which notebooks run: tests and refresh.py share it, and their kernels inherit it."""

import os
from pathlib import Path

GUARD = Path(__file__).parent / "guard"

os.environ["PYTHONHASHSEED"] = "0"  # the order of a set
os.environ["OMP_NUM_THREADS"] = "1"  # the last digits of a sum
os.environ["PYTHONPATH"] = str(GUARD)  # no network: see sitecustomize.py in there
