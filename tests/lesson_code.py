"""Parts of a lesson: what it builds by hand, and the cells on which some of its cells depend."""

import ast
import re
from collections.abc import Iterator

import nbformat

from tools.environment import NOTEBOOKS

EPOCHS = re.compile(r"^EPOCHS = \d+", re.MULTILINE)


def lesson_code(name: str, *constants: str) -> dict:
    """The imports, functions, classes and named constants of a lesson, without running the rest of it."""
    cells = nbformat.read(NOTEBOOKS / name, as_version=4).cells
    nodes = [node for cell in cells if cell.cell_type == "code" for node in ast.parse(cell.source).body]
    wanted = [
        node
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in constants)
    ]
    names = {"__name__": "lesson"}  # classes ask for the module that they belong to
    exec(compile(ast.Module(wanted, []), name, "exec"), names)
    return names


def names_in(source: str) -> tuple[set[str], set[str], set[str]]:
    """The names that a cell reads, those that it binds or changes, and those that it imports."""
    reads, changes, imports = set(), set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (reads if isinstance(node.ctx, ast.Load) else changes).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            changes.add(node.name)
        elif isinstance(node, ast.alias):
            imports.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            changes.update(name.id for name in ast.walk(node) if isinstance(name, ast.Name))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            owner = node.value.func  # as in losses.append(...)
            while isinstance(owner, ast.Attribute):
                owner = owner.value
                changes.update({owner.id} if isinstance(owner, ast.Name) else ())
    return reads, changes, imports


def needed(cells: list[tuple[str | None, list[str]]]) -> Iterator[tuple[str | None, list[str]]]:
    """The named cells and those on which they depend, trained for one epoch; nbval runs all of them, and whole.

    Args:
        cells: a name for each code cell that is wanted (None for the others), and the sources that it is tried with.
    """
    cells = [(name, sources if name else [EPOCHS.sub("EPOCHS = 1", *sources)]) for name, sources in cells]
    read = {source: names_in(source) for _, sources in cells for source in sources}
    imported = set().union(*(imports for _, _, imports in read.values()))
    open_names: set[str] = set()
    kept = []
    for name, sources in reversed(cells):
        for source in sources:
            reads, changes, imports = read[source]
            if name or (changes - imported | imports) & open_names:
                open_names |= reads
                if (name, sources) not in kept:
                    kept.append((name, sources))
    yield from reversed(kept)
