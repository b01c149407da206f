"""What a lesson builds by hand."""

import ast

import nbformat
import torch

from tools.environment import NOTEBOOKS


def lesson_code(name: str, *constants: str) -> dict:
    """The imports, functions, classes and named constants of a lesson, without running the rest of it.

    A helper that the lesson imports under the name of what it has built by hand does not take its place.
    """
    cells = nbformat.read(NOTEBOOKS / name, as_version=4).cells
    nodes = [node for cell in cells if cell.cell_type == "code" for node in ast.parse(cell.source).body]
    built = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if alias.name not in built]
    wanted = [
        node
        for node in nodes
        if isinstance(node, (ast.Import, ast.FunctionDef, ast.ClassDef))
        or (isinstance(node, ast.ImportFrom) and node.names)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in constants)
    ]
    names = {
        "__name__": "lesson",  # classes ask for the module that they belong to
        "device": torch.device("cpu"),  # where the small networks of the tests are
    }
    exec(compile(ast.Module(wanted, []), name, "exec"), names)
    return names
