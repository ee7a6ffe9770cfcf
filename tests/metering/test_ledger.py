"""The book: entries sum to zero, are never changed, and count each event once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.ledger import PER_PARTY, Account, Book, Entry, Kind, Place, Posting
from tests.metering.simulated_chain import CHAIN_ID, hash_of, run_id

RUN = run_id(1)
SPONSOR = Account(Kind.SPONSOR, RUN)
ESCROW = Account(Kind.ESCROW, RUN)
DUE = Account(Kind.CLAIMABLE, RUN, 3)


def place(block: int = 1, log_index: int = 0, branch: str = "main") -> Place:
    return Place(
        chain_id=CHAIN_ID,
        block=block,
        block_hash=hash_of(branch, block),
        log_index=log_index,
        transaction=hash_of(branch, block, log_index),
    )


def funded(wei: int, at: Place | None = None) -> Entry:
    return Entry.of(at or place(), f"{wei} wei came in", [(SPONSOR, ESCROW, wei)])


def test_what_is_not_whole_wei_is_refused() -> None:
    for amount in (1.0, 0.1, True, np.int64(5), "5", None, 0, 2**256):
        with pytest.raises(MeteringError):
            Posting(ESCROW, amount)
    for amount in (1.5, -1, np.int64(5), True):
        with pytest.raises(MeteringError):
            Entry.of(place(), "moved", [(SPONSOR, ESCROW, amount)])


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(MeteringError, match="sum to 1 wei"):
        Entry(place(), "odd", (Posting(ESCROW, 3), Posting(SPONSOR, -2)))
    with pytest.raises(MeteringError, match="two postings"):
        Entry(place(), "one-sided", ())
    with pytest.raises(MeteringError, match="by account"):
        Entry(place(), "unordered", (Posting(SPONSOR, -2), Posting(ESCROW, 2)))
    with pytest.raises(MeteringError, match="two postings"):
        Entry.of(place(), "in a circle", [(SPONSOR, ESCROW, 2), (ESCROW, SPONSOR, 2)])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**200)), min_size=1))
def test_entries_made_of_moves_sum_to_zero(moves: list[tuple[bool, int]]) -> None:
    pairs = [(SPONSOR, ESCROW, wei) if forth else (ESCROW, DUE, wei) for forth, wei in moves]
    if any(wei for _, wei in moves):
        assert sum(each.amount_wei for each in Entry.of(place(), "moves", pairs).postings) == 0


def test_unknown_accounts_are_refused() -> None:
    bad = [
        ("slush-fund", RUN, None),
        (Kind.ESCROW, RUN, 1),
        (Kind.CLAIMABLE, RUN, None),
        (Kind.CLAIMABLE, RUN, 2**16),
        (Kind.CLAIMABLE, RUN, True),
        (Kind.ESCROW, RUN.upper(), None),
        (Kind.ESCROW, "0x12", None),
    ]
    for kind, scope, party in bad:
        with pytest.raises(MeteringError):
            Account(kind, scope, party)
    with pytest.raises(MeteringError):
        Posting("escrow", 1)


@pytest.mark.parametrize("kind", Kind)
def test_an_account_is_known_by_its_text(kind: Kind) -> None:
    account = Account(kind, RUN, 7 if kind in PER_PARTY else None)
    assert Account.parse(str(account)) == account
    for other in (f"{account}:", f"{account}:1", f" {account}", str(account)[:-1], "", f"{RUN}"):
        with pytest.raises(MeteringError):
            Account.parse(other)


def test_an_event_counts_once_however_often_it_is_posted() -> None:
    book = Book()
    assert book.post(funded(5)) == funded(5)
    assert book.post(funded(5)) is None
    assert (len(book), book.balance_wei(ESCROW), book.balance_wei(SPONSOR)) == (1, 5, -5)


def test_one_event_cannot_have_two_entries() -> None:
    book = Book([funded(5)])
    with pytest.raises(MeteringError, match="two entries"):
        book.post(funded(6))
    assert book.balance_wei(ESCROW) == 5


def test_the_same_log_index_in_another_block_or_chain_is_another_event() -> None:
    book = Book([funded(5)])
    book.post(funded(5, place(2)))
    book.post(funded(5, place(1, branch="fork")))
    book.post(funded(5, dataclasses.replace(place(), chain_id=1)))
    assert book.balance_wei(ESCROW) == 20


def test_a_reversal_takes_an_entry_back_once() -> None:
    book = Book([funded(5)])
    back = book.reverse(place())
    assert back.reversal
    assert book.balances() == {}
    assert len(book) == 2  # nothing is erased
    with pytest.raises(MeteringError, match="reversed already"):
        book.reverse(place())
    with pytest.raises(MeteringError, match="not in the book"):
        book.reverse(place(2))
    with pytest.raises(MeteringError, match="by `reverse`"):
        book.post(back)
    with pytest.raises(MeteringError, match="enter the event again"):
        back.reversed()


def test_a_chain_that_returns_to_an_abandoned_branch_brings_its_events_again() -> None:
    book = Book()
    for turn in range(3):
        entry = book.post(funded(5))
        assert entry is not None
        assert entry.turn == turn
        assert book.balance_wei(ESCROW) == 5
        book.reverse(place())
    assert [(each.turn, each.reversal) for each in book] == [
        (turn, back) for turn in range(3) for back in (False, True)
    ]
    assert Book(book).digest() == book.digest()


def test_a_book_opens_only_from_what_a_book_can_hold() -> None:
    entry = funded(5)
    for rows in (
        [entry, entry],
        [entry.reversed()],
        [dataclasses.replace(entry, turn=1)],
        [entry, entry.reversed(), entry],
    ):
        with pytest.raises(MeteringError):
            Book(rows)


def test_a_reorganization_is_taken_back_from_the_end() -> None:
    book = Book([funded(5), funded(7, place(2)), funded(9, place(3))])
    gone = book.take_back(CHAIN_ID, after_block=1)
    assert [each.place.block for each in gone] == [3, 2]
    assert book.balance_wei(ESCROW) == 5
    assert book.take_back(CHAIN_ID, after_block=1) == ()
    assert book.take_back(CHAIN_ID + 1, after_block=0) == ()


def test_the_trial_balance_shows_every_account_that_is_not_at_zero() -> None:
    book = Book([funded(5)])
    book.post(Entry.of(place(2), "credited", [(ESCROW, DUE, 5)]))
    trial = book.trial_balance()
    assert trial.rows == ((DUE, 5), (SPONSOR, -5))
    assert trial.given_wei == trial.received_wei == 5


def test_digests_tell_books_apart() -> None:
    books = [
        Book(),
        Book([funded(5)]),
        Book([funded(6)]),
        Book([funded(5, place(2))]),
        Book([funded(5), funded(5, place(2))]),
        Book([funded(5, place(2)), funded(5)]),
    ]
    assert len({book.digest() for book in books}) == len(books)
