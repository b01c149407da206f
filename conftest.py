"""Lies at the root because it holds for tests and notebooks alike."""

from tools import environment

environment.enter()


def pytest_configure() -> None:
    """Tests open no windows."""
    import matplotlib  # only now: numpy's threads are set

    matplotlib.use("Agg")
