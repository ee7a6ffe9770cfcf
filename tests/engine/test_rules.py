"""What a node expects of the contract: when a run ends, and what a row would divide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.messages import Attestation
from tests.engine.rounds import Table

LOSS, LOWEST_METRIC, HIGHEST_METRIC = 0, 1, 2
PER_ROUND = 1


def attested(loss_e9: int, metric_e9: int) -> Attestation:
    zero = bytes(32)
    return Attestation(zero, 5, zero, 0, zero, zero, loss_e9, loss_e9, metric_e9, b"", b"")


@pytest.mark.parametrize(
    ("stopping", "loss_e9", "metric_e9", "ends"),
    [
        (LOSS, 100, 0, True),
        (LOSS, 101, -900, False),
        (LOWEST_METRIC, 999, -5, True),
        (LOWEST_METRIC, 1, -4, False),
        (HIGHEST_METRIC, 999, -5, True),
        (HIGHEST_METRIC, 1, -6, False),
    ],
)
def test_the_target_is_what_the_terms_watch(
    stopping: int, loss_e9: int, metric_e9: int, ends: bool
) -> None:
    table = Table([0, 1, 2], stopping=stopping, target_loss=100, target_metric=-5)
    assert table.context.at_target(attested(loss_e9, metric_e9)) is ends


def test_a_row_divides_what_the_gain_vests_or_one_part_of_the_pool() -> None:
    by_progress = replace(
        Table([0, 1, 2], target_loss=100).context,
        funded_wei=1000,
        credited_wei=200,
        initial_loss_e9=1100,
        paid_rounds=3,
    )
    assert by_progress.creditable_wei(500) == 500 - 200
    per_round = replace(
        by_progress, terms=replace(by_progress.terms, budget_rule=PER_ROUND, max_rounds=8)
    )
    assert per_round.creditable_wei(1) == per_round.creditable_wei(900) == 500 - 200
    for nothing in (replace(per_round, round=0), replace(per_round, initial_loss_e9=100)):
        assert nothing.creditable_wei(500) == 0
