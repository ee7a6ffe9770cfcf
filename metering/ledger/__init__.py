"""A double-entry book in wei that equals the chain at every block.

Facts are what the contracts' events say; `record` turns each into an entry that sums to zero, and
refuses those that do not follow from what is in the book already; `reconcile` compares balances
with what the contracts answer. The same event counts once, however often it is recorded, and
`Book.take_back` undoes what a reorganization took away, by entries of its own.

    book = Book()
    for fact in facts:  # in the order of the chain
        record(book, fact)
    for difference in reconcile(book.balances(), pools):
        print(difference)

A program that keeps entries in a database of its own uses `rate` with a function that returns
balances: one row for each posting, `str(account)` and `Account.parse` as its name, unique by chain
id, block hash, log index, turn, reversal and account. One that reads many facts for a few balances
adds them to a `Tally`, which follows the same rules and keeps no entries.
"""

from __future__ import annotations

from metering.ledger.accounts import HOLDERS, PER_PARTY, Account, Kind, padded, scope_of
from metering.ledger.book import Book, TrialBalance
from metering.ledger.division import Division
from metering.ledger.entries import Entry, Place, Posting
from metering.ledger.facts import (
    Claimed,
    Collected,
    Credited,
    Fact,
    Funded,
    Refunded,
    RoyaltyClaimed,
    RoyaltyPaid,
    RunFact,
    Slashed,
    Staked,
    StakeFact,
    Unstaked,
)
from metering.ledger.rating import credited_wei, rate, record
from metering.ledger.reconcile import (
    ChainAccount,
    ChainPool,
    ChainRoyalties,
    Difference,
    reconcile,
)
from metering.ledger.tally import Tally

__all__ = [
    "HOLDERS",
    "PER_PARTY",
    "Account",
    "Book",
    "ChainAccount",
    "ChainPool",
    "ChainRoyalties",
    "Claimed",
    "Collected",
    "Credited",
    "Difference",
    "Division",
    "Entry",
    "Fact",
    "Funded",
    "Kind",
    "Place",
    "Posting",
    "Refunded",
    "RoyaltyClaimed",
    "RoyaltyPaid",
    "RunFact",
    "Slashed",
    "StakeFact",
    "Staked",
    "Tally",
    "TrialBalance",
    "Unstaked",
    "credited_wei",
    "padded",
    "rate",
    "reconcile",
    "record",
    "scope_of",
]
