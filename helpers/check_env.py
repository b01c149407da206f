"""Says whether this machine is ready for the lessons, and what to do where it is not.

python -m helpers.check_env
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

from helpers import ROOT
from helpers.findings import Finding

OLDEST_PYTHON = (3, 11)
MEMORY_GB = 2  # a lesson's kernel at its largest, and JupyterLab
DISK_GB = 1  # the photographs and their weights, three times over
INSTALL = "run `make lab`, which installs the pinned versions (without make: `python tools/set_up.py`)"


def pinned(package: str) -> str:
    """The version of a package that the lessons were checked with, from requirements.txt."""
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.findall(rf"^{package.replace('_', '-')}==(\S+)", pins, re.MULTILINE)[0]


def packages(name: str, *wanted: str, imported: bool = True) -> Finding:
    """A row for packages that must be there, in their pinned versions, and importable where they are `imported`."""
    found, wrong = [], []
    for package in wanted:
        try:
            version = metadata.version(package).partition("+")[0]  # 2.15.0+cpu is 2.15.0 for the CPU alone
            if imported:
                import_module(package)
            elif find_spec(package) is None:
                raise ModuleNotFoundError(f"there is no module {package}")
        except Exception as error:  # a broken install fails in many ways, with OSError and RuntimeError too
            reason = str(error).strip().partition("\n")[0]
            return Finding(name, f"{package} does not import: {reason}", INSTALL)
        found.append(f"{package} {version}")
        if version != pinned(package):
            wrong.append(f"{package} {pinned(package)}")
    return Finding(name, ", ".join(found), f"checked with {', '.join(wrong)}: {INSTALL}" if wrong else "")


def check_python() -> Finding:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    old = sys.version_info < OLDEST_PYTHON
    return Finding("python", platform.python_version(), f"install Python {oldest} or newer" if old else "")


def check_torch() -> Finding:
    return packages("torch", "torch", "torchvision")


def check_lab() -> Finding:
    """Its import would take three seconds, and 40 MB of each kernel that shows this table and has no use for it."""
    return packages("lab", "jupyterlab", imported=False)


def check_widgets() -> Finding:
    return packages("widgets", "ipywidgets", "jupyterlab_widgets")


def check_kernel() -> Finding:
    """A notebook opened with a kernel of another Python imports other packages than these."""
    row = packages("kernel", "ipykernel")
    if row.remedy:
        return row
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        folder = Path(KernelSpecManager().get_kernel_spec("python3").resource_dir).resolve()
    except NoSuchKernel:
        return Finding("kernel", "no kernel python3", INSTALL)
    if not folder.is_relative_to(Path(sys.prefix).resolve()):
        remedy = "start JupyterLab with `make lab`, or remove it: `jupyter kernelspec remove python3`"
        return Finding("kernel", f"python3 is another Python's, in {folder}", remedy)
    return row


def check_track() -> Finding:
    from helpers.tracks import current_track

    try:
        chosen = current_track()
    except Exception as error:  # says by itself which command brings what is missing
        return Finding("track", "not ready", str(error))
    return Finding("track", f"{chosen.name}, {chosen.preprocessing.size} px")


def threads() -> str:
    """How many threads torch computes with: those of the machine, or what a hub allows an account."""
    try:
        import torch
    except Exception:  # the row `torch` says why
        return "threads not known without torch"
    number = torch.get_num_threads()
    return "1 thread" if number == 1 else f"{number} threads"


def check_machine() -> Finding:
    cores = f"{os.cpu_count()} cores, {threads()}"
    try:
        from psutil import virtual_memory
    except ImportError:
        return Finding("machine", f"{cores}, memory not known without psutil", INSTALL)
    memory = virtual_memory()
    free, total = memory.available / 1e9, memory.total / 1e9
    found = f"{cores}, {free:.0f} of {total:.0f} GB memory free"
    remedy = f"close other programs: a lesson needs {MEMORY_GB} GB" if free < MEMORY_GB else ""
    return Finding("machine", found, remedy)


def check_gpu() -> Finding:
    try:
        import torch
    except Exception:  # the row `torch` says why
        return Finding("GPU", "not known without torch")
    if torch.cuda.is_available():
        return Finding("GPU", torch.cuda.get_device_name())
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple MPS")
    return Finding("GPU", "none, and none is needed")


def check_disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1e9
    remedy = f"free some space: `make photos` needs {DISK_GB} GB" if free < DISK_GB else ""
    return Finding("disk", f"{free:.0f} GB free", remedy)


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_torch,
    check_lab,
    check_widgets,
    check_kernel,
    check_track,
    check_machine,
    check_gpu,
    check_disk,
)


def check() -> list[Finding]:
    """A row for each thing that a lesson needs."""
    return [look() for look in CHECKS]


def report(rows: list[Finding] | None = None) -> str:
    """Ten lines: nine rows, and whether this machine is ready."""
    rows = check() if rows is None else rows
    problems = sum(bool(row.remedy) for row in rows)
    verdict = f"Not ready: see the lines with !! ({problems})." if problems else "This machine is ready."
    return "\n".join([*map(str, rows), verdict])


def main() -> int:
    """Prints the report; the exit status is 1 where something is missing."""
    rows = check()
    print(report(rows))
    return int(any(row.remedy for row in rows))


if __name__ == "__main__":
    sys.exit(main())
