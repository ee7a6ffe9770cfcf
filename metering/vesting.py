"""How a run's pool is vested and credited by rows: the contracts' arithmetic, twice.

Whole numbers only, every division rounded down, so that anyone can recompute every token paid.

    progress    vested = funded · min(gain, span) // span,  span = L0 − target
    per round   vested = funded · min(paid rounds, max rounds) // max rounds
    credit_i    = (vested − credited so far) · part of i, see `metering.split`

What rounding leaves is credited with a later round; what is never credited returns to the sponsor.
Probation and payout at the end delay claims (`claimable_wei`) and change no amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metering.errors import MeteringError
from metering.split import FULL_BIPS, Row, check_row


def initial_loss_e9(attested_e9: int, ceiling_e9: int) -> int:
    """Return L0: round 0's loss, but no more than the terms allow."""
    return min(attested_e9, ceiling_e9)


def vested_wei(pool_wei: int, gain_e9: int, span_e9: int) -> int:
    """Return the part of the pool that a gain has earned.

    Args:
        pool_wei: all that was funded.
        gain_e9: L0 − best loss, or of `local` the best sum of gains; nothing unless positive.
        span_e9: L0 − target, positive.
    """
    if span_e9 <= 0:
        raise MeteringError(f"a span of {span_e9} vests nothing: the run has ended unpaid")
    return pool_wei * min(gain_e9, span_e9) // span_e9 if gain_e9 > 0 else 0


def vested_per_round_wei(pool_wei: int, paid_rounds: int, max_rounds: int) -> int:
    """Return the part of the pool that rounds have earned, each one alike.

    Args:
        pool_wei: all that was funded.
        paid_rounds: rounds settled by now that credited somebody's work (no void row).
        max_rounds: of the terms, positive; round 0 is not among them.
    """
    if max_rounds <= 0:
        raise MeteringError(f"{max_rounds} rounds cannot be paid")
    return pool_wei * min(paid_rounds, max_rounds) // max_rounds


def credits_wei(available_wei: int, bips: Sequence[int]) -> tuple[int, ...]:
    """Return what each share of the available amount comes to."""
    return tuple(available_wei * share // FULL_BIPS for share in bips)


def claimable_wei(
    accrued_wei: int,
    claimed_wei: int,
    *,
    now_s: int,
    enrolled_s: int,
    probation_s: int = 0,
    run_over: bool = True,
) -> int:
    """Return what an organization may claim now: newcomers are measured and credited, paid later.

    Args:
        accrued_wei: ever credited to it.
        claimed_wei: ever paid to it.
        now_s: time of the block, Unix.
        enrolled_s: of its first enrollment under the agreement, Unix.
        probation_s: the agreement's.
        run_over: False while the run goes on, where the agreement pays at the end only.
    """
    return accrued_wei - claimed_wei if run_over and now_s >= enrolled_s + probation_s else 0


class Escrow:
    """What every pool keeps: funded, vested by its budget rule, credited to organizations."""

    __slots__ = ("_credited_wei", "_funded_wei", "_max_rounds", "_paid_rounds", "_span_e9")

    def __init__(self, funded_wei: int, span_e9: int, max_rounds: int | None) -> None:
        if funded_wei < 0:
            raise MeteringError("a pool has no negative amounts")
        self._funded_wei = funded_wei
        self._span_e9 = span_e9
        self._max_rounds = max_rounds
        self._paid_rounds = 0
        self._credited_wei: dict[int, int] = {}

    @property
    def funded_wei(self) -> int:
        return self._funded_wei

    @property
    def ended_unpaid(self) -> bool:
        """Whether the initial model met the target: such a run has no paid rounds."""
        return self._span_e9 <= 0

    @property
    def paid_rounds(self) -> int:
        return self._paid_rounds

    @property
    def credited_wei(self) -> dict[int, int]:
        """Party to all it was ever credited."""
        return dict(self._credited_wei)

    @property
    def credited_total_wei(self) -> int:
        return sum(self._credited_wei.values())

    def fund(self, amount_wei: int) -> None:
        """Add to the pool; it raises what earlier gains have vested, too."""
        if amount_wei <= 0:
            raise MeteringError(f"{amount_wei} wei fund nothing")
        self._funded_wei += amount_wei

    def refund_wei(self) -> int:
        """Return what goes back to the sponsor if the run ends now."""
        return self._funded_wei - self.credited_total_wei

    def _vested_at(self, gain_e9: int, paid_rounds: int) -> int:
        if self.ended_unpaid:
            return 0
        if self._max_rounds is not None:
            return vested_per_round_wei(self._funded_wei, paid_rounds, self._max_rounds)
        return vested_wei(self._funded_wei, gain_e9, self._span_e9)

    def _credit(self, now_wei: Mapping[int, int]) -> None:
        self._paid_rounds += 1
        for party, amount_wei in now_wei.items():
            self._credited_wei[party] = self._credited_wei.get(party, 0) + amount_wei


class Pool(Escrow):
    """The pool of a run with one row a round (`common`, `equal`, `size`): Training and Rewards.

    gain = L0 − best, best = lowest loss sealed with a row that is not void.
    """

    __slots__ = ("_best_loss_e9", "_initial_loss_e9")

    def __init__(
        self,
        funded_wei: int,
        initial_loss_e9: int,
        target_loss_e9: int,
        *,
        max_rounds: int | None = None,
    ) -> None:
        """Open the pool of a run whose round 0 is sealed.

        Args:
            funded_wei: in escrow now; see `fund`.
            initial_loss_e9: L0, see `initial_loss_e9`.
            target_loss_e9: at this loss the whole pool is vested.
            max_rounds: where the budget is an equal part for each round; None for progress.
        """
        if min(initial_loss_e9, target_loss_e9) < 0:
            raise MeteringError("a pool has no negative losses")
        super().__init__(funded_wei, initial_loss_e9 - target_loss_e9, max_rounds)
        self._initial_loss_e9 = self._best_loss_e9 = initial_loss_e9

    @property
    def best_loss_e9(self) -> int:
        return self._best_loss_e9

    @property
    def vested_wei(self) -> int:
        return self._vested_at(self._initial_loss_e9 - self._best_loss_e9, self._paid_rounds)

    def available_wei(self, loss_after_e9: int) -> int:
        """Return what a row would divide if a round with this loss were sealed now."""
        gain_e9 = self._initial_loss_e9 - min(self._best_loss_e9, loss_after_e9)
        return self._vested_at(gain_e9, self._paid_rounds + 1) - self.credited_total_wei

    def settle(self, loss_after_e9: int, shares: Sequence[tuple[int, int]]) -> dict[int, int]:
        """Settle a sealed round and return what it credits: party to wei.

        Args:
            loss_after_e9: the loss that was sealed.
            shares: the row that was sealed; empty changes nothing.
        """
        if self.ended_unpaid:
            raise MeteringError("the run ended unpaid: its initial model met the target")
        row: Row = check_row(shares)
        if not row:
            return {}
        available_wei = self.available_wei(loss_after_e9)
        self._best_loss_e9 = min(self._best_loss_e9, loss_after_e9)
        credited = credits_wei(available_wei, [bips for _, bips in row])
        now_wei = {party: amount for (party, _), amount in zip(row, credited, strict=True)}
        self._credit(now_wei)
        return now_wei
