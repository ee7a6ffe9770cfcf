"""The model of stakes and penalties: whole numbers of wei."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from contracts import messages as m
from metering.split.rows import FULL_BIPS
from tests.chain.machine.refusal import Refused


@dataclass(slots=True)
class Stake:
    """A party's: what counts, what is under notice and when that may go."""

    locked: int = 0
    leaving: int = 0
    leaves_at: int = 0
    nonce: int = 0


@dataclass(slots=True)
class Stakes:
    """All stakes of one agreement, by party."""

    stakes: dict[int, Stake] = field(default_factory=dict)
    staked: set[int] = field(default_factory=set)  # as it was last counted
    owed_wei: Counter[str] = field(default_factory=Counter)  # by recipient
    proven: set[tuple[object, ...]] = field(default_factory=set)

    def grow(self, parties: int) -> None:
        """Makes room for parties that are new."""
        for party in range(parties):
            self.stakes.setdefault(party, Stake())

    @property
    def held_wei(self) -> int:
        kept = sum(each.locked + each.leaving for each in self.stakes.values())
        return kept + sum(self.owed_wei.values())

    def deposit(self, party: int, amount_wei: int, least_wei: int) -> None:
        self.stakes[party].locked += amount_wei
        self._count(party, least_wei)

    def recount(self, least_wei: int) -> None:
        """Another minimum shows once somebody asks for it."""
        self.staked = {party for party, each in self.stakes.items() if each.locked >= least_wei}

    def unlock(
        self, party: int, amount_wei: int, least_wei: int, counted: bool, leaves_at: int
    ) -> None:
        """Gives notice; `counted`: the latest snapshot counts the party."""
        stake = self.stakes[party]
        if amount_wei > stake.locked:
            raise Refused("Stakes_NotThatMuch", locked=stake.locked, amount=amount_wei)
        left = stake.locked - amount_wei
        if left < least_wei and counted:
            raise Refused("Stakes_Needed", min_stake=least_wei, left=left)
        stake.locked = left
        stake.leaving += amount_wei
        stake.leaves_at = leaves_at
        stake.nonce += 1
        self._count(party, least_wei)

    def withdraw(self, now: int, party: int) -> int:
        stake = self.stakes[party]
        if not stake.leaving:
            raise Refused("Stakes_NothingToWithdraw", party=party)
        if now <= stake.leaves_at:
            raise Refused("Stakes_NotYet", leaves_at=stake.leaves_at)
        amount_wei, stake.leaving = stake.leaving, 0
        return amount_wei

    def slash(
        self,
        contradiction: tuple[object, ...],
        same: bool,
        party: int,
        finder: str,
        bylaws: m.Bylaws,
    ) -> None:
        """Two messages of a node of the party; `same`: they are one message, signed twice."""
        if same:
            raise Refused("Stakes_SameMessage")
        if contradiction in self.proven:
            raise Refused("Stakes_AlreadyProven")
        stake = self.stakes[party]
        of_locked = stake.locked * bylaws.penalty_bips // FULL_BIPS
        of_leaving = stake.leaving * bylaws.penalty_bips // FULL_BIPS
        penalty_wei = of_locked + of_leaving
        if not penalty_wei:
            raise Refused("Stakes_NothingToSlash", party=party)
        reward_wei = penalty_wei * bylaws.finder_bips // FULL_BIPS
        stake.locked -= of_locked
        stake.leaving -= of_leaving
        self.owed_wei[finder] += reward_wei
        self.owed_wei[bylaws.penalty_recipient] += penalty_wei - reward_wei
        self.proven.add(contradiction)
        self._count(party, bylaws.min_stake)

    def collect(self, recipient: str) -> int:
        if not self.owed_wei[recipient]:
            raise Refused("Stakes_NothingOwed", recipient=recipient)
        return self.owed_wei.pop(recipient)

    def _count(self, party: int, least_wei: int) -> None:
        if least_wei:
            enough = self.stakes[party].locked >= least_wei
            (self.staked.add if enough else self.staked.discard)(party)
