"""What every kernel of this environment does when it starts, before it imports torch."""

import os

c = get_config()  # noqa: F821  IPython runs this file, and brings the name
c.InteractiveShellApp.extensions = ["helpers.kernel"]

# Threads that wait for work spin otherwise. Several kernels on one machine then take the cores from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# torch starts a thread for each core of the machine, and does not see what a hub allows an account.
if "JUPYTERHUB_USER" in os.environ and (limit := os.environ.get("CPU_LIMIT")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(float(limit)))))
