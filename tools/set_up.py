"""Sets up .venv/ with the pinned packages, and with the build of torch that fits this machine.

    python tools/set_up.py           what the lessons need; `make lab` calls it
    python tools/set_up.py checks    the packages of the checks as well; `make test` calls it

It needs nothing but Python. `UV_TORCH_BACKEND` chooses another build of torch, such as `cpu`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  whoever has an older Python reads this line, and no traceback
    sys.exit(f"Python {sys.version.split()[0]} is too old: install Python 3.11 or newer, then call it with that one.")

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")
INSTALL = [str(BIN / "uv"), "pip", "install", "--python", PYTHON, "--constraint", "requirements.txt"]
PATIENCE_S = 20  # for two pages of PyTorch's own index
# Measured on Linux; the minutes are those of a line with 50 Mbit/s.
CPU_SIZE = "about 0.5 GB to fetch and 1.4 GB on disk, 2 minutes at 50 Mbit/s"
GPU_SIZE = "about 3 GB to fetch and 6 GB on disk, 10 minutes at 50 Mbit/s"


def fitting_torch() -> list[str]:
    """The options with which uv takes the build of torch that fits this machine; says how much there is to fetch.

    PyTorch's own index has a build for each GPU driver, and one for the CPU. Where it cannot be reached, the ordinary
    index has one build for each system: for Linux the one with CUDA.
    """
    options = ["--torch-backend", os.environ.get("UV_TORCH_BACKEND", "auto")]
    ask = [*INSTALL, *options, "--dry-run", "--no-deps", "torch", "torchvision"]
    try:
        plan = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stderr
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        if "UV_TORCH_BACKEND" in os.environ:
            return options  # and uv says why it cannot be had
        print("PyTorch's own index has no torch for this machine, or is out of reach: taking the ordinary one.")
        options, plan = [], "torch==ordinary"
    if not (found := re.search(r"torch==[^+\s]+\+?(\w*)", plan)):
        return []  # the torch that is there stays
    build = found[1] or ("cuda" if sys.platform == "linux" else "cpu")
    free = shutil.disk_usage(ROOT).free / 1e9
    print(f"Torch for {build}: {CPU_SIZE if build == 'cpu' else GPU_SIZE}; {free:.0f} GB are free here.", flush=True)
    return options


def set_up(checks: bool) -> None:
    """Fills .venv/; what an interrupted run left there is removed first, since uv cannot mend it."""
    unfinished, ready = VENV / "unfinished", VENV / "ready"
    if unfinished.exists():
        print("The last set-up was cut short: starting afresh.", flush=True)
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    unfinished.touch()
    ready.unlink(missing_ok=True)

    def run(*command: str) -> None:
        subprocess.run(command, cwd=ROOT, check=True)

    run(sys.executable, "-m", "venv", str(VENV))
    run(PYTHON, "-m", "pip", "install", "--quiet", "--constraint", "requirements.txt", "uv")
    # As constraints, the exact pins bind only what this machine needs.
    packages = ["--editable", ".", *(["--group", "checks"] if checks else [])]
    run(*INSTALL, *fitting_torch(), *packages)
    unfinished.replace(ready)
    if checks:
        (VENV / "checks").touch()


def main() -> int:
    parser = argparse.ArgumentParser(description="Set up .venv/ for the lessons.")
    parser.add_argument("group", nargs="?", choices=["checks"], help="the packages of the checks as well")
    try:
        set_up(checks=parser.parse_args().group == "checks")
    except subprocess.CalledProcessError as error:
        print("The set-up did not finish, for the reason above. The same command starts it afresh.", file=sys.stderr)
        return error.returncode
    except OSError as error:  # a folder that may not be written, a full disk
        print(f"The set-up did not finish: {error}. The same command starts it afresh.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe set-up did not finish. The same command starts it afresh.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
