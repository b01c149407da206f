"""What nbval does not see: each test closes a hole through which it lets errors pass."""

import re
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

HERE = Path(__file__).parent
TAGS = {"nbval-ignore-output", "raises-exception"}


@pytest.fixture(params=sorted((HERE / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def cells(request):
    """The code cells of a notebook."""
    return [cell for cell in nbformat.read(request.param, as_version=4).cells if cell.cell_type == "code"]


def test_every_cell_was_run_in_order(cells):
    """Without execution counts nbval compares nothing, and passes."""
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run `python refresh.py`"


def test_what_is_left_out_has_a_known_tag(cells):
    """A misspelt tag does nothing, and a marker in a comment is overlooked by whoever reads the code."""
    for cell in cells:
        assert set(cell.metadata.get("tags", [])) <= TAGS
        assert "NBVAL_" not in cell.source


def test_every_figure_is_told_in_words(cells):
    """Pictures are never compared, and not everybody sees them."""
    for cell in cells:
        kinds = [mime for output in cell.outputs for mime in output.get("data", {})]
        assert "image/png" not in kinds or any(output.output_type == "stream" for output in cell.outputs), cell.source


def test_nbval_reads_every_rule_of_the_sanitizer():
    """A rule with a slip in its form is dropped without a word."""
    text = (HERE / "sanitize.cfg").read_text(encoding="ascii")
    assert len(re.findall(r"^\W*(?:regex|replace)\b", text, re.MULTILINE)) == 2 * len(get_sanitize_patterns(text))
