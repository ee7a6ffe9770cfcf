"""How a run's pool is vested by progress and credited by rows: the contracts' arithmetic, twice.

Whole numbers only, every division rounded down, so that anyone can recompute every token paid.

    gain     = L0 − best,  best = lowest loss sealed with a row that is not void
    vested   = funded · min(gain, span) // span,  span = L0 − target
    credit_i = (vested − credited so far) · bips_i // 10,000

What rounding leaves is credited with a later round; what is never credited returns to the sponsor.
"""

from __future__ import annotations

from collections.abc import Sequence

from metering.errors import MeteringError
from metering.split import FULL_BIPS, Row, check_row


def initial_loss_e9(attested_e9: int, ceiling_e9: int) -> int:
    """Return L0: round 0's loss, but no more than the terms allow."""
    return min(attested_e9, ceiling_e9)


def vested_wei(pool_wei: int, gain_e9: int, span_e9: int) -> int:
    """Return the part of the pool that a gain has earned.

    Args:
        pool_wei: all that was funded.
        gain_e9: L0 − best loss; nothing is vested unless it is positive.
        span_e9: L0 − target, positive.
    """
    if span_e9 <= 0:
        raise MeteringError(f"a span of {span_e9} vests nothing: the run has ended unpaid")
    return pool_wei * min(gain_e9, span_e9) // span_e9 if gain_e9 > 0 else 0


def credits_wei(available_wei: int, bips: Sequence[int]) -> tuple[int, ...]:
    """Return what each share of the available amount comes to."""
    return tuple(available_wei * share // FULL_BIPS for share in bips)


class Pool:
    """The pool of one run: what Training and Rewards do together with each sealed round."""

    __slots__ = ("_best_loss_e9", "_credited_wei", "_funded_wei", "_initial_loss_e9", "_span_e9")

    def __init__(self, funded_wei: int, initial_loss_e9: int, target_loss_e9: int) -> None:
        """Open the pool of a run whose round 0 is sealed.

        Args:
            funded_wei: in escrow now; see `fund`.
            initial_loss_e9: L0, see `initial_loss_e9`.
            target_loss_e9: at this loss the whole pool is vested.
        """
        if min(funded_wei, initial_loss_e9, target_loss_e9) < 0:
            raise MeteringError("a pool has no negative amounts or losses")
        self._funded_wei = funded_wei
        self._initial_loss_e9 = self._best_loss_e9 = initial_loss_e9
        self._span_e9 = initial_loss_e9 - target_loss_e9
        self._credited_wei: dict[int, int] = {}

    @property
    def funded_wei(self) -> int:
        return self._funded_wei

    @property
    def ended_unpaid(self) -> bool:
        """Whether the initial model met the target: such a run has no paid rounds."""
        return self._span_e9 <= 0

    @property
    def best_loss_e9(self) -> int:
        return self._best_loss_e9

    @property
    def vested_wei(self) -> int:
        return self._vested_at(self._best_loss_e9)

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

    def available_wei(self, loss_after_e9: int) -> int:
        """Return what a row would divide if a round with this loss were sealed now."""
        if self.ended_unpaid:
            return 0
        best_e9 = min(self._best_loss_e9, loss_after_e9)
        return self._vested_at(best_e9) - self.credited_total_wei

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
        for party, amount in now_wei.items():
            self._credited_wei[party] = self._credited_wei.get(party, 0) + amount
        return now_wei

    def refund_wei(self) -> int:
        """Return what goes back to the sponsor if the run ends now."""
        return self._funded_wei - self.credited_total_wei

    def _vested_at(self, best_loss_e9: int) -> int:
        if self.ended_unpaid:
            return 0
        gain_e9 = self._initial_loss_e9 - best_loss_e9
        return vested_wei(self._funded_wei, gain_e9, self._span_e9)
