"""A book without entries: only the balances that facts come to.

For who reads many facts and asks for few balances, as a statement does: thousands of rounds, each
divided between all parties, for the sake of one.
"""

from __future__ import annotations

from collections import defaultdict

from metering.ledger.accounts import Account, Kind
from metering.ledger.entries import Key
from metering.ledger.facts import Credited, Fact
from metering.ledger.rating import credits_of, must_be_the_same, must_have, rate


class Tally:
    """Follows the rules of `record`, and refuses what it refuses."""

    __slots__ = ("_balances", "_credited", "_credits", "_standing")

    def __init__(self) -> None:
        # What rounds credited is added up here, by party; all else, claims of it too, by account.
        self._credits: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._credited: defaultdict[str, int] = defaultdict(int)
        self._balances: defaultdict[Account, int] = defaultdict(int)
        self._standing: dict[Key, Fact] = {}

    def add(self, fact: Fact) -> bool:
        """Add a fact; return whether it is new.

        Raises:
            MeteringError: see `record`.
        """
        standing = self._standing.get(fact.place.key)
        if standing is not None:
            must_be_the_same(standing.place, str(standing), fact)
            return False
        if isinstance(fact, Credited):
            self._credit(fact)
        else:
            for posting in rate(fact, self.balance_wei).postings:
                self._balances[posting.account] += posting.amount_wei
        self._standing[fact.place.key] = fact
        return True

    def balance_wei(self, account: Account) -> int:
        """Return an account's balance, as a book of the same facts has it."""
        balance_wei = self._balances.get(account, 0)
        if account.kind is Kind.CLAIMABLE and account.party is not None:
            balance_wei += self._credits[account.scope].get(account.party, 0)
        return balance_wei

    def credited_wei(self, run: str) -> int:
        """Return all that a run's rounds have credited, as the function of this name does."""
        return self._credited[run]

    def _credit(self, fact: Credited) -> None:
        escrow, remainder = Account(Kind.ESCROW, fact.run), Account(Kind.REMAINDER, fact.run)
        before_wei = self._credited[fact.run]
        amounts = credits_of(fact, before_wei)
        # What rounding left before is available again; what it leaves now is put aside.
        vests_wei = fact.vested_wei - before_wei - self.balance_wei(remainder)
        must_have(fact, escrow, self.balance_wei(escrow), vests_wei)
        self._balances[escrow] -= vests_wei
        self._balances[remainder] = fact.vested_wei - before_wei - fact.amount_wei
        self._credited[fact.run] += fact.amount_wei
        credits = self._credits[fact.run]
        for party, wei in amounts:
            credits[party] = credits.get(party, 0) + wei
