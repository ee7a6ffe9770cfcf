"""The reference model: one agreement and all its money, pure, from what the interfaces promise.

`prev` and other hashes are left out: what is posted takes them from the chain.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts import messages as m
from contracts.training import State
from tests.chain.machine.local import LocalRun
from tests.chain.machine.membership import Membership
from tests.chain.machine.money import Purse
from tests.chain.machine.refusal import Refused
from tests.chain.machine.runs import LOCAL, Run
from tests.chain.machine.stakes import Stakes


@dataclass(slots=True)
class Desk:
    """Who may claim in Rewards, or in Royalties: nonces and claimers by party."""

    nonces: Counter[int] = field(default_factory=Counter)
    claimers: dict[int, tuple[str, str]] = field(default_factory=dict)  # claimer, recipient


@dataclass(slots=True)
class World:
    """What a session of the machine can change.

    Attributes:
        now: time of the latest block [unix s].
        balances_wei: what was paid out, by recipient.
    """

    id: bytes
    signed: m.Agreement
    now: int
    who: Membership
    stakes: Stakes
    runs: dict[bytes, Run] = field(default_factory=dict)
    named: dict[str, list[bytes]] = field(default_factory=dict)
    rewards: Desk = field(default_factory=Desk)
    royalties: Desk = field(default_factory=Desk)
    balances_wei: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, signed: m.Agreement, now: int) -> World:
        return cls(m.struct_hash(signed), signed, now, Membership(signed), Stakes(signed))

    def copy(self) -> World:
        """Everything but what was signed, which never changes."""
        return copy.deepcopy(self, {id(self.signed): self.signed})

    def create_run(self, run_id: bytes, party: int, name: str, generation: int) -> None:
        if not self.who.in_force(self.now):
            raise Refused("Training_NotInForce", agreement=self.id)
        if party in self.who.out:
            raise Refused("Training_NotTheParty", party=party)
        made = self.named.setdefault(name, [])
        if generation != len(made) + 1:
            raise Refused("Training_WrongGeneration", expected=len(made) + 1, got=generation)
        if made and (before := self.runs[made[-1]]).state != State.FINISHED:
            raise Refused("Training_WrongState", run_id=made[-1], state=before.state)
        terms = self.signed.terms
        parties = len(self.who.parties)
        run = (LocalRun if terms.metering == LOCAL else Run)(
            Purse(run_id, terms, self.now, parties),
            terms,
            generation,
            parties,
            terms.min_peers or len(self.who.members) // 2 + 1,
            bool(self.signed.bylaws.min_stake),
        )
        run.open(self.now, self.who, self.stakes, set())
        self.runs[run_id] = run
        made.append(run_id)

    def unlock(self, party: int, amount_wei: int) -> None:
        self.stakes.unlock(self.now, party, amount_wei, party in self.who.active(self.now))

    def withdraw(self, party: int, recipient: str) -> None:
        self.balances_wei[recipient] += self.stakes.withdraw(self.now, party)

    def collect(self, recipient: str) -> None:
        self.balances_wei[recipient] += self.stakes.collect(recipient)

    def refund(self, run_id: bytes) -> None:
        self.balances_wei[self.signed.terms.sponsor] += self.runs[run_id].purse.refund()

    def delegate(self, desk: Desk, party: int, claimer: str, recipient: str) -> None:
        desk.nonces[party] += 1
        desk.claimers[party] = claimer, recipient

    def claim(
        self, desk: Desk, party: int, run_ids: Sequence[bytes], recipient: str, nonce: int
    ) -> None:
        if not run_ids:
            raise Refused("Claims_NoRuns")
        if nonce != desk.nonces[party]:
            raise Refused("Claims_WrongNonce", expected=desk.nonces[party], got=nonce)
        desk.nonces[party] += 1
        self._pay(desk, party, run_ids, recipient)

    def claim_for(self, desk: Desk, party: int, run_ids: Sequence[bytes], caller: str) -> None:
        if not run_ids:
            raise Refused("Claims_NoRuns")
        claimer, recipient = desk.claimers.get(party, ("", ""))
        if caller != claimer:
            raise Refused("Claims_NotTheClaimer", party=party, caller=caller)
        self._pay(desk, party, run_ids, recipient)

    def _pay(self, desk: Desk, party: int, run_ids: Sequence[bytes], recipient: str) -> None:
        joined_at = self.who.joined.get(party, 0)
        paid_wei = 0
        for run_id in run_ids:
            purse = self.runs[run_id].purse
            if desk is self.rewards:
                paid_wei += purse.take(self.now, party, joined_at)
            else:
                paid_wei += purse.take_royalties(party)
        if not paid_wei:
            raise Refused("Claims_NothingToClaim", agreement=self.id, party=party)
        self.balances_wei[recipient] += paid_wei
