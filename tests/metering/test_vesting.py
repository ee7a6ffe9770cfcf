"""The pool: what vests, what is credited, what returns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.split import FULL_BIPS, metered_row
from metering.vesting import (
    Pool,
    claimable_wei,
    credits_wei,
    initial_loss_e9,
    vested_per_round_wei,
    vested_wei,
)

amounts = st.integers(0, 2**128 - 1)
losses = st.integers(0, 2**34)


@st.composite
def rows(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    parties = sorted(draw(st.sets(st.integers(0, 9), max_size=6)))
    scores = {party: draw(st.floats(-1, 1)) for party in parties}
    return metered_row(scores)


@st.composite
def runs(draw: st.DrawFn) -> tuple[Pool, list[tuple[int, tuple[tuple[int, int], ...]]]]:
    target = draw(losses)
    initial = target + draw(st.integers(1, 2**34))
    pool = Pool(draw(amounts), initial, target, max_rounds=draw(st.none() | st.integers(1, 14)))
    return pool, draw(st.lists(st.tuples(losses, rows()), max_size=12))


@given(runs())
def test_nothing_is_made_and_nothing_is_lost(run) -> None:
    pool, rounds = run
    for loss_e9, row in rounds:
        vested_before, credited_before = pool.vested_wei, pool.credited_total_wei
        now = pool.settle(loss_e9, row)
        assert all(amount >= 0 for amount in now.values())
        assert pool.credited_total_wei == credited_before + sum(now.values())
        assert vested_before <= pool.vested_wei <= pool.funded_wei
        assert pool.credited_total_wei <= pool.vested_wei
    assert pool.refund_wei() + sum(pool.credited_wei.values()) == pool.funded_wei


@given(runs())
def test_a_round_pays_what_was_announced_but_for_the_dust(run) -> None:
    pool, rounds = run
    for loss_e9, row in rounds:
        available = pool.available_wei(loss_e9) if row else 0
        paid = sum(pool.settle(loss_e9, row).values())
        whole = sum(bips for _, bips in row)
        assert 0 <= available * whole - paid * FULL_BIPS <= len(row) * (FULL_BIPS - 1)


@given(runs(), losses)
def test_a_void_row_changes_nothing(run, loss_e9: int) -> None:
    pool, rounds = run
    for seen_e9, row in rounds:
        pool.settle(seen_e9, row)
    before = (pool.best_loss_e9, pool.vested_wei, pool.credited_wei)
    assert pool.settle(loss_e9, ()) == {}
    assert (pool.best_loss_e9, pool.vested_wei, pool.credited_wei) == before


@given(amounts, st.integers(-(2**34), 2**35), st.integers(1, 2**34))
def test_vesting_rises_with_the_gain_from_nothing_to_all(funded: int, gain: int, span: int) -> None:
    vested = vested_wei(funded, gain, span)
    assert 0 <= vested <= funded
    assert vested <= vested_wei(funded, gain + 1, span)
    assert vested_wei(funded, 0, span) == 0
    assert vested_wei(funded, span, span) == funded


@given(amounts, st.lists(st.integers(0, FULL_BIPS), max_size=20))
def test_credits_never_exceed_what_is_available(available: int, shares: list[int]) -> None:
    total = sum(shares)
    bips = [share * FULL_BIPS // total for share in shares] if total > FULL_BIPS else shares
    credited = credits_wei(available, bips)
    assert sum(credited) <= available
    assert all(
        amount * FULL_BIPS <= available * share
        for amount, share in zip(credited, bips, strict=True)
    )


def test_a_worse_loss_later_takes_nothing_back_and_pays_nothing() -> None:
    pool = Pool(1000, 100, 0)
    assert pool.settle(50, [(0, 10_000)]) == {0: 500}
    assert pool.settle(80, [(1, 10_000)]) == {1: 0}
    assert pool.settle(40, [(1, 10_000)]) == {1: 100}


def test_what_rounding_leaves_goes_to_a_later_round_or_back_to_the_sponsor() -> None:
    pool = Pool(10, 100, 0)
    thirds = [(0, 3333), (1, 3333), (2, 3333)]
    assert pool.settle(80, thirds) == {0: 0, 1: 0, 2: 0}  # a third of 2 wei
    assert pool.settle(60, thirds) == {0: 1, 1: 1, 2: 1}  # a third of 4 wei
    assert pool.refund_wei() == 7


def test_funding_during_the_run_also_counts_for_earlier_gains() -> None:
    pool = Pool(0, 100, 0)
    assert pool.settle(50, [(0, 10_000)]) == {0: 0}
    pool.fund(1000)
    assert pool.settle(50, [(0, 10_000)]) == {0: 500}
    with pytest.raises(MeteringError):
        pool.fund(0)


def test_the_terms_cap_the_loss_that_a_run_starts_from() -> None:
    assert initial_loss_e9(attested_e9=900, ceiling_e9=700) == 700
    assert initial_loss_e9(attested_e9=600, ceiling_e9=700) == 600


@pytest.mark.parametrize("target", [100, 120])
def test_a_run_whose_start_meets_the_target_ends_unpaid(target: int) -> None:
    pool = Pool(1000, 100, target)
    assert pool.ended_unpaid
    assert pool.available_wei(50) == 0
    assert pool.refund_wei() == 1000
    with pytest.raises(MeteringError, match="unpaid"):
        pool.settle(50, [(0, 10_000)])
    with pytest.raises(MeteringError, match="unpaid"):
        vested_wei(1000, 50, 100 - target)


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(MeteringError):
        Pool(-1, 100, 0)


def test_a_budget_for_each_round_pays_every_row_that_is_not_void_alike() -> None:
    pool = Pool(900, 100, 0, max_rounds=3)
    halves = [(0, 5000), (1, 5000)]
    assert pool.available_wei(100) == 300
    assert pool.settle(100, halves) == {0: 150, 1: 150}
    assert pool.settle(5, ()) == {}
    assert pool.settle(250, halves) == {0: 150, 1: 150}
    assert pool.settle(5, [(2, 10_000)]) == {2: 300}
    assert pool.settle(1, [(2, 10_000)]) == {2: 0}
    assert (pool.paid_rounds, pool.best_loss_e9, pool.refund_wei()) == (4, 1, 0)


@given(amounts, st.integers(0, 50), st.integers(1, 50))
def test_rounds_vest_from_nothing_to_all_in_equal_steps(funded: int, paid: int, most: int) -> None:
    vested = vested_per_round_wei(funded, paid, most)
    assert vested == funded if paid >= most else abs(vested * most - funded * paid) < most
    with pytest.raises(MeteringError):
        vested_per_round_wei(funded, paid, 0)


def test_newcomers_are_credited_at_once_and_paid_after_their_probation() -> None:
    terms = {"enrolled_s": 1_000, "probation_s": 600}
    assert claimable_wei(70, 20, now_s=1_599, **terms) == 0
    assert claimable_wei(70, 20, now_s=1_600, **terms) == 50


def test_where_pay_is_due_at_the_end_nobody_claims_before() -> None:
    assert claimable_wei(70, 0, now_s=9_999, enrolled_s=0, run_over=False) == 0
    assert claimable_wei(70, 0, now_s=9_999, enrolled_s=0, run_over=True) == 70
