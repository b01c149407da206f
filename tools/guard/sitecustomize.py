"""Python imports this when it starts with this folder on PYTHONPATH: notebook kernels are guarded too."""

import network_guard

network_guard.install()
