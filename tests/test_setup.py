"""The ways to set up (make, by hand, conda) give the same environment, and say the same."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from jupyterlab.commands import get_app_dir
from jupyterlab_server.settings_utils import get_settings
from nbclient import NotebookClient
from nbformat import v4
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from support.conda import conda_environment

from helpers import check_env
from tools.environment import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, GROUPS = PYPROJECT["project"], PYPROJECT["dependency-groups"]
CHECKS = [dependency for name in ("checks", "site") for dependency in GROUPS[name] if isinstance(dependency, str)]
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.lstrip().startswith("#")
]


def devcontainer() -> dict:
    return json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())


def make(*arguments: str) -> str:
    # `make test` runs this, too: what a make says to the makes within it is not for these.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.parametrize("dependency", [*PROJECT["dependencies"], *CHECKS])
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


def test_readers_do_not_install_what_only_checks_need():
    names = {Requirement(dependency).name for dependency in PROJECT["dependencies"]}
    assert not names & {Requirement(dependency).name for dependency in CHECKS}
    assert not names & {"coverage", "hypothesis", "mypy", "nbval", "playwright", "pytest", "ruff"}


@pytest.mark.parametrize("file", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_no_pin_splits_within_a_minor_version(file):
    """A stick that was filled on Python 3.11.7 must do for 3.11.2."""
    splits = re.findall(r"^.*python_full_version\W+\d+\.\d+\.\d+.*$", (ROOT / file).read_text(), re.MULTILINE)
    assert splits == [], "add a bound to [tool.uv] constraint-dependencies in pyproject.toml"


def test_the_pins_leave_the_cuda_libraries_to_torch():
    """Each build of torch names its own exactly: a pin would forbid all builds but one."""
    assert not [pin.name for pin in PINS if pin.name.startswith(("cuda-", "nvidia-"))]


def test_what_runs_here_is_what_is_pinned():
    applicable = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate()]
    for pin in applicable:
        try:
            installed = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            continue  # CPU builds of torch come without triton
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


def test_make_lists_every_target_and_those_of_readers_first():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = make()
    assert re.findall(r"^make ([\w-]+) +\w", listed, re.MULTILINE) == [target for target in targets if target != "help"]
    assert listed.startswith("For readers\nmake lab ")
    assert re.findall(r"^For \w+$", listed, re.MULTILINE) == ["For readers", "For teachers", "For contributors"]


def test_readme_tells_what_make_does():
    readme = (ROOT / "README.md").read_text()
    for target in ("lab", "test", "photos"):
        assert f"make {target}" in readme
    commands = make("--dry-run", "--always-make", "PYTHON=python", "lab", "test", "photos").splitlines()
    by_hand = [" ".join(line.replace("--allow-root", "").split()) for line in commands if "echo" not in line]
    said = " ".join(readme.split())
    assert len(by_hand) == 5
    for command in by_hand:
        assert command in said, "the README's commands without make are others"


def test_teaching_tells_what_make_does():
    said = " ".join((ROOT / "TEACHING.md").read_text().split())
    commands = make("--dry-run", "--always-make", "PYTHON=python", "teacher", "slides").splitlines()
    by_hand = [" ".join(line.split()) for line in commands if line != "python tools/set_up.py"]  # in that of the checks
    assert len(by_hand) == 4
    for command in by_hand:
        assert command in said, "TEACHING's commands without make are others"


def test_binder_installs_as_set_up_does():
    uv, lessons = (ROOT / ".binder" / "postBuild").read_text().splitlines()[-2:]
    assert uv.endswith(" -m pip install --no-cache-dir --constraint requirements.txt uv")
    assert all(part in lessons for part in ("--torch-backend cpu", "--constraint requirements.txt", "--editable ."))
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK) or os.name == "nt"


def test_codespaces_calls_the_makefile():
    command = devcontainer()["postCreateCommand"].split()
    assert command[0] == "make"
    assert make("--dry-run", "--always-make", *command[1:]).endswith("tools/set_up.py\n")


def test_jupyterlab_asks_nobody_about_news(tmp_path):
    """Without our settings in the environment, the first thing that JupyterLab does is to ask."""
    lab = Path(get_app_dir())
    plugin = "@jupyterlab/apputils-extension:notification"
    settings, _ = get_settings(str(lab / "settings"), str(lab / "schemas"), str(tmp_path), plugin)
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"


KERNEL = """\
import os, sys
print(os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"], "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"JUPYTERHUB_USER": "ada", "CPU_LIMIT": "1.5"}, "PASSIVE 1 False"),  # as the hub says it
        ({"JUPYTERHUB_USER": "ada", "CPU_LIMIT": "1.5", "OMP_NUM_THREADS": "2"}, "PASSIVE 2 False"),
        ({"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "1"}, "ACTIVE 1 False"),
    ],
)
def test_a_kernel_does_not_fight_for_a_machine_that_it_shares(variables, printed):
    own = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(KERNEL)])
    NotebookClient(notebook, kernel_name="python3").execute(env=own | variables)
    assert notebook.cells[0].outputs[0].text.strip() == printed


@pytest.mark.skipif(sys.platform != "linux", reason="torch has another OpenMP here")
def test_libgomp_reads_the_wait_policy_while_torch_is_imported():
    own = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OMP_DISPLAY_ENV": "TRUE"}
    done = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, text=True, env=own)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def test_python_keeps_what_it_compiles_whatever_the_container_says():
    command = ["make", "--eval=show: ; @env", "show"]
    forbidden = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=forbidden).stdout
    assert "PATH=" in shown
    assert "PYTHONDONTWRITEBYTECODE" not in shown


@pytest.mark.parametrize(("user", "is_root"), [(0, True), (1000, False)])
def test_only_as_root_make_lets_root_in_and_says_so(user, is_root, tmp_path):
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    command = ["make", "--dry-run", "lab"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PATH": path}).stdout
    assert ("You are root" in said) == ("jupyterlab --allow-root" in said) == is_root


@pytest.mark.parametrize(
    "arguments", [["check", "--no-cache"], ["format", "--check", "--no-cache"]], ids=lambda a: a[0]
)
def test_ruff_finds_nothing(arguments):
    ruff = subprocess.run([sys.executable, "-m", "ruff", *arguments, ROOT], capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout


def test_mypy_finds_nothing():
    mypy = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr


def test_what_mypy_has_to_ignore_is_little_and_says_why():
    lines = [line for path in (ROOT / "helpers").rglob("*.py") for line in path.read_text("utf-8").splitlines()]
    ignores = [line.partition("# type:")[2] for line in lines if re.search(r"#\s*type:\s*ignore|#\s*mypy:", line)]
    assert len(ignores) <= 10
    assert [ignore for ignore in ignores if not re.fullmatch(r" ignore\[[\w-]+\]  # \w.*", ignore)] == []


# --- The set-up itself, with a uv that only notes what it is asked for

UV_VERSION = next(str(pin.specifier).removeprefix("==") for pin in PINS if pin.name == "uv")
FAKE_UV = """\
#!/usr/bin/env python3
import os, signal, sys
from pathlib import Path

with open("asked.txt", "a") as file:
    print(*sys.argv[1:], file=file)
if "--torch-backend" in sys.argv and "CLOSED" in os.environ:
    sys.exit("error: Failed to fetch")
if "--dry-run" in sys.argv:
    print(" + torch==2.15.0" + "+cpu" * ("--torch-backend" in sys.argv), file=sys.stderr)
elif "KILLED" in os.environ:
    Path(".venv/half_a_package").touch()
    os.kill(os.getppid(), signal.SIGKILL)
"""


@pytest.fixture
def set_up(tmp_path, monkeypatch) -> Callable[..., subprocess.CompletedProcess]:
    """Calls make in a copy of what the set-up reads; keywords are variables of the environment."""
    project, wheels = tmp_path / "a project", tmp_path / "wheels"
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "tools/set_up.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    wheels.mkdir()
    with zipfile.ZipFile(wheels / f"uv-{UV_VERSION}-py3-none-any.whl", "w") as wheel:
        about = f"uv-{UV_VERSION}.dist-info"
        script = zipfile.ZipInfo(f"uv-{UV_VERSION}.data/scripts/uv")
        script.external_attr = 0o100755 << 16  # a file that may be run
        wheel.writestr(script, FAKE_UV)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {UV_VERSION}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    own = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    own.pop("UV_TORCH_BACKEND", None)

    def call(target: str, **variables: str) -> subprocess.CompletedProcess:
        command = ["make", target, f"PYTHON={sys.executable}"]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, env=own | variables)

    call.project = project
    return call


def asked(set_up) -> list[str]:
    """What uv was asked for so far, without what does not change."""
    lines = (set_up.project / "asked.txt").read_text().splitlines()
    assert all("--constraint requirements.txt" in line for line in lines)
    return [line.partition("requirements.txt ")[2] for line in lines]


ASK = "--dry-run --no-deps torch torchvision"


def test_the_torch_that_fits_is_taken_and_its_size_said(set_up):
    done = set_up(".venv/ready")
    assert done.returncode == 0, done.stderr
    assert "Torch for cpu: about 0.5 GB to fetch and 1.4 GB on disk" in done.stdout
    assert asked(set_up) == [f"--torch-backend auto {ASK}", "--torch-backend auto --editable ."]
    assert not (set_up.project / ".venv/checks").exists()

    assert "up to date" in set_up(".venv/ready").stdout, "a finished set-up is not repeated"


def test_without_pytorchs_index_the_ordinary_torch_is_taken(set_up):
    done = set_up(".venv/ready", CLOSED="1")
    assert done.returncode == 0, done.stderr
    assert "taking the ordinary one" in done.stdout
    assert ("about 3 GB to fetch" in done.stdout) == (sys.platform == "linux")
    assert asked(set_up) == [f"--torch-backend auto {ASK}", "--editable ."]


def test_the_build_that_a_reader_chose_is_not_replaced(set_up):
    done = set_up(".venv/ready", CLOSED="1", UV_TORCH_BACKEND="cu126")
    assert done.returncode != 0
    assert "The set-up did not finish, for the reason above." in done.stderr
    assert asked(set_up) == [f"--torch-backend cu126 {ASK}", "--torch-backend cu126 --editable ."]
    assert not (set_up.project / ".venv/ready").exists()


def test_an_interrupted_set_up_starts_afresh(set_up):
    assert set_up(".venv/checks", KILLED="1").returncode != 0
    half = set_up.project / ".venv/half_a_package"
    assert half.exists()

    done = set_up(".venv/checks")
    assert "The last set-up was cut short: starting afresh." in done.stdout
    assert not half.exists()
    assert asked(set_up)[-1] == "--torch-backend auto --editable . --group checks"
    assert "up to date" in set_up(".venv/checks").stdout
    assert "up to date" in set_up(".venv/ready").stdout, "the checks bring what readers need"


def test_an_old_python_is_told_so_in_one_line():
    old = "import runpy, sys; sys.version_info = (3, 9, 6); runpy.run_path('tools/set_up.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", old], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"Python \S+ is too old: install Python 3\.11 or newer.*\n", done.stderr)
