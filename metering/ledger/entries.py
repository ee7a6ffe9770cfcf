"""Entries: what one event of the chain moved between accounts. They sum to zero, always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from metering.errors import MeteringError
from metering.ledger.accounts import WEI_LIMIT, Account, check_count, check_hash

Key = tuple[int, str, int]
"""Chain id, block hash, log index: what makes an event of a chain the same event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on a chain an event stands; hashes are 0x-hex in lower case."""

    chain_id: int
    block: int
    block_hash: str
    log_index: int
    transaction: str

    def __post_init__(self) -> None:
        for name in ("chain_id", "block", "log_index"):
            check_count(getattr(self, name), name)
        check_hash(self.block_hash, "block hash")
        check_hash(self.transaction, "transaction")

    @property
    def key(self) -> Key:
        return self.chain_id, self.block_hash, self.log_index


@dataclass(frozen=True, slots=True)
class Posting:
    """One account's part of an entry: received if positive, given if negative."""

    account: Account
    amount_wei: int

    def __post_init__(self) -> None:
        if not isinstance(self.account, Account):
            raise MeteringError(f"{self.account!r} is not an account")
        amount = self.amount_wei
        if type(amount) is not int or amount == 0 or abs(amount) >= WEI_LIMIT:
            raise MeteringError(f"{amount!r} is not an amount to post: whole wei, not zero")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one event moved: postings that sum to zero, one an account, by account.

    Attributes:
        place: the event.
        what: the same in words.
        postings: at least two.
        turn: how often this event had been taken back when it was entered: a chain that returns to
            an abandoned branch brings its events again.
        reversal: whether this takes the entry of the same place and turn back.
    """

    place: Place
    what: str
    postings: tuple[Posting, ...]
    turn: int = 0
    reversal: bool = False

    def __post_init__(self) -> None:
        accounts = [str(posting.account) for posting in self.postings]
        if len(accounts) < 2 or accounts != sorted(set(accounts)):
            raise MeteringError("an entry has two postings or more, one an account, by account")
        total_wei = sum(posting.amount_wei for posting in self.postings)
        if total_wei:
            raise MeteringError(f"the postings of {self.what!r} sum to {total_wei} wei, not to 0")

    @classmethod
    def of(cls, place: Place, what: str, moves: Iterable[tuple[Account, Account, int]]) -> Entry:
        """Make an entry of moves (giver, taker, wei), which sum to zero whatever they are."""
        changes: dict[Account, int] = {}
        for giver, taker, amount_wei in moves:
            check_count(amount_wei, "amount")
            changes[giver] = changes.get(giver, 0) - amount_wei
            changes[taker] = changes.get(taker, 0) + amount_wei
        moved = [Posting(account, change) for account, change in changes.items() if change]
        return cls(place, what, tuple(sorted(moved, key=lambda posting: str(posting.account))))

    def reversed(self) -> Entry:
        """Return the entry that takes this one back."""
        if self.reversal:
            raise MeteringError(f"{self.what!r} takes an entry back: enter the event again instead")
        back = tuple(Posting(each.account, -each.amount_wei) for each in self.postings)
        return replace(self, postings=back, reversal=True)
