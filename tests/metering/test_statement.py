"""Statements: what was earned, round by round, from one period to the next."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.ledger import Account, Book, Credited, Kind, record
from metering.split import FULL_BIPS, equal_row
from metering.statement import Cause, Holder, draw_up, faults, follows, parse
from tests.metering.histories import chains
from tests.metering.simulated_chain import CHAIN_ID, PARTIES, SPONSOR, SimulatedChain
from tests.metering.statements import (
    BLOCKS_MAX,
    CONTRACT,
    holder,
    period,
    stated,
    three_rounds,
)


@pytest.fixture
def chain() -> SimulatedChain:
    return three_rounds()


def test_a_statement_has_a_line_for_each_round_and_its_totals(chain: SimulatedChain) -> None:
    statement = stated(chain, 0)
    assert [line.round for line in statement.lines] == [1, 2, 3]
    first, second, third = statement.lines
    assert (first.metered_bips, first.equal_bips, first.size_bips) == (6000, 2500, 833)
    assert (first.vested_wei, first.amount_wei) == (100_000, 60_000)
    assert (second.vested_wei, second.amount_wei) == (0, 0)
    assert third.amount_wei == third.vested_wei // 2 == 250_000
    assert first.model == chain.sealed[0].model
    assert first.transaction == chain.facts[1].place.transaction
    assert second.transaction == chain.sealed[1].place.transaction
    assert statement.totals.credited_wei == 310_000
    assert [(each.cause, each.amount_wei) for each in statement.movements] == [
        (Cause.CLAIM, 60_000),
        (Cause.REFUND, chain.runs[0].refunded_wei),
        (Cause.ROYALTY, chain.runs[0].entitled_wei(0)),
    ]
    assert statement.closing_wei == 250_000 + chain.runs[0].entitled_wei(0)


@given(chains(), st.sampled_from(PARTIES))
def test_a_statement_says_what_the_book_says(chain: SimulatedChain, party: int) -> None:
    book = Book()
    for fact in chain.facts:
        record(book, fact)
    statement = stated(chain, party)
    own = [
        Account(kind, run.run, party)
        for kind in (Kind.CLAIMABLE, Kind.ROYALTY)
        for run in chain.runs
    ]
    assert statement.opening_wei == 0
    assert statement.closing_wei == sum(book.balance_wei(account) for account in own)
    assert statement.totals.credited_wei == sum(line.amount_wei for line in statement.lines)
    assert len(statement.lines) == len(chain.sealed)
    assert list(faults(statement)) == []
    for line in statement.lines:
        if line.amount_wei:
            assert line.metered_bips is not None
            assert line.amount_wei == line.vested_wei * line.metered_bips // FULL_BIPS


@settings(max_examples=50)
@given(chains(), st.sampled_from(PARTIES), st.data())
def test_statements_of_consecutive_periods_chain(
    chain: SimulatedChain, party: int, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, 70), max_size=4)))
    edges = [*cuts, BLOCKS_MAX]
    starts = [0, *(cut + 1 for cut in cuts)]
    parts = [stated(chain, party, first, last) for first, last in zip(starts, edges, strict=True)]
    whole = stated(chain, party)
    for before, after in pairwise(parts):
        assert follows(before, after) == ()
    assert parts[0].opening_wei == 0
    assert parts[-1].closing_wei == whole.closing_wei
    assert sum((part.movements for part in parts), ()) == whole.movements
    paid = [line for part in parts for line in part.lines if line.amount_wei]
    assert paid == [line for line in whole.lines if line.amount_wei]


def test_a_round_that_is_settled_later_has_its_amount_in_the_later_period() -> None:
    """As in `local`: the next seal settles."""
    chain = SimulatedChain()
    run = chain.runs[0]
    chain.fund(run, 1000)
    chain.seal(run, 0, equal_row((0, 1)))
    (credit,) = (fact for fact in chain.facts if isinstance(fact, Credited))
    late = dataclasses.replace(credit, place=dataclasses.replace(credit.place, block=9))
    chain.facts[-1] = late
    early, later = stated(chain, 0, 0, 5), stated(chain, 0, 6, 9)
    assert [(line.round, line.amount_wei) for line in early.lines] == [(1, 0)]
    assert [(line.round, line.amount_wei) for line in later.lines] == [(1, 500)]
    assert follows(early, later) == ()


@settings(max_examples=50)
@given(chains(), st.sampled_from(PARTIES))
def test_what_is_written_reads_back_and_is_signed_over_its_bytes(
    chain: SimulatedChain, party: int
) -> None:
    statement = stated(chain, party)
    data = statement.to_bytes()
    assert parse(data) == statement
    assert statement.digest() == hashlib.sha256(data).digest()
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()


def test_amounts_that_doubles_cannot_hold_are_decimals_in_strings() -> None:
    chain = SimulatedChain()
    chain.fund(chain.runs[0], 10**24)
    chain.seal(chain.runs[0], 0, ((0, 10_000),))
    written = json.loads(stated(chain, 0).to_bytes())
    assert written["closing_wei"] == "1000000000000000000000000"
    assert written["lines"][0]["metered_bips"] == 10_000
    assert written["format"] == "swarm-statement-1"


def test_a_statement_is_not_drawn_up_from_half_the_records(chain: SimulatedChain) -> None:
    own = {"chain_id": CHAIN_ID, "contract": CONTRACT}
    with pytest.raises(MeteringError, match="not among the sealed rounds"):
        draw_up(chain.facts, chain.sealed[1:], holder(0), period(0, BLOCKS_MAX), **own)
    with pytest.raises(MeteringError, match="two lines"):
        draw_up(chain.facts, chain.sealed * 2, holder(0), period(0, BLOCKS_MAX), **own)
    with pytest.raises(MeteringError, match="where the book has 0"):
        draw_up(chain.facts[1:], chain.sealed, holder(0), period(0, BLOCKS_MAX), **own)


def test_rounds_that_were_paid_before_the_period_need_not_be_given(chain: SimulatedChain) -> None:
    late = draw_up(
        chain.facts,
        chain.sealed[1:],
        holder(0),
        period(4, BLOCKS_MAX),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
    )
    assert late == stated(chain, 0, 4)


def test_facts_of_other_chains_and_of_stakes_are_left_out(chain: SimulatedChain) -> None:
    own = stated(chain, 1)
    chain.stake(1, 50)
    elsewhere = dataclasses.replace(chain.facts[0].place, chain_id=1)
    chain.facts.append(dataclasses.replace(chain.facts[0], place=elsewhere))
    chain.facts.append(chain.facts[1])  # heard twice
    assert stated(chain, 1) == own


def test_a_sponsor_that_is_no_party_sees_its_refunds(chain: SimulatedChain) -> None:
    sponsor = Holder(organization="fund", parties={}, wallets=frozenset({SPONSOR}))
    statement = draw_up(
        chain.facts,
        chain.sealed,
        sponsor,
        period(0, BLOCKS_MAX),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
    )
    assert statement.lines == ()
    assert statement.totals.refunded_wei == chain.runs[0].refunded_wei
    assert statement.closing_wei == 0
