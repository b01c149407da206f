"""Processes that a test starts, kills and waits for."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.distributed import TCPStore

from helpers import ROOT
from helpers.distributed import process_group

# What the tests that call `together` import, which takes seconds. Up to Python 3.12, the server that the processes come
# from does not look into tests/, and leaves out what it does not find.
PRELOADED = ["pytest", *(f"helpers.{name}" for name in ("explain", "export", "plots", "training", "widgets"))]


def start(code: str, *arguments: object) -> subprocess.Popen:
    """A process of its own that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def together(work: Callable[..., Any], *arguments: Any, processes: int = 2, device: str = "cpu") -> list[Any]:
    """What `work` returns on each of several connected processes, in their order; an exception counts as a result.

    A process that was killed has None. They come from a server that has imported torch once.
    """
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    context.set_forkserver_preload(PRELOADED)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # as torchrun, it outlives the processes
    pipes, started = [], []
    for rank in range(processes):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_connected, args=(sender, work, arguments, rank, processes, store.port, device)
        )
        process.start()
        sender.close()
        pipes.append(receiver)
        started.append(process)
    results = []
    for receiver in pipes:
        try:
            results.append(pickle.loads(receiver.recv_bytes()))
        except EOFError:
            results.append(None)
    for process in started:
        process.join()
    return results


def _connected(sender, work, arguments, rank: int, processes: int, port: int, device: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    torch.set_num_threads(1)
    try:
        with process_group(torch.device(device)):
            result = work(*arguments)
    except BaseException as error:
        result = error
    sender.send_bytes(pickle.dumps(result))  # send() would leave tensors in memory that ends with the process
