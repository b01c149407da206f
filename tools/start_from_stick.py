"""Set the lessons up from the stick that this file lies on, without a network, and open JupyterLab.

    python3 start.py            in the folder transfer-learning of your home; a second time only opens it
    python3 start.py FOLDER     in another one

On Windows it is `python`. `make stick` puts this file there, under that name. It needs nothing but Python.
"""

import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ME = Path(sys.executable).name  # python3, or python where there is no other name
DISK_PER_WHEEL = 2.1  # measured: 3.1 GB of packages are 6.2 GB on disk


def kind() -> str:
    """What the packages depend on, as the name of a folder: the Python, the system and the processor."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}-{platform.system()}-{platform.machine()}"


def python_of(folder: Path) -> Path:
    """The Python of the lessons in `folder`."""
    return folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def copy_lessons(stick: Path, folder: Path) -> None:
    """Copies the lessons to `folder`; what is there already stays as it is."""
    if (folder / "notebooks").is_dir():
        return
    if folder.exists():
        sys.exit(f"{folder} is there already and holds no lessons; name another folder: {ME} start.py FOLDER")
    part = folder.with_name(folder.name + ".part")
    for source in (stick / "lessons").rglob("*"):  # contents alone: on a stick that may only be read, all is read-only
        if source.is_file():
            copy = part / source.relative_to(stick / "lessons")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    part.rename(folder)


def install(stick: Path, folder: Path) -> None:
    """Sets up the lessons in `folder` with the packages of the stick; a finished set-up is not repeated."""
    ready = folder / ".venv" / "ready"
    if ready.exists():
        return
    wheels = stick / "wheels" / kind()
    if not wheels.is_dir():
        there = ", ".join(sorted(path.name for path in wheels.parent.glob("*"))) or "none"
        sys.exit(
            f"This laptop is {kind()}; the stick has packages for {there}. "
            "Start it with such a Python, or run `make stick`, to its end, on a laptop like this one."
        )
    gigabytes = sum(wheel.stat().st_size for wheel in wheels.iterdir()) / 1e9
    needed, free = DISK_PER_WHEEL * gigabytes, shutil.disk_usage(folder).free / 1e9
    if free < needed:
        sys.exit(f"{folder} needs {needed:.1f} GB of disk, {free:.1f} GB are free: make room, or name another folder.")
    print(f"Setting up {needed:.1f} GB in {folder}, from {gigabytes:.1f} GB of packages: some minutes.", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / ".venv"], check=True)
    packages = ["--no-index", "--find-links", wheels, "--constraint", "requirements.txt", "--editable", "."]
    subprocess.run([python_of(folder), "-m", "pip", "install", *packages], cwd=folder, check=True)
    ready.touch()


def main() -> int:
    stick = Path(__file__).resolve().parent
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "transfer-learning").resolve()
    try:
        copy_lessons(stick, folder)
        install(stick, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The set-up did not finish: {error}. The same command starts it afresh.")
    except KeyboardInterrupt:
        sys.exit("\nThe set-up did not finish. The same command starts it afresh.")
    signal.signal(signal.SIGINT, lambda *_: None)  # JupyterLab asks what is meant by it; here we only wait
    lab = [python_of(folder), "-m", "jupyterlab", "notebooks/00_start_here.ipynb"]
    return subprocess.run(lab, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
