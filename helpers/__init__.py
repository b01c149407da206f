"""The shared code of the lessons: what a lesson writes by hand, the next ones import from here under the same name."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
