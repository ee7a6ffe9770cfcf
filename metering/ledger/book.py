"""A double-entry book: entries that sum to zero, appended and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from metering.canonical import encode
from metering.errors import MeteringError
from metering.ledger.accounts import Account, Kind
from metering.ledger.entries import Entry, Key, Place

Balance = Callable[[Account], int]
"""Returns an account's balance [wei], zero if it was never used."""


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """All accounts that are not at zero, and the two sums that must agree."""

    rows: tuple[tuple[Account, int], ...]
    given_wei: int
    received_wei: int


class Book:
    """Entries in the order in which they were posted, and the balances they come to."""

    __slots__ = ("_balances", "_entries", "_last")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Open a book, from entries that another one held if given."""
        self._entries: list[Entry] = []
        self._balances: dict[Account, int] = {}
        self._last: dict[Key, Entry] = {}
        for entry in entries:
            kept = self.reverse(entry.place) if entry.reversal else self.post(entry)
            if kept != entry:
                raise MeteringError(f"{entry.what!r} of turn {entry.turn} is out of place")

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def standing(self, place: Place) -> Entry | None:
        """Return the entry of an event, unless it was never posted or was taken back."""
        last = self._last.get(place.key)
        return None if last is None or last.reversal else last

    def post(self, entry: Entry) -> Entry | None:
        """Append an entry.

        Returns:
            The entry as it was appended, with its turn; None if it stands already.

        Raises:
            MeteringError: another entry stands for the same event, or it is a reversal.
        """
        if entry.reversal:
            raise MeteringError("reversals are made by `reverse`")
        standing = self.standing(entry.place)
        if standing is None:
            last = self._last.get(entry.place.key)
            return self._append(replace(entry, turn=0 if last is None else last.turn + 1))
        if (standing.place, standing.what, standing.postings) != (
            entry.place,
            entry.what,
            entry.postings,
        ):
            raise MeteringError(f"one event, two entries: {standing.what!r} and {entry.what!r}")
        return None

    def reverse(self, place: Place) -> Entry:
        """Append the reversal of an event that a reorganization took away.

        Raises:
            MeteringError: no entry stands for this event: none was posted, or it was reversed.
        """
        standing = self.standing(place)
        if standing is None:
            state = "was reversed already" if place.key in self._last else "is not in the book"
            raise MeteringError(f"the event {place.log_index} of block {place.block_hash} {state}")
        return self._append(standing.reversed())

    def take_back(self, chain_id: int, after_block: int) -> tuple[Entry, ...]:
        """Reverse all entries of a chain that stand after a block, the last one first."""
        gone = [
            entry.place
            for entry in reversed(self._entries)
            if not entry.reversal
            and entry.place.chain_id == chain_id
            and entry.place.block > after_block
            and self._last[entry.place.key] is entry
        ]
        return tuple(self.reverse(place) for place in gone)

    def balance_wei(self, account: Account) -> int:
        return self._balances.get(account, 0)

    def balances(self) -> Mapping[Account, int]:
        """Return the accounts that are not at zero, by account."""
        known = sorted(self._balances.items(), key=lambda row: str(row[0]))
        return {account: balance for account, balance in known if balance}

    def total_wei(self, *kinds: Kind) -> int:
        """Return the sum of all accounts of these kinds."""
        return sum(wei for account, wei in self._balances.items() if account.kind in kinds)

    def trial_balance(self) -> TrialBalance:
        """Return all balances: what some gave and what others received come to the same."""
        rows = tuple(self.balances().items())
        given_wei = -sum(balance for _, balance in rows if balance < 0)
        return TrialBalance(rows, given_wei, sum(balance for _, balance in rows if balance > 0))

    def digest(self) -> bytes:
        """Return the SHA-256 of the book: equal for equal entries in the same order."""
        state = hashlib.sha256()
        for entry in self._entries:
            moved = [(str(each.account), each.amount_wei) for each in entry.postings]
            row = (entry.place, entry.what, moved, entry.turn, entry.reversal)
            state.update(encode(row) + b"\n")
        return state.digest()

    def _append(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        self._last[entry.place.key] = entry
        for posting in entry.postings:
            self._balances[posting.account] = (
                self._balances.get(posting.account, 0) + posting.amount_wei
            )
        return entry
