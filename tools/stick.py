"""Fill a USB stick for a class without a network: the lessons, all packages, start.py, and the web edition.

    python -m tools.stick FOLDER

The packages are those for this machine's Python and system. Run it on one laptop of each kind that the class has:
each kind has a folder of its own on the stick.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from helpers.errors import LessonError
from tools.environment import ROOT
from tools.start_from_stick import kind


def tracked_files() -> list[Path]:
    """What git knows of, relative to the root: no environment, no downloads, no answers of a reader.

    Raises:
        LessonError: this is no clone.
    """
    git = ["git", "ls-files", "-z"]
    try:
        listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise LessonError(f"git does not know what belongs on the stick; {ROOT} must be a clone.") from None
    return [Path(name) for name in listed.split("\0") if name]


def copy_lessons(stick: Path) -> None:
    """Copies what git tracks to `lessons`, and start.py beside it."""
    files = tracked_files()  # first: where git knows nothing, the stick stays as it is
    shutil.rmtree(stick / "lessons", ignore_errors=True)  # a lesson may have another name since last term
    for file in files:
        copy = stick / "lessons" / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, copy)
    shutil.copyfile(ROOT / "tools" / "start_from_stick.py", stick / "start.py")


def copy_site(stick: Path) -> bool:
    """Copies the web edition to `site`, if `make site` has built it; returns whether it has."""
    built = ROOT / "build" / "site"
    if not (built / "index.html").is_file():
        return False
    shutil.rmtree(stick / "site", ignore_errors=True)
    shutil.copytree(built, stick / "site")
    return True


def download_packages(stick: Path) -> None:
    """Downloads every package in its pinned version, and what builds the helpers.

    Their folder has its name once it is whole, so that no laptop begins with half of them.
    """
    whole = stick / "wheels" / kind()
    part = whole.with_name(whole.name + ".part")
    if whole.exists():
        whole.rename(part)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    where = ["--dest", part, "--constraint", ROOT / "requirements.txt"]
    subprocess.run([sys.executable, "-m", "pip", "download", "--only-binary=:all:", *where, *wanted], check=True)
    part.rename(whole)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill a USB stick for a class without a network.")
    parser.add_argument("folder", type=Path, help="where the stick is mounted")
    folder = parser.parse_args().folder
    stick = folder / "transfer-learning"
    try:
        if not folder.is_dir():  # else a stick that is not mounted would fill the disk
            raise LessonError(f"There is no folder {folder}: mount the stick, or make the folder first.")
        copy_lessons(stick)
        if not copy_site(stick):
            print("Without the web edition, which is not built here: `make site` does that.")
        download_packages(stick)
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:  # full, or not writable
        print(f"The stick is not filled: {error}. The same command goes on.", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode  # pip has said why
    print(f"On a laptop, in {stick.name} on the stick: python3 start.py (on Windows: python start.py)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
