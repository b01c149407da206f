"""The faults of `make mutations` (hours) fit the code: otherwise they would say nothing about the tests."""

import pytest

from tools.mutations import stale_mutations

pytestmark = pytest.mark.quick


def test_each_fault_can_be_put_in():
    assert stale_mutations() == []
