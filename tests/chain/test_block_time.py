"""A run on a chain that makes a block each second, as permissioned networks do."""

from __future__ import annotations

import pytest

from tests.chain.test_local import alliance, test_rows_of_all_are_settled_together

__all__ = ["alliance", "test_rows_of_all_are_settled_together"]


@pytest.fixture
def block_time_s() -> int | None:
    return 1
