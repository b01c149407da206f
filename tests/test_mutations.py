"""The list of deliberate faults still fits the code; `make mutations` runs it."""

import pytest

from tools.environment import ROOT
from tools.mutations import FAULTS, applied


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.right}")
def test_the_fault_can_be_made(fault):
    assert applied(fault, ROOT) != (ROOT / fault.file).read_text(encoding="utf-8")
    assert all((ROOT / part).exists() for part in fault.tests.split())


def test_there_are_enough_faults():
    assert len(set(FAULTS)) >= 25
