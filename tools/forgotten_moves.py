"""Each place where the helpers move a tensor between devices, taken out: `make mutations` sees the tests go red.

The places are found, not listed, so that they follow every change of the code.
"""

import ast
from collections.abc import Iterator

from tools.environment import ROOT


def forgotten_moves() -> Iterator[tuple[str, str, str]]:
    """The file, a piece of it that occurs once, and the same piece without one move.

    A move is `x.to(device)`, `to_device(x, model)`, `x.cpu()`, `device=device`, or such an entry of a dictionary.
    """
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            for start, end, rest in moves_of(node, text):
                first = start
                while text.count(text[first:end]) > 1:  # begin earlier, until there is no other such piece
                    first = text.rfind("\n", 0, first - 1) + 1
                piece = text[first:end]
                yield path.relative_to(ROOT).as_posix(), piece, piece[: start - first] + rest


def moves_of(node: ast.AST, text: str) -> Iterator[tuple[int, int, str]]:
    """Where the moves at this node begin and end in `text`, and what is left of them."""
    if isinstance(node, ast.Call):
        start, end = span(node, text)
        match node.func:
            case ast.Attribute(value=moved, attr="to") if any(map(names_a_device, node.args)):
                yield start, end, ast.get_source_segment(text, moved)
            case ast.Attribute(value=moved, attr="cpu") if not node.args:
                yield start, end, ast.get_source_segment(text, moved)
            case ast.Name(id="to_device"):
                yield start, end, ast.get_source_segment(text, node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "device" and names_a_device(keyword.value):
                yield *span(keyword, text), "device=None"
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "device":
                yield span(key, text)[0], span(value, text)[1], '"device": None'


def names_a_device(node: ast.AST) -> bool:
    """`device` and `image.device` do, `"meta"` and `torch.float32` do not."""
    return any(
        "device" in (getattr(part, "id", ""), getattr(part, "attr", "")) or getattr(part, "id", "") == "device_of"
        for part in ast.walk(node)
    )


def span(node: ast.AST, text: str) -> tuple[int, int]:
    """Where a node begins and ends in `text`."""
    lines = text.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:  # columns count bytes
        return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())

    return offset(node.lineno, node.col_offset), offset(node.end_lineno, node.end_col_offset)
