"""How a class shares one machine: a lesson in several kernels at once, with threads that wait asleep or spinning.

    python -m benchmarks.classroom 1 4 12              lesson 00, in so many kernels at once
    python -m benchmarks.classroom 1 --lesson 09       another lesson

The seconds of the clock mean something on a machine that does nothing else; those of the processor do everywhere.
"""

import argparse
import asyncio
import json
import os
import statistics
import time

from nbclient import NotebookClient
from nbformat import v4

from benchmarks.runs import write_section
from tools.environment import NOTEBOOKS
from tools.notebook_hygiene import Lesson

POLICIES = ("PASSIVE", "ACTIVE")  # of OpenMP
MOST_SPINNING = 4  # kernels: twelve whose threads spin take a quarter of an hour

# `uss` is what a kernel has alone, `pss` adds its share of what several have in common, both in bytes.
LAST_CELL = """\
import json, os, psutil, resource
print(json.dumps({
    "processor": sum(os.times()[:4]),
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    **{name: getattr(psutil.Process().memory_full_info(), name) for name in ("uss", "pss")},
}))
"""


async def run_lesson(lesson: str, variables: dict[str, str]) -> dict[str, float]:
    """What a kernel says of itself after the last cell of a lesson."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    notebook = Lesson.read(path).notebook
    notebook.cells.append(v4.new_code_cell(LAST_CELL))
    client = NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    await client.async_execute(env=os.environ | variables)
    return json.loads(notebook.cells[-1].outputs[0].text)


async def run_class(lesson: str, kernels: int, policy: str) -> str:
    """A row of the table: a lesson in `kernels` kernels at once, whose threads wait by OpenMP's `policy`."""
    start = time.perf_counter()
    found = await asyncio.gather(*[run_lesson(lesson, {"OMP_WAIT_POLICY": policy}) for _ in range(kernels)])
    seconds = time.perf_counter() - start
    middle = {name: statistics.median(kernel[name] for kernel in found) for name in found[0]}
    memory = " | ".join(f"{middle[name] / 1e9:.2f}" for name in ("peak", "pss", "uss"))
    return f"| {lesson} | {kernels} | {policy.lower()} | {seconds:.0f} | {middle['processor']:.0f} | {memory} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="+", type=int, help="how many at once")
    parser.add_argument("--lesson", default="00")
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/README.md")
    arguments = parser.parse_args()
    lines = [
        "| lesson | kernels at once | threads wait | seconds | seconds of the processor, each | peak, GB | PSS | USS |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for kernels in arguments.kernels:
        for policy in POLICIES if kernels <= MOST_SPINNING else POLICIES[:1]:
            lines.append(asyncio.run(run_class(arguments.lesson, kernels, policy)))
            print(lines[-1], flush=True)
    if arguments.write:
        write_section("classroom", f"{os.cpu_count()} cores.\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
