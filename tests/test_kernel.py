"""What every kernel of this environment says about a lesson's errors, asked as JupyterLab asks."""

import sys
from collections.abc import Callable, Iterator

import pytest
from jupyter_client.manager import start_new_kernel

PATIENCE_S = 60
ABOVE = "run the cells above first"


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., list[str]]]:
    """Runs the source of a cell with its tags in one kernel; returns the traceback that is shown."""
    manager, client = start_new_kernel(startup_timeout=PATIENCE_S)

    def run(source: str, *tags: str) -> list[str]:
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        content["stop_on_error"] = False  # else a cell that comes at once after an error is not run
        message = client.session.msg("execute_request", content, metadata={"tags": list(tags)})
        client.shell_channel.send(message)
        while (reply := client.get_shell_msg(timeout=PATIENCE_S))["parent_header"].get("msg_id") != message["header"][
            "msg_id"
        ]:
            pass
        return reply["content"].get("traceback", [])

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_late_cell_run_first_says_what_to_do(run):
    (line,) = run("probe.predict(features)")
    assert line.startswith("NameError: name 'probe' is not defined. ") and ABOVE in line
    run("def use():\n    return probe")
    (line,) = run("use()")
    assert ABOVE in line


def test_a_mistake_shown_on_purpose_is_one_line(run):
    assert run("[1, 2][3]", "raises-exception") == ["IndexError: list index out of range"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems promise any amount of memory")
@pytest.mark.parametrize("source", ["np.ones(2**50)", "torch.ones(2**50)"])
def test_too_little_memory_is_one_line_with_its_remedy(run, source):
    (line,) = run(f"import numpy as np, torch\n{source}")
    assert "more memory than there is" in line and "Shut Down All Kernels" in line


@pytest.mark.parametrize(
    "words", ["DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes.", "CUDA out of memory."]
)
def test_so_it_is_on_windows_and_on_a_gpu(run, words):
    (line,) = run(f"raise RuntimeError({words!r})")
    assert "more memory than there is" in line


def test_other_errors_show_where_they_are(run):
    assert len(run("[1, 2][3]")) > 1
    run("import types\nlibrary = types.ModuleType('library')\nexec('def f(): return probe', vars(library))")
    assert not any(ABOVE in line for line in run("library.f()"))
