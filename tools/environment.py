"""The one environment in which notebooks are run, for reference as for comparison."""

import os
import sys

from helpers import ROOT

NOTEBOOKS = ROOT / "notebooks"
SANITIZER = ROOT / "tools" / "sanitize.cfg"
GUARD = ROOT / "tools" / "guard"
CELL_TIMEOUT_S = 300


def enter() -> None:
    """Sets the environment of this process and of the kernels that it starts.

    Call it before torch is imported: the number of threads decides the last digits of a result.
    """
    for name in ("TL_IMAGES", "TL_WEIGHTS", "MPLBACKEND"):  # a kernel chooses its inline backend by itself
        os.environ.pop(name, None)
    os.environ["TL_TRACK"] = "embedded"
    os.environ["TL_DEVICE"] = "cpu"  # of the reference; tests choose others
    os.environ["TL_PRECISION"] = "float32"  # some processors multiply bfloat16 in hardware
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # more cores run more notebooks at once
    # glibc keeps the memory of large tensors instead of giving it back each time: a tenth of the processor's time.
    os.environ.setdefault("MALLOC_MMAP_MAX_", "0")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "100000000000")
    # The kernels look where this process does: a copy with a fault in it tests its own helpers.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")]))

    sys.path.insert(0, str(GUARD))
    import network_guard

    network_guard.install()
