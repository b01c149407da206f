"""What a kernel sets before it imports torch. IPython reads this in the environment, however that was set up."""

import os

# Threads that wait for work spin otherwise. Several kernels on one machine then take the cores from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# torch starts a thread for each core of the machine, and does not see what a hub allows an account.
if "JUPYTERHUB_USER" in os.environ and (limit := os.environ.get("CPU_LIMIT")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(float(limit)))))
