"""What environment.yml asks for."""

import yaml

from tools.environment import ROOT


def conda_environment() -> tuple[str, list[str]]:
    """The Python version of environment.yml, and the lines of its pip section."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(d for d in dependencies if isinstance(d, str) and d.startswith("python="))
    return python.removeprefix("python="), next(d["pip"] for d in dependencies if isinstance(d, dict))
