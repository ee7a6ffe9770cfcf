"""`local`: each organization judges the others, and has no say about itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.split import (
    FULL_BIPS,
    Row,
    cap_bips,
    check_local_row,
    local_credits_wei,
    local_parts,
    local_row,
)

amounts = st.integers(0, 2**128 - 1)
scores = st.floats(-1e3, 1e3)


def opinions(parties: Sequence[int], own: int) -> st.SearchStrategy[Row | None]:
    """What an organization may report: an honest row, a strange but valid one, silence."""
    others = [party for party in parties if party != own]
    honest = st.fixed_dictionaries(dict.fromkeys(others, scores)).map(
        lambda seen: local_row(own, parties, seen)
    )
    strange = st.lists(
        st.integers(0, FULL_BIPS // len(parties)), min_size=len(others), max_size=len(others)
    ).map(lambda bips: tuple(sorted([*zip(others, bips, strict=True), (own, 0)])))
    abstention = st.just(local_row(own, parties, None))
    return st.one_of(honest, strange, st.none(), abstention)


@st.composite
def judged(draw: st.DrawFn, least: int = 1) -> tuple[tuple[int, ...], dict[int, Row | None]]:
    parties = tuple(sorted(draw(st.sets(st.integers(0, 63), min_size=least, max_size=9))))
    return parties, {own: draw(opinions(parties, own)) for own in parties}


@given(judged(), amounts)
def test_a_round_never_credits_more_than_there_is(round, available: int) -> None:
    parties, rows = round
    credited = local_credits_wei(available, parties, rows)
    assert list(credited) == list(parties)
    assert min(credited.values()) >= 0
    assert sum(credited.values()) <= available


@given(judged(least=4), amounts)
def test_a_round_leaves_nothing_but_dust(round, available: int) -> None:
    """Whatever was reported or kept back: all is paid, but for less than a wei each."""
    parties, rows = round
    numerators, divisor = local_parts(parties, rows)
    assert sum(numerators.values()) == divisor
    assert available - sum(local_credits_wei(available, parties, rows).values()) < len(parties)


@given(judged(), amounts, st.data())
def test_no_report_and_no_silence_changes_ones_own_pay(round, available: int, data) -> None:
    parties, rows = round
    liar = data.draw(st.sampled_from(parties))
    lies = rows | {liar: data.draw(opinions(parties, liar))}
    silent = {party: row for party, row in rows.items() if party != liar}
    honest = local_credits_wei(available, parties, rows)[liar]
    assert local_credits_wei(available, parties, lies)[liar] == honest
    assert local_credits_wei(available, parties, silent)[liar] == honest


@given(judged(), amounts, st.randoms())
def test_the_order_in_which_rows_arrive_changes_nothing(round, available: int, chance) -> None:
    parties, rows = round
    shuffled = list(rows.items())
    chance.shuffle(shuffled)
    again = local_credits_wei(available, parties, dict(shuffled))
    assert again == local_credits_wei(available, parties, rows)


@given(judged(least=4), amounts)
def test_credits_are_the_formula_of_the_design_in_exact_fractions(round, available: int) -> None:
    """share_i = (1/O) Σ_{j≠i} r_ji; what a row leaves empty, or never said, is equally divided."""
    parties, rows = round
    count = len(parties)
    for party, credit in local_credits_wei(available, parties, rows).items():
        share = Fraction(0)
        for reporter in parties:
            row = dict(rows[reporter] or ())
            if reporter != party:
                rest = Fraction(FULL_BIPS - sum(row.values()), FULL_BIPS)
                share += Fraction(row.get(party, 0), FULL_BIPS) + rest / (count - 1)
        assert credit == math.floor(available * share / count)


@given(judged(least=4))
def test_an_abstention_is_a_missing_row_is_an_equal_row(round) -> None:
    parties, rows = round
    someone, others = parties[0], {party: rows[party] for party in parties[1:]}
    missing = local_parts(parties, others)
    assert local_parts(parties, others | {someone: local_row(someone, parties, None)}) == missing
    if FULL_BIPS % (len(parties) - 1) == 0:
        equal = local_row(someone, parties, dict.fromkeys(parties, 1.0))
        assert local_parts(parties, others | {someone: equal}) == missing


@given(st.integers(2, 12), st.data())
def test_a_row_is_valid_and_as_full_as_the_cap_allows(count: int, data) -> None:
    parties = tuple(range(3, 3 + count))
    seen = {party: data.draw(scores) for party in parties}
    own = data.draw(st.sampled_from(parties))
    row = local_row(own, parties, seen)
    assert check_local_row(own, parties, row) == row
    helped = [party for party in parties if party != own and seen[party] > 0]
    some = len(helped)  # c each with (O-1) c + 10,000 - some c <= 17,500
    capped = 7 * some < 4 * (count - 1)
    room = some * (7_500 // (count - 1 - some)) if capped else FULL_BIPS
    assert room - 3 * count < sum(bips for _, bips in row) <= room
    assert all(bips == 0 for party, bips in row if party not in helped)


@given(st.integers(4, 12), st.data())
def test_below_the_cap_entries_are_proportional_and_above_it_they_are_the_cap(
    count: int, data
) -> None:
    parties = tuple(range(count))
    seen = {party: data.draw(st.integers(0, 1000)) for party in parties}
    entries = dict(local_row(0, parties, seen))
    cap = cap_bips(count, sum(entries.values()))
    free = {party for party in parties[1:] if 0 < entries[party] < cap}
    for one in free:
        for other in free:
            ratio = Fraction(seen[one], seen[other])
            low, high = Fraction(entries[one], entries[other] + 1), entries[one] + 1
            assert low < ratio < Fraction(high, entries[other])
        assert all(
            seen[full] >= seen[one] for full in parties[1:] if full not in free and seen[full]
        )


def test_ones_own_score_is_not_looked_at() -> None:
    with_own = local_row(1, (0, 1, 2, 3), {0: 1.0, 1: 50.0, 2: 1.0, 3: 2.0})
    assert with_own == ((0, 2500), (1, 0), (2, 2500), (3, 5000))
    assert local_row(1, (0, 1, 2, 3), {0: 1.0, 2: 1.0, 3: 2.0}) == with_own


def test_what_the_cap_cuts_off_goes_to_the_others_in_proportion() -> None:
    # Of five, nobody gets more than 7/16 of another's row.
    assert local_row(0, range(5), {1: 96.0, 2: 1.0, 3: 3.0, 4: -1.0}) == (
        (0, 0),
        (1, 4374),
        (2, 1406),
        (3, 4218),
        (4, 0),
    )


def test_one_friend_alone_gets_no_more_than_the_cap_the_rest_included() -> None:
    assert local_row(0, range(5), {1: 5.0, 2: -1.0, 3: 0.0, 4: -2.0}) == (
        (0, 0),
        (1, 2500),  # and a quarter of the 7500 that the row leaves: 4375 in all
        (2, 0),
        (3, 0),
        (4, 0),
    )


def test_whoever_sees_no_good_in_anybody_abstains() -> None:
    nothing = ((0, 0), (1, 0), (2, 0), (3, 0))
    assert local_row(2, range(4), {0: -1.0, 1: 0.0, 3: -5.0}) == nothing
    assert local_row(2, range(4), None) == nothing


def test_fewer_than_four_split_equally_whatever_they_report() -> None:
    greedy: dict[int, Row | None] = {0: ((0, 0), (1, 10_000), (2, 0))}
    assert local_credits_wei(1_000_000, (0, 1, 2), greedy) == dict.fromkeys((0, 1, 2), 333_300)
    assert local_credits_wei(7, (4,), {}) == {4: 7}
    assert local_credits_wei(7, (), {}) == {}


def test_four_organizations_to_the_wei() -> None:
    rows: dict[int, Row | None] = {
        0: ((0, 0), (1, 5500), (2, 3500), (3, 1000)),
        1: ((0, 5000), (1, 0), (2, 5000), (3, 0)),
        3: ((0, 1), (1, 2), (2, 3), (3, 0)),
    }
    # num_0 = 3·5000 + 10,000 for the silent 2 + 3·1 + 9994; den = 10,000·4·3; and so on.
    assert local_parts((0, 1, 2, 3), rows) == (
        {0: 34_997, 1: 36_500, 2: 35_503, 3: 13_000},
        120_000,
    )
    assert local_credits_wei(10**18 + 1, (0, 1, 2, 3), rows) == {
        0: 291_641_666_666_666_666,
        1: 304_166_666_666_666_666,
        2: 295_858_333_333_333_333,
        3: 108_333_333_333_333_333,
    }


def test_a_cartel_of_two_gets_at_most_the_cap_of_each_others_rows() -> None:
    """Two of eight who give each other all they can, and whom all others give nothing."""
    parties = tuple(range(8))
    useful = dict.fromkeys(range(2, 8), 1.0)
    rows: dict[int, Row | None] = {
        party: local_row(party, parties, useful | {0: 0.0, 1: 0.0}) for party in range(2, 8)
    }
    rows[0] = local_row(0, parties, useful | {1: 1e6})
    rows[1] = local_row(1, parties, useful | {0: 1e6})
    numerators, divisor = local_parts(parties, rows)
    # What the honest rows left when rounding is divided among all: a few bips.
    assert (numerators[0] + numerators[1]) / divisor <= 2 * 1.75 / 7 / 8 + 2e-4


@pytest.mark.parametrize(
    "row",
    [
        ((0, 0), (1, 1), (2, 1)),  # too short
        ((0, 0), (1, 1), (2, 1), (3, 1), (4, 1)),  # too long
        ((0, 0), (1, 1), (2, 1), (5, 1)),  # another roster's
        ((0, 1), (1, 1), (2, 1), (3, 1)),  # something for itself
        ((0, 0), (1, 5834), (2, 4166), (3, 0)),  # beyond the cap
        ((0, 0), (1, 5000), (2, 5000), (3, 1)),  # more than all
        ((1, 1), (0, 0), (2, 1), (3, 1)),  # not ascending
    ],
)
def test_a_row_that_the_contract_would_refuse_is_refused_here(row: Row) -> None:
    with pytest.raises(MeteringError):
        check_local_row(0, (0, 1, 2, 3), row)
    with pytest.raises(MeteringError):
        local_parts((0, 1, 2, 3), {0: row})


def test_only_the_roster_has_opinions_and_only_finite_ones() -> None:
    with pytest.raises(MeteringError, match="not in the roster"):
        local_row(9, (0, 1, 2, 3), None)
    with pytest.raises(MeteringError, match="no score"):
        local_row(0, (0, 1, 2, 3), {1: 1.0, 3: 1.0})
    with pytest.raises(MeteringError, match="finite"):
        local_row(0, (0, 1, 2, 3), {1: math.inf, 2: 1.0, 3: 1.0})
    stranger: dict[int, Row | None] = {9: ((0, 10_000), (1, 0), (2, 0), (3, 0))}
    assert local_parts((0, 1, 2, 3), stranger) == local_parts((0, 1, 2, 3), {})
