"""Parts of a lesson: what it builds by hand, and the cells on which some of its cells depend."""

import ast
import re
import symtable
from collections.abc import Iterator

import nbformat
import torch

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
    names = {
        "__name__": "lesson",  # classes ask for the module that they belong to
        "device": torch.device("cpu"),  # where the small networks of the tests are
    }
    exec(compile(ast.Module(wanted, []), name, "exec"), names)
    return names


def names_in(source: str) -> tuple[set[str], set[str], set[str]]:
    """The names of the lesson that a cell reads, those that it binds or changes, and those that it imports.

    What a function calls its arguments and variables is its own affair.
    """

    def read_in(scope: symtable.SymbolTable) -> set[str]:
        names = {name.get_name() for name in scope.get_symbols() if name.is_global() and name.is_referenced()}
        return names.union(*map(read_in, scope.get_children()))

    cell = symtable.symtable(source, "cell", "exec")
    changes = {name.get_name() for name in cell.get_symbols() if name.is_assigned()}
    imports = set()
    outside = [part for part in ast.parse(source).body if not isinstance(part, (ast.FunctionDef, ast.ClassDef))]
    for node in ast.walk(ast.Module(outside, [])):
        if isinstance(node, ast.alias):
            imports.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            changes.update(name.id for name in ast.walk(node) if isinstance(name, ast.Name))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            owner = node.value.func  # as in losses.append(...)
            while isinstance(owner, ast.Attribute):
                owner = owner.value
                changes.update({owner.id} if isinstance(owner, ast.Name) else ())
    return read_in(cell), changes, imports


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
