"""From rows to wei to transfers: what the contracts must have credited, paid and kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from contracts.events import Claimed, Event, Funded, Refunded, RowCounted, Settled, Transfer
from contracts.messages import unpack_shares
from marketplace.audit.findings import Findings, Place, Step
from marketplace.audit.records import Records
from metering.local_pool import LocalPool, Report, lower_median
from metering.split import Row
from metering.vesting import Escrow, Pool, initial_loss_e9

_PER_ROUND = 1
_NO_DATA_E9 = 2**64 - 1
"""What who cannot evaluate says for a loss."""


class Money:
    """The run's pool as it must be; `findings` hears where the chain's is another."""

    def __init__(self, records: Records, findings: Findings) -> None:
        self._records, self._findings = records, findings
        self._pool: Escrow | None = None
        self.initial_loss_e9 = 0
        self.funded_wei = 0
        self.refunded_wei = 0
        self.claimed_wei: Counter[int] = Counter()
        self.paid_rounds = 0

    # -- what goes in

    def fund(self, event: Funded) -> None:
        """Enter what the sponsor, or anybody, added."""
        self.funded_wei += event.amount
        if self._pool:
            self._pool.fund(event.amount)

    def begin(self, attested_e9: int) -> None:
        """Round 0 is known: L0 says how far there is to go."""
        terms = self._records.terms
        self.initial_loss_e9 = initial_loss_e9(attested_e9, terms.loss_ceiling)
        max_rounds = terms.max_rounds if terms.budget_rule == _PER_ROUND else None
        kind = LocalPool if terms.metering == 3 else Pool
        self._pool = kind(
            self.funded_wei, self.initial_loss_e9, terms.target_loss, max_rounds=max_rounds
        )

    # -- what is credited

    @property
    def credited_wei(self) -> Mapping[int, int]:
        """Party to all it must have been credited."""
        return self._pool.credited_wei if self._pool else {}

    @property
    def best_loss_e9(self) -> int:
        """The lowest loss that was paid for; of local metering L0 less the best sum of gains."""
        match self._pool:
            case Pool() as pool:
                return pool.best_loss_e9
            case LocalPool() as pool:
                return self.initial_loss_e9 - min(pool.gain_e9, self.initial_loss_e9)
        return self.initial_loss_e9

    @property
    def ended_unpaid(self) -> bool:
        """Nothing vests: the initial model was at the target loss."""
        return self._pool is None or self._pool.ended_unpaid

    def available_wei(self, loss_after_e9: int) -> int:
        """What a row with this loss would divide."""
        pool = self._pool
        usable = isinstance(pool, Pool) and not pool.ended_unpaid
        return pool.available_wei(loss_after_e9) if usable else 0  # type: ignore[union-attr] # usable: a Pool

    def settle(
        self, place: Place, loss_after_e9: int, row: Row, recorded_wei: int
    ) -> dict[int, int]:
        """Divide what a round vested by the row that all signed; returns party to wei."""
        pool = self._pool
        credited: dict[int, int] = {}
        if row:
            self.paid_rounds += 1
        if isinstance(pool, Pool) and not pool.ended_unpaid:
            credited = pool.settle(loss_after_e9, row)
        self._credited(place, credited, recorded_wei)
        return credited

    def settle_local(
        self, event: Settled, roster: Iterable[int], rows: Iterable[RowCounted]
    ) -> dict[int, int]:
        """Local metering: what the rows that were in by then make of a round."""
        place = Place(step=Step.CREDIT, round=event.round, transaction=event.transaction)
        counted = list(rows)
        if event.round == 0:
            losses = [each.loss_after for each in counted if each.loss_after != _NO_DATA_E9]
            median = lower_median(losses) if losses else _NO_DATA_E9
            self._findings.same(place, "median loss at the start", median, event.gain)
            self.begin(median)
            self._credited(place, {}, event.credited)
            return {}
        pool = self._pool
        if not isinstance(pool, LocalPool) or pool.ended_unpaid:
            self._credited(place, {}, event.credited)
            return {}
        pool.seal(sorted(roster))
        for each in counted:
            pool.report(each.party, _report(each))
        before = pool.credited_total_wei
        credited = pool.settle()
        self.paid_rounds = pool.paid_rounds
        self._findings.same(place, "best sum of gains [1e-9]", pool.gain_e9, event.best)
        assert pool.credited_total_wei == before + sum(credited.values())
        self._credited(place, credited, event.credited)
        return credited

    def _credited(self, place: Place, credited: Mapping[int, int], recorded_wei: int) -> None:
        self._findings.same(place, "credited [wei]", sum(credited.values()), recorded_wei)
        self._findings.done(Step.CREDIT)

    # -- what goes out

    def claim(self, event: Claimed) -> None:
        """A claim pays all that was credited and not paid before: neither more nor less."""
        due = self.credited_wei.get(event.party, 0) - self.claimed_wei[event.party]
        place = self._claim_place(event)
        self._findings.same(place, "claimed [wei]", due, event.amount)
        self.claimed_wei[event.party] += event.amount
        self._findings.done(Step.CLAIM)

    def refund(self, event: Refunded) -> None:
        """A refund returns what was never credited."""
        due = self.funded_wei - sum(self.credited_wei.values()) - self.refunded_wei
        place = Place(step=Step.CLAIM, organization="sponsor", transaction=event.transaction)
        self._findings.same(place, "refunded [wei]", due, event.amount)
        self._findings.same(place, "refunded to", self._records.terms.sponsor, event.sponsor)
        self.refunded_wei += event.amount
        self._findings.done(Step.CLAIM)

    def _claim_place(self, event: Claimed) -> Place:
        name = self._records.organization(event.party)
        return Place(step=Step.CLAIM, organization=name, transaction=event.transaction)

    # -- the transfers behind it, and the end

    def check_transfers(self, events: Iterable[Event]) -> None:
        """Hold the token's own transfers to what the pools say they received and paid."""
        addresses = self._records.deployment
        said: dict[tuple[str, str], int] = defaultdict(int)  # transaction, counterpart
        moved: dict[tuple[str, str], int] = defaultdict(int)
        for event in events:
            if isinstance(event, Transfer) and event.contract == addresses.token:
                if addresses.rewards == event.sender:
                    moved[event.transaction, event.to] += event.value
                if addresses.rewards == event.to:
                    moved[event.transaction, "the pool"] += event.value
            elif event.contract != addresses.rewards:
                continue
            elif isinstance(event, Claimed):
                said[event.transaction, event.recipient] += event.amount
            elif isinstance(event, Refunded):
                said[event.transaction, event.sponsor] += event.amount
            elif isinstance(event, Funded):
                said[event.transaction, "the pool"] += event.amount
        for transaction, whom in [*said, *(key for key in moved if key not in said)]:
            place = Place(step=Step.CLAIM, transaction=transaction)
            key = transaction, whom
            self._findings.same(
                place, f"tokens moved to {whom} [wei]", said.get(key, 0), moved.get(key, 0)
            )

    def check_balance(self) -> None:
        """Hold the accounts and the pool at the end to all that went before."""
        records, same = self._records, self._findings.same
        for party, account in enumerate(records.accounts):
            place = Place(step=Step.BALANCE, organization=records.organization(party))
            same(place, "accrued [wei]", self.credited_wei.get(party, 0), account.accrued)
            same(place, "claimed so far [wei]", self.claimed_wei[party], account.claimed)
        place, pool = Place(step=Step.BALANCE), records.pool
        credited_wei, claimed_wei = sum(self.credited_wei.values()), self.claimed_wei.total()
        same(place, "funded [wei]", self.funded_wei, pool.funded)
        same(place, "credited in all [wei]", credited_wei, pool.credited)
        same(place, "claimed in all [wei]", claimed_wei, pool.claimed)
        same(place, "refunded in all [wei]", self.refunded_wei, pool.refunded)
        if self._pool:
            same(place, "L0 [1e-9]", self.initial_loss_e9, records.run.initial_loss)
        if not self.ended_unpaid:
            same(place, "best loss [1e-9]", self.best_loss_e9, records.run.best_loss)
            same(place, "paid rounds", self.paid_rounds, records.run.paid_rounds)
        if records.escrow_wei < self.left_wei:
            self._findings.differ(
                place, "tokens in escrow [wei]", f"{self.left_wei} or more", str(records.escrow_wei)
            )
        self._findings.done(Step.BALANCE)

    @property
    def left_wei(self) -> int:
        """What has to be there still: credits not claimed, and what is not credited."""
        return self.funded_wei - self.claimed_wei.total() - self.refunded_wei


def _report(event: RowCounted) -> Report:
    row = unpack_shares(event.shares)
    if event.loss_after == _NO_DATA_E9:
        return Report(0, 0, row)  # it cannot say whether anything was gained
    return Report(event.loss_before, event.loss_after, row)
