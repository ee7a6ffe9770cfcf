"""From what happened on chain to entries in the book.

Each event says what moved in all; to whom, follows by the contracts' own rule, which is applied
here once more. If that does not come to what the contract said, or an account would give what it
does not have, an earlier event is missing, and the fact is refused.

The events of one run have to come in their order on chain; those of different runs may interleave
in any way and lead to the same balances.
"""

from __future__ import annotations

from collections.abc import Iterable

from metering.errors import MeteringError
from metering.ledger.accounts import Account, Kind, check_count, padded
from metering.ledger.book import Balance, Book
from metering.ledger.entries import Entry, Place
from metering.ledger.facts import (
    Claimed,
    Collected,
    Credited,
    Fact,
    Funded,
    Refunded,
    RoyaltyClaimed,
    RoyaltyPaid,
    Slashed,
    Staked,
    Unstaked,
)

Move = tuple[Account, Account, int]  # giver, taker, wei
_MISSING = "earlier events are missing: read the chain from the block of the deployment"


def record(book: Book, fact: Fact) -> Entry | None:
    """Post a fact; return the entry, or None if it stands in the book already.

    Raises:
        MeteringError: see `rate`; or another fact stands for the same event.
    """
    standing = book.standing(fact.place)
    if standing is None:
        return book.post(rate(fact, book.balance_wei))
    must_be_the_same(standing.place, standing.what, fact)
    return None


def rate(fact: Fact, balance_wei: Balance) -> Entry:
    """Return the entry for a fact.

    Args:
        fact: what happened.
        balance_wei: the balances before it, as the book has them.

    Raises:
        MeteringError: the book and the chain do not agree on what was there before.
    """
    entry = Entry.of(fact.place, str(fact), _moves(fact, balance_wei))
    for posting in entry.postings:
        had_wei = balance_wei(posting.account)
        if posting.account.held:
            must_have(fact, posting.account, had_wei, -posting.amount_wei)
    return entry


def must_be_the_same(place: Place, what: str, fact: Fact) -> None:
    """Refuse a fact of an event that another one stands for: `what`, at `place`."""
    if (place, what) != (fact.place, str(fact)):
        raise MeteringError(f"one event, two facts: {what!r} and {str(fact)!r}")


def must_have(fact: Fact, account: Account, had_wei: int, taken_wei: int) -> None:
    """Refuse a fact that takes more from an account than it has."""
    if taken_wei > max(had_wei, 0):
        raise MeteringError(
            f"{fact}: takes {taken_wei} wei from {account}, where the book has {had_wei}",
            hint=_MISSING,
        )


def credited_wei(run: str, balance_wei: Balance) -> int:
    """Return all that a run's rounds have credited: what came in and neither left nor is left."""
    kinds = (Kind.SPONSOR, Kind.ESCROW, Kind.REMAINDER, Kind.REFUNDED)
    return -sum(balance_wei(Account(kind, run)) for kind in kinds)


def _moves(fact: Fact, balance_wei: Balance) -> Iterable[Move]:
    match fact:
        case Funded():
            return [_move(fact.run, Kind.SPONSOR, Kind.ESCROW, fact.amount_wei)]
        case Credited():
            return _credit(fact, balance_wei)
        case Claimed():
            return [_move(fact.run, Kind.CLAIMABLE, Kind.PAID, fact.amount_wei, fact.party)]
        case Refunded():
            left_wei = min(balance_wei(Account(Kind.REMAINDER, fact.run)), fact.amount_wei)
            return [
                _move(fact.run, Kind.REMAINDER, Kind.REFUNDED, left_wei),
                _move(fact.run, Kind.ESCROW, Kind.REFUNDED, fact.amount_wei - left_wei),
            ]
        case RoyaltyPaid():
            return _royalty(fact, balance_wei)
        case RoyaltyClaimed():
            amount_wei = fact.amount_wei
            return [_move(fact.run, Kind.ROYALTY, Kind.ROYALTY_PAID, amount_wei, fact.party)]
        case Staked():
            return [_move(fact.agreement, Kind.STAKER, Kind.STAKE, fact.amount_wei, fact.party)]
        case Unstaked():
            return [_move(fact.agreement, Kind.STAKE, Kind.STAKER, fact.amount_wei, fact.party)]
        case Slashed():
            stake = Account(Kind.STAKE, fact.agreement, fact.party)
            rest_wei = fact.amount_wei - fact.finder_wei
            return [
                (stake, Account(Kind.PENALTY, padded(fact.finder)), fact.finder_wei),
                (stake, Account(Kind.PENALTY, padded(fact.recipient)), rest_wei),
            ]
        case Collected():
            return [_move(padded(fact.account), Kind.PENALTY, Kind.PENALTY_PAID, fact.amount_wei)]
    raise MeteringError(f"{type(fact).__name__} is no fact that moves money")


def _move(scope: str, giver: Kind, taker: Kind, wei: int, party: int | None = None) -> Move:
    return Account(giver, scope, party), Account(taker, scope, party), wei


def credits_of(fact: Credited, before_wei: int) -> tuple[tuple[int, int], ...]:
    """Return (party, wei) of a settled round.

    Args:
        fact: the round.
        before_wei: what the run's rounds had credited before.

    Raises:
        MeteringError: that does not come to what the contract says.
    """
    amounts = fact.division.amounts_wei(max(fact.vested_wei - before_wei, 0))
    # Every amount grows with what is available: if their sum is right, each of them is.
    total_wei = sum(amount for _, amount in amounts)
    if total_wei != fact.amount_wei:
        raise MeteringError(
            f"round {fact.round} of run {fact.run}: {total_wei} wei by the book, which has "
            f"{before_wei} credited before, {fact.amount_wei} wei by the contract",
            hint=_MISSING,
        )
    return amounts


def royalties_of(fact: RoyaltyPaid, received_wei: int) -> list[tuple[int, int]]:
    """Return (party, wei) of a license, after those that `received_wei` was paid for.

    Parties are entitled to their part of all that was ever paid, rounded down once.
    """
    before = dict(fact.division.amounts_wei(received_wei))
    after = fact.division.amounts_wei(received_wei + fact.amount_wei)
    gained = [(party, wei - before[party]) for party, wei in after]
    for _, wei in gained:
        check_count(wei, "amount")
    return gained


def _credit(fact: Credited, balance_wei: Balance) -> list[Move]:
    before_wei = credited_wei(fact.run, balance_wei)
    amounts = credits_of(fact, before_wei)
    left_wei = fact.vested_wei - before_wei - fact.amount_wei
    escrow, remainder = Account(Kind.ESCROW, fact.run), Account(Kind.REMAINDER, fact.run)
    return [
        # What rounding left before was available again; what it leaves now is put aside.
        (remainder, escrow, balance_wei(remainder)),
        (escrow, remainder, left_wei),
        *((escrow, Account(Kind.CLAIMABLE, fact.run, party), wei) for party, wei in amounts),
    ]


def _royalty(fact: RoyaltyPaid, balance_wei: Balance) -> list[Move]:
    buyer, left = Account(Kind.BUYER, fact.run), Account(Kind.ROYALTY_REMAINDER, fact.run)
    parts = royalties_of(fact, -balance_wei(buyer))
    return [
        (buyer, left, fact.amount_wei),
        *((left, Account(Kind.ROYALTY, fact.run, party), wei) for party, wei in parts),
    ]
