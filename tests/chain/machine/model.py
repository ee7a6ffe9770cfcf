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
from tests.chain.machine.membership import Membership, Votes
from tests.chain.machine.money import Purse
from tests.chain.machine.refusal import Refused
from tests.chain.machine.registry import Registry
from tests.chain.machine.runs import LOCAL, Run
from tests.chain.machine.stakes import Stakes
from tests.chain.machine.tasks import Board
from tests.chain.machine.wallets import Seat, Wallets


@dataclass(slots=True)
class Desk:
    """Who may claim in Rewards, or in Royalties: nonces and claimers by party."""

    nonces: Counter[int] = field(default_factory=Counter)
    # By the wallet that delegated, too: claimer, recipient.
    claimers: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """What a session of the machine can change.

    Attributes:
        now: time of the latest block [unix s].
        balances_wei: what was paid out, by recipient.
    """

    id: bytes
    now: int
    who: Membership
    stakes: Stakes
    board: Board = field(default_factory=Board)
    registry: Registry = field(default_factory=Registry)
    offers: dict[bytes, set[int]] = field(default_factory=dict)  # who has signed, by hash
    runs: dict[bytes, Run] = field(default_factory=dict)
    named: dict[str, list[bytes]] = field(default_factory=dict)
    rewards: Desk = field(default_factory=Desk)
    royalties: Desk = field(default_factory=Desk)
    balances_wei: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, signed: m.Agreement, now: int) -> World:
        wallets = Wallets([Seat(party.wallet) for party in signed.parties])
        stakes = Stakes()
        stakes.grow(len(signed.parties))
        who = Membership([signed], wallets, signed.terms.stall_time)
        return cls(m.struct_hash(signed), now, who, stakes)

    @property
    def signed(self) -> m.Agreement:
        return self.who.signed

    def copy(self) -> World:
        """Everything but what was signed, which never changes."""
        signed = {id(part): part for each in self.who.versions for part in (each, each.terms)}
        return copy.deepcopy(self, dict(signed))

    def create_run(
        self, run_id: bytes, party: int, name: str, generation: int, terms: m.Terms
    ) -> None:
        if not self.who.in_force(self.now):
            raise Refused("Training_NotInForce", agreement=self.id)
        if terms != self.signed.terms:
            raise Refused("Training_WrongTerms")
        terms = self.signed.terms
        if party in self.who.out:
            raise Refused("Training_NotTheParty", party=party)
        made = self.named.setdefault(name, [])
        if generation != len(made) + 1:
            raise Refused("Training_WrongGeneration", expected=len(made) + 1, got=generation)
        if made and (before := self.runs[made[-1]]).state != State.FINISHED:
            raise Refused("Training_WrongState", run_id=made[-1], state=before.state)
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

    def deposit(self, party: int, amount_wei: int) -> None:
        self.stakes.deposit(party, amount_wei, self.signed.bylaws.min_stake)

    def unlock(self, party: int, amount_wei: int, by: str) -> None:
        self.who.wallets.check(self.now, party, by, "Stakes_NotTheParty")
        least_wei, counted = self.signed.bylaws.min_stake, party in self.who.active(self.now)
        leaves_at = self.now + self.who.unlock_delay_s
        self.stakes.unlock(party, amount_wei, least_wei, counted, leaves_at)

    def withdraw(self, party: int, recipient: str) -> None:
        self.balances_wei[recipient] += self.stakes.withdraw(self.now, party)

    def collect(self, recipient: str) -> None:
        self.balances_wei[recipient] += self.stakes.collect(recipient)

    def refund(self, run_id: bytes) -> None:
        purse = self.runs[run_id].purse
        self.balances_wei[purse.terms.sponsor] += purse.refund()

    def price(self, run_id: bytes, price_wei: int, votes: Votes, nonce: int) -> None:
        purse = self.runs[run_id].purse
        if nonce != purse.priced:
            raise Refused("Royalties_WrongNonce", expected=purse.priced, got=nonce)
        self.who.check_votes(self.now, votes)
        purse.price_wei = price_wei
        purse.priced += 1

    def delegate(self, desk: Desk, party: int, claimer: str, recipient: str) -> None:
        desk.nonces[party] += 1
        desk.claimers[party, self.who.wallets.of(self.now, party)] = claimer, recipient

    def claim(
        self,
        desk: Desk,
        party: int,
        run_ids: Sequence[bytes],
        recipient: str,
        nonce: int,
        by: str,
    ) -> None:
        if not run_ids:
            raise Refused("Claims_NoRuns")
        if nonce != desk.nonces[party]:
            raise Refused("Claims_WrongNonce", expected=desk.nonces[party], got=nonce)
        self.claim_to(desk, party, run_ids, recipient, by)

    def claim_to(
        self, desk: Desk, party: int, run_ids: Sequence[bytes], recipient: str, by: str
    ) -> None:
        """The wallet posts for itself."""
        if not run_ids:
            raise Refused("Claims_NoRuns")
        self.who.wallets.check(self.now, party, by, "Claims_NotTheParty")
        desk.nonces[party] += 1
        self._pay(desk, party, run_ids, recipient)

    def claim_for(self, desk: Desk, party: int, run_ids: Sequence[bytes], caller: str) -> None:
        if not run_ids:
            raise Refused("Claims_NoRuns")
        claimer, recipient = desk.claimers.get(
            (party, self.who.wallets.of(self.now, party)), ("", "")
        )
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
