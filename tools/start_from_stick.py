"""Set the lessons up from the stick that this file lies on, without a network, and open JupyterLab.

    python start.py            in the folder transfer-learning of your home; a second time only opens it
    python start.py FOLDER     in another one

`make stick` puts this file there, under that name. It needs nothing but Python.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path


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
        sys.exit(f"{folder} is there already and holds no lessons; name another folder: python start.py FOLDER")
    part = folder.with_name(folder.name + ".part")
    shutil.copytree(stick / "lessons", part, dirs_exist_ok=True)
    part.rename(folder)


def install(stick: Path, folder: Path) -> None:
    """Sets up the lessons in `folder` with the packages of the stick; a finished set-up is not repeated."""
    ready = folder / ".venv" / "ready"
    if ready.exists():
        return
    wheels = stick / "wheels" / kind()
    if not wheels.is_dir():
        there = ", ".join(sorted(path.name for path in wheels.parent.iterdir()))
        sys.exit(f"This laptop is {kind()}; the stick has packages for {there}. Run `make stick` on such a laptop too.")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / ".venv"], check=True)
    packages = ["--no-index", "--find-links", wheels, "--constraint", "requirements.txt", "--editable", "."]
    subprocess.run([python_of(folder), "-m", "pip", "install", *packages], cwd=folder, check=True)
    ready.touch()


def main() -> int:
    stick = Path(__file__).resolve().parent
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "transfer-learning").resolve()
    copy_lessons(stick, folder)
    install(stick, folder)
    lab = [python_of(folder), "-m", "jupyterlab", "notebooks/00_start_here.ipynb"]
    return subprocess.run(lab, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
