"""What holds for the tests themselves: who imports whom, and when a file runs."""

import ast
from pathlib import Path

import pytest

from tools.environment import ROOT

pytestmark = pytest.mark.quick

TESTS = sorted((ROOT / "tests").glob("test_*.py"))
FOLDERS = ("helpers", "tools", "benchmarks", "recipes")
PROGRAMS = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
LANES = {"quick", "nightly"}  # all others are those of `make test`


def imported_by(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it, by the first part of their names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def marks_of(path: Path) -> set[str]:
    """The marks that a test file gives to all its tests."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    marks = [n.value for n in body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"]
    return {node.attr for value in marks for node in ast.walk(value) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_imports_another(path):
    assert not [name for name in imported_by(path) if name.startswith("test")]


def test_each_folder_of_programs_is_there():
    assert {path.relative_to(ROOT).parts[0] for path in PROGRAMS} == set(FOLDERS)


def test_a_machine_with_an_accelerator_skips_the_pretended_one():
    """pytest skips for an ImportError only if it is told so; else it would run no test at all."""
    lines = [line for path in TESTS for line in path.read_text(encoding="utf-8").splitlines()]
    asked = [line for line in lines if line.startswith('pytest.importorskip("support.pretend_device"')]
    assert asked and all("exc_type=ImportError" in line for line in asked)


def test_no_program_needs_the_tests():
    assert not [path for path in PROGRAMS if imported_by(path) & {"tests", "support"}]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_a_file_is_in_one_lane(path):
    lanes = marks_of(path) & LANES
    assert len(lanes) <= 1
    if "quick" in lanes:
        slow = {"nbclient", "playwright"}
        assert not imported_by(path) & slow, "a kernel or a browser is not quick"
