"""The ways to set up (make, by hand, conda) give the same environment, and say the same."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from support.conda import conda_environment

from helpers import check_env
from tools.environment import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.lstrip().startswith("#")
]


def devcontainer() -> dict:
    return json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())


def make(*arguments: str) -> str:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("dependency", PROJECT["dependencies"])
def test_every_dependency_is_pinned_within_its_range(dependency):
    wanted = Requirement(dependency)
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
    assert pins, f"{wanted.name} is not in requirements.txt: run `make requirements`"
    for pin in pins:
        (version,) = pin.specifier
        assert version.operator == "=="
        assert wanted.specifier.contains(version.version), "run `make requirements`"


def test_requirements_are_exact_and_name_no_address():
    text = (ROOT / "requirements.txt").read_text()
    assert all(re.fullmatch(r"==[\w.+]+", str(pin.specifier)) for pin in PINS)
    assert not re.search(r"--|://|@|^/", text, re.MULTILINE)
    assert "make requirements" in text.splitlines()[1]


def test_what_runs_here_is_what_is_pinned():
    applicable = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate()]
    for pin in applicable:
        try:
            installed = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            continue  # CPU builds of torch come without CUDA libraries
        assert installed.partition("+")[0] == str(pin.specifier).removeprefix("=="), pin.name


def test_conda_takes_the_same_pins():
    _, pip = conda_environment()
    assert pip == ["-r requirements.txt", "-e ."]


def test_python_versions_agree():
    conda, _ = conda_environment()
    assert (ROOT / ".binder" / "runtime.txt").read_text() == f"python-{conda}\n"
    assert devcontainer()["image"] == f"python:{conda}"
    assert re.fullmatch(r"3\.\d+", conda), "pinned to a minor version"
    assert SpecifierSet(PROJECT["requires-python"]).contains(conda)
    assert PROJECT["requires-python"] == ">={}.{}".format(*check_env.OLDEST_PYTHON)


@pytest.mark.skipif("CI" not in os.environ, reason="outside CI any supported Python will do")
def test_ci_runs_what_conda_installs():
    conda, _ = conda_environment()
    assert "{}.{}".format(*sys.version_info) == conda


def test_make_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (lab .*)$", makefile, re.MULTILINE).group(1).split())
    listed = set(re.findall(r"^make (\w+) +\w", make(), re.MULTILINE))
    assert listed == targets


def test_readme_tells_what_make_does():
    readme = (ROOT / "README.md").read_text()
    for target in ("lab", "test", "photos", "notebooks"):
        assert f"make {target}" in readme
    commands = make("--dry-run", "--always-make", "lab", "test", "photos").splitlines()
    by_hand = [" ".join(line.split()) for line in commands if ".venv/bin/" in line and "touch" not in line]
    said = " ".join(readme.split())
    for command in by_hand:
        assert command.replace(" --quiet", "") in said, "the README's commands without make are others"


def test_binder_is_set_up_as_the_readme_says():
    build = (ROOT / ".binder" / "postBuild").read_text()
    said = " ".join((ROOT / "README.md").read_text().split())
    installs = re.findall(r"^.*install.*$", build, re.MULTILINE)
    assert len(installs) == 2
    for line in installs:
        command = line.replace(" --no-cache-dir", "").replace(" --no-cache", "").replace("UV_TORCH_BACKEND=cpu ", "")
        command = re.sub(r"^python|(?<=--python )\S.*\)\"", ".venv/bin/python", command)
        assert re.sub("^uv", ".venv/bin/uv", command) in said
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK) or os.name == "nt"


def test_codespaces_calls_the_makefile():
    command = devcontainer()["postCreateCommand"].split()
    assert command[0] == "make"
    assert ".venv/bin/uv pip install" in make("--dry-run", "--always-make", *command[1:])


def test_ruff_finds_nothing():
    check = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", ROOT], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
