"""Lies at the root because it holds for tests and notebooks alike."""

import os

import pytest

from tools import environment

environment.enter()

pytest_plugins = ["support.chromium"]  # `browser`, a fixture


def pytest_configure() -> None:
    """Tests open no windows."""
    import matplotlib  # only now: numpy's threads are set

    matplotlib.use("Agg")


def pytest_xdist_auto_num_workers() -> int:
    """With `-n logical`, one more than there are cores: a worker often waits for a kernel, a browser or a process."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent) -> list:
    """Where nbval takes a lesson, answers to its exercises are tried as well, in the same kernel."""
    found = yield
    if not found or file_path.parent != environment.NOTEBOOKS:
        return found
    from support.answers import LessonFile  # only now: this imports torch

    return [LessonFile.from_parent(parent, path=file_path)]
