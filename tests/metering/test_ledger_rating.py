"""From chain facts to entries: what the contracts credit, to the wei, whatever happens."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.ledger import (
    Account,
    Book,
    Claimed,
    Credited,
    Division,
    Fact,
    Funded,
    Kind,
    credited_wei,
    rate,
    record,
)
from metering.local_pool import LocalPool, Report
from metering.split import equal_row, metered_row
from metering.vesting import credits_wei
from scripts.make_money_vectors import PATH
from tests.metering.simulated_chain import PARTIES, SPONSOR, SimulatedChain, run_id

amounts = st.integers(0, 2**127 - 1)


def book_of(facts: list[Fact]) -> Book:
    book = Book()
    for fact in facts:
        assert record(book, fact) is not None
    return book


@pytest.mark.parametrize("case", json.loads(PATH.read_text())["cases"], ids=lambda c: c["name"])
def test_the_book_credits_what_the_contracts_credit(case) -> None:
    """The settlements that the contracts are tested with, from what their events would say."""
    chain = SimulatedChain()
    run = run_id(9)
    funded_wei = int(case["funded_wei"])
    book = Book()
    if funded_wei:
        chain.facts.append(
            Funded(place=chain.place(), run=run, amount_wei=funded_wei, sender=SPONSOR)
        )
        record(book, chain.facts[-1])
    total, expected = 0, {}
    for number, settled in enumerate(case["rounds"], start=1):
        span = case["initial_loss_e9"] - case["target_loss_e9"]
        gain = min(max(case["initial_loss_e9"] - settled["best_loss_e9"], 0), span)
        credited = {int(party): int(wei) for party, wei in settled["credited_wei"].items()}
        total += sum(credited.values())
        for party, wei in credited.items():
            expected[party] = expected.get(party, 0) + wei
        if sum(credited.values()):
            fact = Credited(
                place=chain.place(),
                run=run,
                round=number,
                amount_wei=sum(credited.values()),
                vested_wei=funded_wei * gain // span,
                division=Division.by_row(settled["shares"]),
            )
            chain.facts.append(fact)
            record(book, fact)
        for party, wei in expected.items():
            assert book.balance_wei(Account(Kind.CLAIMABLE, run, party)) == wei
    assert credited_wei(run, book.balance_wei) == total
    left = book.total_wei(Kind.ESCROW, Kind.REMAINDER)
    assert left == int(case["refund_wei"])


@given(amounts, st.dictionaries(st.integers(0, 30), st.floats(-1, 1), max_size=8))
def test_a_row_divides_as_the_contract_does(available_wei: int, scores: dict[int, float]) -> None:
    row = metered_row(scores)
    division = Division.by_row(row)
    twin = credits_wei(available_wei, [bips for _, bips in row])
    assert [wei for _, wei in division.amounts_wei(available_wei)] == list(twin)
    assert all(division.bips(party) == bips for party, bips in row)


@given(st.integers(1, 10**24), st.integers(3, 6), st.data())
def test_local_rounds_divide_as_their_pool_does(
    funded_wei: int, organizations: int, data: st.DataObject
) -> None:
    parties = range(organizations)
    pool, book = LocalPool(funded_wei, 1000, 0), Book()
    chain, run = SimulatedChain(), run_id(4)
    chain.facts.append(Funded(place=chain.place(), run=run, amount_wei=funded_wei, sender=SPONSOR))
    record(book, chain.facts[-1])
    for number in range(1, 4):
        pool.seal(parties)
        rows = {}
        for party in data.draw(st.sets(st.sampled_from(parties))):
            bips = 10_000 // (organizations - 1)
            row = tuple((each, 0 if each == party else bips) for each in parties)
            rows[party] = data.draw(st.sampled_from([row, None]))
            pool.report(party, Report(300, 0, rows[party]))
        credited = pool.settle()
        if sum(credited.values()):
            fact = Credited(
                place=chain.place(),
                run=run,
                round=number,
                amount_wei=sum(credited.values()),
                vested_wei=pool.vested_wei,
                division=Division.by_local_rows(parties, rows),
            )
            chain.facts.append(fact)
            record(book, fact)
    for party, wei in pool.credited_wei.items():
        assert book.balance_wei(Account(Kind.CLAIMABLE, run, party)) == wei
    assert book.total_wei(Kind.ESCROW, Kind.REMAINDER) == pool.refund_wei()


def test_what_rounding_leaves_waits_in_an_account_of_its_own() -> None:
    chain = SimulatedChain()
    run = chain.runs[0]
    row = equal_row((0, 1, 2))  # 3,333 basis points each
    chain.fund(run, 1000)
    chain.seal(run, 900, row)  # 100 wei are vested, 33 each
    book = book_of(chain.facts)
    remainder = Account(Kind.REMAINDER, run.run)
    assert book.balance_wei(remainder) == 1
    chain.seal(run, 800, row)  # 100 more: 101 · 3,333 / 10,000
    record(book, chain.facts[-1])
    assert book.balance_wei(remainder) == 2
    chain.refund(run)
    record(book, chain.facts[-1])
    assert book.balance_wei(remainder) == book.balance_wei(Account(Kind.ESCROW, run.run)) == 0
    assert book.balance_wei(Account(Kind.REFUNDED, run.run)) == 802


def test_parties_are_entitled_to_their_part_of_all_licenses_rounded_once() -> None:
    chain = SimulatedChain()
    run = chain.runs[0]
    chain.fund(run, 300)
    chain.seal(run, 0, equal_row((0, 1, 2)))  # 99 wei each: royalties go in thirds
    chain.refund(run)
    royalty = Account(Kind.ROYALTY, run.run, 2)
    left = Account(Kind.ROYALTY_REMAINDER, run.run)
    book = book_of(chain.facts)
    for paid_wei, owed_wei, left_wei in ((5, 1, 2), (5, 3, 1), (2, 4, 0)):
        chain.buy_license(run, paid_wei)
        record(book, chain.facts[-1])
        assert (book.balance_wei(royalty), book.balance_wei(left)) == (owed_wei, left_wei)
    chain.claim_royalties(run, 2)
    record(book, chain.facts[-1])
    assert book.balance_wei(Account(Kind.ROYALTY_PAID, run.run, 2)) == 4


def test_facts_that_do_not_follow_from_the_book_are_refused() -> None:
    chain = SimulatedChain()
    run = chain.runs[0]
    chain.fund(run, 1000)
    chain.seal(run, 900, equal_row(PARTIES))
    chain.claim(run, 0)
    chain.seal(run, 700, equal_row(PARTIES))
    funded, first, claim, second = chain.facts
    with pytest.raises(MeteringError, match="where the book has 0"):
        rate(claim, Book().balance_wei)
    with pytest.raises(MeteringError, match="credited before"):
        rate(second, book_of([funded]).balance_wei)  # the first round is missing
    with pytest.raises(MeteringError, match="where the book has 0"):
        rate(first, Book().balance_wei)  # there is no pool
    assert isinstance(claim, Claimed)
    book = book_of([funded, first])
    with pytest.raises(MeteringError, match="where the book has 25"):
        record(book, dataclasses.replace(claim, amount_wei=26))
    for amount_wei in (99, 101):
        with pytest.raises(MeteringError, match="by the contract"):
            rate(dataclasses.replace(first, amount_wei=amount_wei), book_of([funded]).balance_wei)
    assert len(book) == 2


def test_one_event_cannot_be_two_facts() -> None:
    chain = SimulatedChain()
    chain.fund(chain.runs[0], 1000)
    book = book_of(chain.facts)
    with pytest.raises(MeteringError, match="two facts"):
        record(book, dataclasses.replace(chain.facts[0], amount_wei=1001))


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (((0, 1),), 0),
        (((0, 6), (1, 5)), 10),
        (((1, 1), (0, 1)), 10),
        (((1, 1), (1, 1)), 10),
        (((0, -1), (1, 1)), 10),
        (((0, 0.5),), 10),
        (((70_000, 1),), 10),
        (((0, 1),), 10.0),
    ],
)
def test_nobody_divides_what_is_not_there(parts, whole) -> None:
    with pytest.raises(MeteringError):
        Division(parts, whole)


@pytest.mark.parametrize("amount", [0, -5, 1.0, True, 2**256])
def test_a_fact_moves_whole_wei(amount) -> None:
    with pytest.raises(MeteringError):
        Funded(place=SimulatedChain().place(), run=run_id(1), amount_wei=amount, sender=SPONSOR)


def test_a_finder_cannot_get_more_than_was_slashed() -> None:
    chain = SimulatedChain()
    chain.stake(1, 100)
    chain.slash(1)
    staked, slashed = chain.facts
    with pytest.raises(MeteringError):
        rate(dataclasses.replace(slashed, finder_wei=101), book_of([staked]).balance_wei)
