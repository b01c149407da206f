"""What the workflows call is there, and is what the Makefile and the README say."""

import re

import pytest
import yaml
from support.conda import conda_environment

from tools.environment import ROOT

pytestmark = pytest.mark.quick

OWN = ROOT / ".github" / "workflows" / "notebooks.yml"
SITE = ROOT / ".github" / "workflows" / "site.yml"
EXAMPLE = ROOT / "docs" / "example-ci" / ".github" / "workflows" / "notebooks.yml"


def steps_of(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.fixture(params=[OWN, SITE, EXAMPLE], ids=["own", "site", "example"])
def workflow(request) -> dict:
    """A workflow, as YAML 1.1 reads it: there, `on` is the truth."""
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def commands_of(workflow: dict) -> list[str]:
    return [step["run"] for step in steps_of(workflow) if "run" in step]


def test_actions_are_pinned_to_a_major_version(workflow):
    actions = [step["uses"] for step in steps_of(workflow) if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in actions)


def test_every_step_does_one_thing(workflow):
    assert all(("run" in step) != ("uses" in step) for step in steps_of(workflow))
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_python_is_the_one_of_conda(workflow):
    conda, _ = conda_environment()
    asked = [step["with"]["python-version"] for step in steps_of(workflow) if "setup-python" in step.get("uses", "")]
    assert asked == [conda] * len(workflow["jobs"])


def test_no_address_is_named():
    for path in (OWN, SITE, EXAMPLE):
        assert "://" not in path.read_text(encoding="utf-8")


# --- The workflow of the lessons


@pytest.fixture
def own() -> dict:
    return yaml.safe_load(OWN.read_text(encoding="utf-8"))


def test_linux_runs_what_the_readme_calls_the_tests(own):
    assert commands_of({"jobs": {"strict": own["jobs"]["strict"]}}) == ["make test"]
    assert own["jobs"]["strict"]["runs-on"] == "ubuntu-latest"


def test_without_make_it_is_set_up_as_the_readme_says(own):
    lax = own["jobs"]["lax"]
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    commands = [command.replace("${{ matrix.bin }}", ".venv/bin") for command in commands_of({"jobs": {"lax": lax}})]
    (set_up,) = [command for command in commands if "-m pytest" not in command]
    assert set_up in said
    assert {entry["bin"] for entry in lax["strategy"]["matrix"]["include"]} == {".venv/bin", ".venv/Scripts"}


def test_the_tests_of_workers_are_there(own):
    (command,) = [command for command in commands_of(own) if command.endswith("-k workers")]
    files = re.findall(r"tests/\w+\.py", command)
    assert files
    assert all(re.search(r"^def test_\w*workers", (ROOT / file).read_text(), re.MULTILINE) for file in files)


def test_a_run_that_is_overtaken_ends(own):
    assert own["concurrency"]["cancel-in-progress"] is True


# --- The workflow of the web edition


def test_the_site_is_built_as_the_makefile_builds_it_and_published():
    site = yaml.safe_load(SITE.read_text(encoding="utf-8"))
    (command,) = commands_of(site)
    assert command == "make explorers site"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}: ", makefile, re.MULTILINE) for target in command.split()[1:])
    (upload,) = [step for step in steps_of(site) if "upload-pages-artifact" in step.get("uses", "")]
    assert upload["with"]["path"] == "build/site"
    assert site["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
