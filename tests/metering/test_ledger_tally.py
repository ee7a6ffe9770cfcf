"""A tally is the book without its entries: the same balances, and the same facts refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.ledger import Book, Fact, Tally, credited_wei, record
from metering.split import (
    equal_row,
    equal_share_bips,
    size_row,
    size_share_bips,
)
from tests.metering.histories import chains
from tests.metering.simulated_chain import SimulatedChain
from tests.metering.statements import three_rounds


@given(chains())
def test_a_tally_has_the_balances_of_the_book_after_every_fact(chain: SimulatedChain) -> None:
    book, tally = Book(), Tally()
    for fact in chain.facts:
        entry = record(book, fact)
        assert entry is not None
        assert tally.add(fact)
        for posting in entry.postings:
            assert tally.balance_wei(posting.account) == book.balance_wei(posting.account)
    for run in chain.runs:
        assert tally.credited_wei(run.run) == credited_wei(run.run, book.balance_wei)
    assert all(tally.balance_wei(account) == wei for account, wei in book.balances().items())


@given(chains(), st.data())
def test_what_the_book_refuses_the_tally_refuses_in_the_same_words(
    chain: SimulatedChain, data: st.DataObject
) -> None:
    """One fact is left out, or is about another amount."""
    number = data.draw(st.integers(0, len(chain.facts) - 1))
    change = data.draw(st.sampled_from((None, -1, 1, 10**30)))
    facts: list[Fact] = list(chain.facts)
    altered = facts.pop(number)
    if change is not None and altered.amount_wei + change > 0:
        changed = dataclasses.replace(altered, amount_wei=altered.amount_wei + change)
        facts.insert(number, changed)
    book, tally = Book(), Tally()
    for fact in facts:
        refused = refusal(partial(record, book), fact)
        assert refusal(tally.add, fact) == refused
        if refused:
            return


def refusal(take: Callable[[Fact], object], fact: Fact) -> str:
    """Why it was not taken; empty if it was."""
    try:
        take(fact)
    except MeteringError as error:
        return str(error)
    return ""


def test_a_fact_counts_once_and_another_of_the_same_event_is_refused() -> None:
    first, *_ = three_rounds().facts
    tally = Tally()
    assert tally.add(first)
    assert not tally.add(first)
    with pytest.raises(MeteringError, match="one event, two facts"):
        tally.add(dataclasses.replace(first, amount_wei=first.amount_wei + 1))


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 10**9)), st.integers(0, 9))
def test_the_part_of_one_is_that_of_the_row(samples: dict[int, int], party: int) -> None:
    assert equal_share_bips(samples, party) == dict(equal_row(samples)).get(party, 0)
    row = size_row(samples)
    assert size_share_bips(samples, party) == (dict(row).get(party, 0) if row else None)
