"""JupyterLab lets in only who has its token; no file of a model runs code."""

import ast
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.jupyter import free_port, wait_until_it_answers

from tools.environment import ROOT

OFF = r"token\s*=|password\s*=|disable_check_xsrf|allow_origin|allow_unauthenticated"


def lab_command() -> list[str]:
    """What `make lab` starts."""
    lines = subprocess.run(
        ["make", "--dry-run", "lab"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return shlex.split(next(line for line in lines if "jupyterlab" in line))


def test_the_lab_that_make_starts_asks_for_its_token(tmp_path):
    port, log = free_port(), tmp_path / "log.txt"
    options = ["--no-browser", f"--port={port}", "--allow-root"]
    own = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    own.pop("JUPYTER_TOKEN", None)
    with log.open("w") as out:
        command = [sys.executable, *lab_command()[1:], *options]
        server = subprocess.Popen(command, stdout=out, stderr=out, env=own, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_it_answers(server, address, log)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/api/contents")
        assert refused.value.code == 403
        while not (token := re.search(r"token=([0-9a-f]{48})", log.read_text())):
            time.sleep(0.1)
        assert urllib.request.urlopen(f"{address}/api/contents?token={token[1]}").status == 200
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.parametrize(
    "name", ["Makefile", "README.md", "TEACHING.md", "environment.yml", "pyproject.toml", "tools/set_up.py", ".ci/run"]
)
def test_nothing_switches_the_token_off(name):
    assert not re.search(OFF, (ROOT / name).read_text(encoding="utf-8"))


def test_there_is_no_settings_file_that_could():
    files = [path.relative_to(ROOT) for path in ROOT.glob("**/jupyter*config*")]
    # A hub has one of its own, in which accounts and their passwords are required.
    assert [path for path in files if not path.parts[0].startswith((".venv", "build"))] == [
        Path("docs/hub/jupyterhub_config.py")
    ]


@pytest.mark.parametrize("folder", ["helpers", "benchmarks", "tools", "recipes"])
def test_files_of_models_run_no_code(folder):
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (pickle|joblib|dill)\b", text, re.MULTILINE), path
        assert not loads_that_may_run_code(text), path


def loads_that_may_run_code(text: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        ast.unparse(call)
        for call in calls
        if ast.unparse(call.func) == "torch.load"
        and "weights_only=True" not in [ast.unparse(keyword) for keyword in call.keywords]
    ]


def test_a_load_on_several_lines_is_seen():
    assert loads_that_may_run_code("torch.load(\n    path,\n    weights_only=False,\n)")
    assert not loads_that_may_run_code("torch.load(\n    path,\n    weights_only=True,\n)")
