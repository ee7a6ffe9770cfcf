"""The pool of a run under `local`: rows arrive late, a round is settled when the next is sealed.

    gain of a round = lower median of lossBefore − lossAfter over its roster's O organizations
    sum += gain;  best = max(best, sum, 0);  vested = funded · min(best, span) // span

A median, so that no minority decides it; what nobody attested by settlement counts as 0; and the
highest sum so far, so that oscillating pays nothing. L0 = min(ceiling, lower median of lossAfter
over the organizations that attested round 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from metering.errors import MeteringError
from metering.split import Row, check_local_row, local_credits_wei
from metering.vesting import Escrow, initial_loss_e9


def lower_median(values: Sequence[int]) -> int:
    """Return the middle one of the values, of two the lower: index (n − 1) // 2 when ascending."""
    if not values:
        raise MeteringError("no values have no median")
    return sorted(values)[(len(values) - 1) // 2]


def local_initial_loss_e9(attested_e9: Sequence[int], ceiling_e9: int) -> int:
    """Return L0 from the losses of the initial model that organizations attested in round 0."""
    return initial_loss_e9(lower_median(attested_e9), ceiling_e9)


@dataclass(frozen=True, slots=True)
class Report:
    """One organization's attestation of a round: its own losses [1e-9] and its row, or None."""

    loss_before_e9: int
    loss_after_e9: int
    row: Row | None


def round_gain_e9(parties: Sequence[int], reports: Mapping[int, Report]) -> int:
    """Return the median gain of a round over its roster [1e-9]; negative when most got worse."""
    gains = [
        reports[party].loss_before_e9 - reports[party].loss_after_e9 if party in reports else 0
        for party in parties
    ]
    return lower_median(gains)


@dataclass(slots=True)
class _Waiting:
    """A sealed round whose rows may still arrive."""

    parties: tuple[int, ...]
    reports: dict[int, Report] = field(default_factory=dict)


class LocalPool(Escrow):
    """What Training and Rewards do under `local` with each sealed round and each late row.

    Call `seal` for a round's seal, `report` for every attestation of it that reaches the chain,
    with the seal or later, in any order; the next `seal` settles, for the last round `settle`.
    """

    __slots__ = ("_best_sum_e9", "_sum_e9", "_waiting")

    def __init__(
        self,
        funded_wei: int,
        initial_loss_e9: int,
        target_loss_e9: int,
        *,
        max_rounds: int | None = None,
    ) -> None:
        """Open the pool of a run whose round 0 is sealed; arguments as of `Pool`."""
        if min(initial_loss_e9, target_loss_e9) < 0:
            raise MeteringError("a pool has no negative losses")
        super().__init__(funded_wei, initial_loss_e9 - target_loss_e9, max_rounds)
        self._sum_e9 = self._best_sum_e9 = 0
        self._waiting: _Waiting | None = None

    @property
    def gain_e9(self) -> int:
        """The highest sum of gains so far, of settled rounds."""
        return self._best_sum_e9

    @property
    def vested_wei(self) -> int:
        return self._vested_at(self._best_sum_e9, self._paid_rounds)

    def seal(self, parties: Sequence[int]) -> dict[int, int]:
        """Seal the next round with this roster's organizations; returns what the last one credits.

        An empty roster pays nobody, and its round gains nothing.
        """
        if self.ended_unpaid:
            raise MeteringError("the run ended unpaid: its initial model met the target")
        settled = self.settle()
        self._waiting = _Waiting(tuple(sorted(set(parties))))
        return settled

    def report(self, party: int, report: Report) -> None:
        """Take one organization's attestation of the round that was sealed last; one each."""
        if self._waiting is None:
            raise MeteringError("no sealed round waits for reports")
        if party not in self._waiting.parties:
            return  # may have signed the seal, but has no part in the round
        if party in self._waiting.reports:
            raise MeteringError(f"organization {party} has reported this round already")
        if report.row is not None:
            check_local_row(party, self._waiting.parties, report.row)
        self._waiting.reports[party] = report

    def settle(self) -> dict[int, int]:
        """Settle the round that was sealed last and return what it credits: party to wei."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or not waiting.parties:
            return {}
        self._sum_e9 += round_gain_e9(waiting.parties, waiting.reports)
        self._best_sum_e9 = max(self._best_sum_e9, self._sum_e9)
        vested_wei = self._vested_at(self._best_sum_e9, self._paid_rounds + 1)
        rows = {party: report.row for party, report in waiting.reports.items()}
        available_wei = vested_wei - self.credited_total_wei
        now_wei = local_credits_wei(available_wei, waiting.parties, rows)
        self._credit(now_wei)
        return now_wei
