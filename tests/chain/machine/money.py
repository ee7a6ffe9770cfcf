"""The model of a run's money: metering's twins vest and credit, and here it is paid out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from contracts import messages as m
from metering.local_pool import LocalPool
from metering.vesting import Pool
from tests.chain.machine.refusal import Refused

PER_ROUND = 1


@dataclass(slots=True)
class Purse:
    """One run in Rewards and in Royalties; amounts in wei."""

    run_id: bytes
    terms: m.Terms
    opened_at: int
    parties: int
    funded_wei: int = 0
    closed: bool = False
    refunded_wei: int = 0
    claimed_wei: Counter[int] = field(default_factory=Counter)
    pool: Pool | LocalPool | None = None  # once L0 is known
    received_wei: int = 0
    price_wei: int = 0  # as last voted
    priced: int = 0  # votes that carried a price
    licenses: int = 0
    royalties_wei: Counter[int] = field(default_factory=Counter)  # claimed, by party

    def open(self, kind: type[Pool] | type[LocalPool], initial_loss_e9: int) -> None:
        limit = self.terms.max_rounds if self.terms.budget_rule == PER_ROUND else None
        self.pool = kind(self.funded_wei, initial_loss_e9, self.terms.target_loss, max_rounds=limit)

    @property
    def accrued_wei(self) -> dict[int, int]:
        return self.pool.credited_wei if self.pool else {}

    @property
    def credited_wei(self) -> int:
        return sum(self.accrued_wei.values())

    @property
    def held_wei(self) -> int:
        return self.funded_wei - self.refunded_wei - self.claimed_wei.total()

    def check(self) -> None:
        """What has to hold always: claimed <= accrued <= vested <= funded, escrow >= unpaid."""
        if self.pool:
            assert self.credited_wei <= self.pool.vested_wei <= self.funded_wei
            assert self.pool.funded_wei == self.funded_wei
        for party, claimed_wei in self.claimed_wei.items():
            assert claimed_wei <= self.accrued_wei.get(party, 0)
        assert self.held_wei >= self.credited_wei - self.claimed_wei.total() >= 0
        assert self.royalties_wei.total() <= self.received_wei

    def fund(self, amount_wei: int) -> None:
        if self.closed:
            raise Refused("Rewards_Closed", run_id=self.run_id)
        self.funded_wei += amount_wei
        if self.pool:
            self.pool.fund(amount_wei)

    def take(self, now: int, party: int, joined_at: int) -> int:
        due_wei = self.accrued_wei.get(party, 0) - self.claimed_wei[party]
        if not due_wei:
            return 0
        if self.terms.payout and not self.closed:
            raise Refused("Rewards_PaidAtTheEnd", run_id=self.run_id)
        until = joined_at + self.terms.probation
        if self.terms.probation and joined_at > self.opened_at and now < until:
            raise Refused("Rewards_OnProbation", run_id=self.run_id, party=party, until=until)
        self.claimed_wei[party] += due_wei
        return due_wei

    def refund(self) -> int:
        if not self.closed:
            raise Refused("Rewards_NotClosed", run_id=self.run_id)
        amount_wei = self.funded_wei - self.credited_wei - self.refunded_wei
        if not amount_wei:
            raise Refused("Rewards_NothingToRefund", run_id=self.run_id)
        self.refunded_wei += amount_wei
        return amount_wei

    def pay(self, amount_wei: int) -> None:
        if not self.closed:
            raise Refused("Royalties_NotFinished", run_id=self.run_id)
        self.received_wei += amount_wei

    def buy(self, most_wei: int) -> None:
        price_wei = self.price_wei if self.priced else self.terms.license_price
        if not price_wei:
            raise Refused("Royalties_NotForSale", run_id=self.run_id)
        if price_wei > most_wei:
            raise Refused("Royalties_TooExpensive", price=price_wei, max_price=most_wei)
        self.pay(price_wei)
        self.licenses += 1

    def entitled_wei(self, party: int) -> int:
        if self.credited_wei:
            return self.received_wei * self.accrued_wei.get(party, 0) // self.credited_wei
        return self.received_wei // self.parties if party < self.parties else 0

    def take_royalties(self, party: int) -> int:
        due_wei = self.entitled_wei(party) - self.royalties_wei[party]
        self.royalties_wei[party] += due_wei
        return due_wei
