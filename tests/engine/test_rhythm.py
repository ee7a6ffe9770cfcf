"""How many batches until the next sync."""

from __future__ import annotations

from math import ceil, sqrt

import pytest

from contracts.messages import Attestation
from node_agent.engine.rhythm import ADAPTIVE, batches
from tests.engine.rounds import Table

E9 = 10**9


def test_a_frequency_that_is_fixed_stays() -> None:
    assert batches(16, 2 * E9, E9) == 16


@pytest.mark.parametrize("loss_e9", [E9, 7 * E9 // 10, E9 // 4, E9 // 100, 1])
def test_an_adaptive_one_falls_with_the_root_of_the_loss_to_an_eighth(loss_e9: int) -> None:
    expected = max(2, ceil(round(16 * sqrt(loss_e9 / E9), 9)))
    assert batches(16 | ADAPTIVE, E9, loss_e9) == expected


def test_it_never_exceeds_what_the_terms_say_and_waits_for_a_loss() -> None:
    assert batches(16 | ADAPTIVE, E9, 5 * E9) == 16
    assert batches(16 | ADAPTIVE, 0, E9) == 16
    assert batches(16 | ADAPTIVE, E9, 0) == 16
    assert batches(1 | ADAPTIVE, E9, 1) == 1


def test_losses_that_are_each_nodes_own_decide_nothing() -> None:
    zero = bytes(32)
    attested = Attestation(zero, 5, zero, 0, zero, zero, 10**8, 10**8, 0, b"", b"")
    common = Table([0, 1, 2], sync_frequency=16 | ADAPTIVE)
    assert common.context.batches(attested) == 6
    local = Table([0, 1, 2], sync_frequency=16 | ADAPTIVE, metering=3)
    assert local.context.batches(attested) == 16
