"""Python imports this when it starts with this folder on PYTHONPATH: notebook kernels are guarded too."""

import os
import sys
from importlib import import_module
from pathlib import Path

import network_guard

network_guard.install()
if os.environ.get("TL_DEVICE") == "pretend":  # only then: it imports torch
    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    import_module("support.pretend_device")
