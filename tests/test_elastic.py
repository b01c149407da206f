"""torchrun: a killed process costs the time since the last checkpoint, and nothing else.

What of this needs no torchrun stands in test_distributed.py, which runs daily. So does lesson 11, which starts it.
"""

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.checks import names
from support.helper_runs import assert_same
from support.images import fill_with_insects

from helpers import ROOT

pytestmark = pytest.mark.nightly

SCRIPT = ROOT / "tests" / "support" / "elastic.py"
NOBODY = -1


def torchrun(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, words)]
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def train(folder: Path, killed: int = NOBODY, after: float = 0) -> str:
    folder.mkdir()
    with torchrun("--standalone", "--nproc-per-node=2", "--max-restarts=2", SCRIPT, folder, killed, after) as process:
        _, said = process.communicate()
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(folder)
    return torch.load(folder / "end.pt", weights_only=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(20))
def test_a_process_killed_at_a_random_moment_changes_nothing(seed, undisturbed, tmp_path):
    generator = random.Random(seed)
    said = train(tmp_path / "run", killed=generator.randrange(2), after=generator.uniform(0, 0.5))
    assert "Signal 9 (SIGKILL)" in said or "exitcode: -9" in said, "otherwise nobody was killed"
    assert_same(torch.load(tmp_path / "run" / "end.pt", weights_only=True), undisturbed, rtol=0, atol=0)
    assert names(tmp_path / "run") == ["end.pt", "run.pt"]


def test_two_agents_are_two_machines(undisturbed, tmp_path):
    (tmp_path / "run").mkdir()
    how = ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", "--rdzv-id=test"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    how += [f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"]
    agents = [torchrun(*how, SCRIPT, tmp_path / "run", NOBODY, 0) for _ in range(2)]
    said = [agent.communicate()[1] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], said
    assert_same(torch.load(tmp_path / "run" / "end.pt", weights_only=True), undisturbed, rtol=0, atol=0)


@pytest.mark.parametrize("method", ["probe", "fine-tune"])
def test_the_command_on_two_processes(method, tmp_path):
    images = fill_with_insects(tmp_path / "images", 30)
    options = ["--weights", "embedded", "--image-size", 48, "--epochs", 2, "--method", method, "--device", "cpu"]
    written = {}
    for processes in (1, 2):
        out = tmp_path / f"{processes}" / "mine.safetensors"
        run = torchrun(
            "--standalone", f"--nproc-per-node={processes}", "-m", "helpers.train", images, "--out", out, *options
        )
        said, errors = run.communicate()
        assert run.returncode == 0, errors
        assert said.count("saved: ") == 1
        table = ["mine.csv"] if method == "fine-tune" else []
        assert [name for name in names(out.parent) if "tensorboard" not in name] == [
            *table,
            "mine.md",
            "mine.safetensors",
        ]
        written[processes] = [line for line in said.splitlines() if line.startswith(("val", "test"))]
    if method == "probe":
        assert written[1] == written[2]


def test_a_folder_without_classes_is_one_line_of_one_process(tmp_path):
    (tmp_path / "empty").mkdir()
    with torchrun(
        "--standalone", "--nproc-per-node=2", "-m", "helpers.train", tmp_path / "empty", "--out", tmp_path / "mine"
    ) as run:
        said, errors = run.communicate()
    ours = [line for line in errors.splitlines() if "has no folders" in line]
    assert run.returncode == 1 and said == "" and len(ours) == 1
    assert ours[0].startswith(str(tmp_path / "empty")) and names(tmp_path) == ["empty"]
