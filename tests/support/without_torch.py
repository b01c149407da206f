"""Run with `python without_torch.py MODEL IMAGE...` where importing PyTorch fails, as on a machine that has none.

Prints the answers as JSON, and the distributions that it took.
"""

import importlib.metadata
import json
import sys

NEEDED = {"numpy", "pillow", "onnxruntime"}  # and what onnxruntime needs


class Absent:
    """Finds no package but those that are needed."""

    def __init__(self):
        of = importlib.metadata.packages_distributions()
        self.allowed = {name for name, owners in of.items() if {owner.lower() for owner in owners} & self.required()}

    @staticmethod
    def required() -> set[str]:
        more = importlib.metadata.requires("onnxruntime") or []
        return NEEDED | {name.split(">")[0].split("=")[0].split(" ")[0].lower() for name in more}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in self.allowed and top != "helpers":
            raise ModuleNotFoundError(f"No module named {top!r} here", name=top)
        return None


sys.meta_path.insert(0, Absent())

from helpers.classifier import load  # noqa: E402

model, *images = sys.argv[1:]
print(json.dumps(load(model).predict(images)))
