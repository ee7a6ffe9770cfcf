"""The pool under `local`: rows arrive late, and every round is settled with the next seal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.local_pool import (
    LocalPool,
    Report,
    local_initial_loss_e9,
    lower_median,
    round_gain_e9,
)
from metering.split import local_parts, local_row

FOUR = (0, 1, 2, 3)
losses = st.integers(0, 2**34)


def report(own: int, gain_e9: int, seen: dict[int, float] | None = None) -> Report:
    everyone = dict.fromkeys(FOUR, 1.0)
    return Report(500 + gain_e9, 500, local_row(own, FOUR, seen or everyone))


@st.composite
def reports(draw: st.DrawFn, parties: tuple[int, ...], own: int) -> Report:
    seen = draw(st.none() | st.fixed_dictionaries(dict.fromkeys(parties, st.floats(-1, 1))))
    row = local_row(own, parties, seen)
    return Report(draw(losses), draw(losses), draw(st.sampled_from([row, None])))


@dataclass(frozen=True)
class Run:
    """Terms and funds of a run, and who was in each roster and reported what."""

    funded_wei: int
    initial_loss_e9: int
    target_loss_e9: int
    max_rounds: int | None
    rounds: list[tuple[tuple[int, ...], dict[int, Report]]]

    def pool(self) -> LocalPool:
        return LocalPool(
            self.funded_wei, self.initial_loss_e9, self.target_loss_e9, max_rounds=self.max_rounds
        )

    def play(self, pool: LocalPool, order: Callable[[list[int]], object]) -> list[dict[int, int]]:
        """What each round was credited, its reports arriving in some order."""
        credited = []
        for parties, attested in self.rounds:
            credited.append(pool.seal(parties))
            arriving = sorted(attested)
            order(arriving)
            for party in arriving:
                pool.report(party, attested[party])
        return [*credited, pool.settle()][1:]


@st.composite
def runs(draw: st.DrawFn) -> Run:
    rounds = []
    for _ in range(draw(st.integers(0, 6))):
        parties = tuple(sorted(draw(st.sets(st.integers(0, 7)))))
        present = draw(st.sets(st.sampled_from(parties))) if parties else set()
        rounds.append((parties, {own: draw(reports(parties, own)) for own in sorted(present)}))
    target = draw(losses)
    return Run(
        draw(st.integers(0, 2**128 - 1)),
        target + draw(st.integers(1, 2**34)),
        target,
        draw(st.none() | st.integers(1, 8)),
        rounds,
    )


@given(runs())
def test_nothing_is_made_and_nothing_is_lost(run: Run) -> None:
    pool = run.pool()
    for parties, attested in run.rounds:
        credited = pool.credited_total_wei
        settled = pool.seal(parties)
        assert pool.credited_total_wei == credited + sum(settled.values())
        assert pool.credited_total_wei <= pool.vested_wei <= pool.funded_wei
        for party, seen in attested.items():
            pool.report(party, seen)
    pool.settle()
    assert pool.credited_total_wei <= pool.vested_wei
    assert pool.refund_wei() + sum(pool.credited_wei.values()) == pool.funded_wei


@given(runs())
def test_every_wei_follows_from_the_rules_in_exact_fractions(run: Run) -> None:
    total = highest = paid = done = 0
    expected: list[dict[int, int]] = []
    for parties, attested in run.rounds:
        if not parties:
            expected.append({})
            continue
        gains = sorted(
            attested[p].loss_before_e9 - attested[p].loss_after_e9 if p in attested else 0
            for p in parties
        )
        total += gains[(len(parties) - 1) // 2]
        highest = max(highest, total)
        done += 1
        progress = Fraction(highest, run.initial_loss_e9 - run.target_loss_e9)
        if run.max_rounds:
            progress = Fraction(done, run.max_rounds)
        left = math.floor(run.funded_wei * min(Fraction(1), progress)) - paid
        numerators, divisor = local_parts(parties, {p: seen.row for p, seen in attested.items()})
        now = {p: math.floor(Fraction(left * part, divisor)) for p, part in numerators.items()}
        expected.append(now)
        paid += sum(now.values())
    assert run.play(run.pool(), list.sort) == expected


@given(runs(), st.randoms())
def test_the_order_in_which_reports_arrive_changes_nothing(run: Run, chance: Random) -> None:
    assert run.play(run.pool(), chance.shuffle) == run.play(run.pool(), list.reverse)


def test_a_round_is_paid_when_the_next_one_is_sealed() -> None:
    pool = LocalPool(1_200, 1_000, 0)
    assert pool.seal(FOUR) == {}
    for party in FOUR:
        pool.report(party, report(party, 500))
    assert pool.credited_total_wei == 0
    assert pool.seal(FOUR) == dict.fromkeys(FOUR, 150), "600 wei"
    assert pool.settle() == dict.fromkeys(FOUR, 0), "nobody reported: no gain"


def test_a_row_that_comes_before_the_next_seal_counts() -> None:
    only_one = {0: 0.0, 1: 0.0, 2: 1.0, 3: 1.0}
    early, late = LocalPool(10**6, 1_000, 0), LocalPool(10**6, 1_000, 0)
    for pool in (early, late):
        pool.seal(FOUR)
        for party in (1, 2, 3):
            pool.report(party, report(party, 500))
    late.report(0, report(0, 500, only_one))
    missing, counted = early.settle(), late.settle()
    assert counted[0] == missing[0], "who reports late, or not at all, gets the same"
    assert counted[1] < missing[1]
    assert counted[2] > missing[2]


def test_a_minority_that_invents_gains_vests_nothing() -> None:
    pool = LocalPool(10**6, 1_000, 0)
    pool.seal(FOUR)
    pool.report(0, report(0, 10**9))
    pool.report(1, report(1, 10**9))
    assert pool.settle() == dict.fromkeys(FOUR, 0), "of four gains, two of them 0, the lower median"
    assert pool.gain_e9 == 0


def test_a_loss_that_goes_up_and_down_again_is_paid_once() -> None:
    pool = LocalPool(1_000, 1_000, 0)
    seen = []
    for gain in (300, -200, 200, 100):
        pool.seal(FOUR)
        for party in FOUR:
            pool.report(party, report(party, gain))
        pool.settle()
        seen.append(pool.gain_e9)
    assert seen == [300, 300, 300, 400]


def test_a_run_that_first_gets_worse_must_make_up_for_it() -> None:
    pool = LocalPool(1_000, 1_000, 0)
    for gain in (-400, 300, 200):
        pool.seal(FOUR)
        for party in FOUR:
            pool.report(party, report(party, gain))
    pool.settle()
    assert pool.gain_e9 == 100


def test_an_equal_part_for_each_round_needs_no_gain_and_ends_with_the_last() -> None:
    pool = LocalPool(1_000, 1_000, 0, max_rounds=2)
    pool.seal(FOUR)
    assert pool.seal(FOUR) == dict.fromkeys(FOUR, 125)
    assert pool.seal(()) == dict.fromkeys(FOUR, 125)
    assert pool.seal(FOUR) == {}, "an empty roster is no paid round"
    assert pool.settle() == dict.fromkeys(FOUR, 0)
    assert (pool.paid_rounds, pool.refund_wei()) == (3, 0)


def test_only_the_roster_reports_and_each_once() -> None:
    pool = LocalPool(1_000, 1_000, 0)
    with pytest.raises(MeteringError, match="no sealed round"):
        pool.report(0, report(0, 1))
    pool.seal(FOUR)
    pool.report(7, report(0, 10**9))  # signed the seal, had no update in it
    pool.report(0, report(0, 1))
    with pytest.raises(MeteringError, match="already"):
        pool.report(0, report(0, 2))
    with pytest.raises(MeteringError, match="zero for itself"):
        pool.report(1, report(0, 1))


def test_the_median_of_an_even_number_is_the_lower_one() -> None:
    assert lower_median([3, 1, 2]) == 2
    assert lower_median([4, 1, 3, 2]) == 2
    with pytest.raises(MeteringError):
        lower_median([])
    assert round_gain_e9((0, 1, 2), {0: Report(9, 1, None), 2: Report(1, 9, None)}) == 0


def test_the_start_is_the_median_of_what_was_attested_capped_by_the_terms() -> None:
    assert local_initial_loss_e9([700, 650, 900, 10_000], ceiling_e9=2_000) == 700
    assert local_initial_loss_e9([10_000, 9_000], ceiling_e9=2_000) == 2_000


def test_a_run_whose_start_meets_the_target_ends_unpaid() -> None:
    pool = LocalPool(1_000, 100, 100)
    with pytest.raises(MeteringError, match="unpaid"):
        pool.seal(FOUR)
    assert (pool.vested_wei, pool.refund_wei()) == (0, 1_000)
    with pytest.raises(MeteringError, match="negative"):
        LocalPool(1, -1, 0)
