"""Whether a node may sign what the leader measured: its own numbers agree within tolerance.

All nodes evaluate the same model (merges are bit-exact) on the same data, so their losses differ
only by the arithmetic of their machines. With m what this node measured and p what was proposed,
both whole numbers, it signs if and only if

    losses   |m − p| ≤ 1,000 + ⌊|m| / 10,000⌋             [1e-9], before and after: 1e-4 + 1e-6
    metric   |m − p| ≤ 5,000,000 + ⌊5,000·|m| / 10^6⌋     [1e-9]: 0.005 + 0.005 of it
    credits  |m − p| ≤ ⌊available / 100⌋ + ⌊pool / 10^6⌋  [wei], for each organization

with credits = ⌊available · bips / 10,000⌋ and available = what the round divides at the *proposed*
loss. Why so much:

- losses: float32 on different kernels and numbers of threads agrees to 1e-7 of the loss and 1e-8
  of a share (tests/metering/test_agreement_machines.py, softmax regression and MLP in NumPy and
  PyTorch on eight settings); deeper models and GPUs differ more, and a factor of a thousand is
  left for them. A leader who uses all of it moves 1e-4 · loss / span of the pool, once: what counts
  is the lowest loss, not the sum of what rounds claim. Evaluation in TF32, float16 or bfloat16 may
  be off by 1e-3 and more: a consortium that does so needs wider tolerances.
- metric: it pays nobody; accuracies jump by one sample in the set.
- shares: never compared as such. Near zero gain scores are noise and so are shares, but hardly
  anything is paid by them. The bound on the wei of this round is what a leader who bends its row
  can gain unnoticed, in the rounds that it leads: 1 % of them.

Whole numbers throughout: two nodes never disagree about whether they agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from metering.split import Row
from metering.vesting import credits_wei

_PPM = 10**6


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far two honest measurements may lie apart; relative ones in parts per million."""

    loss_absolute_e9: int = 1_000
    loss_relative_ppm: int = 100
    metric_absolute_e9: int = 5_000_000
    metric_relative_ppm: int = 5_000
    credit_of_round_ppm: int = 10_000
    credit_of_pool_ppm: int = 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an attestation says about a round; all in 1e-9, shares as in `metering.split`."""

    loss_before_e9: int
    loss_after_e9: int
    metric_e9: int
    shares: Row


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The first value that is out of tolerance: what it is and by how much."""

    what: str
    mine: int
    proposed: int
    allowed: int

    def __str__(self) -> str:
        return (
            f"{self.what}: measured {self.mine}, proposed {self.proposed}, "
            f"{abs(self.mine - self.proposed)} apart where {self.allowed} are allowed"
        )


STANDARD = Tolerances()


def agrees(
    mine: Measurement,
    proposed: Measurement,
    *,
    available_wei: int,
    pool_wei: int = 0,
    tolerances: Tolerances = STANDARD,
) -> Disagreement | None:
    """Compare a proposal with one's own measurement.

    Args:
        mine: what this node measured. A node that would itself propose the void row (after two
            refusals) passes it here.
        proposed: what the leader signed.
        available_wei: what this round divides if the proposal is sealed: `Pool.available_wei` of
            the proposed loss.
        pool_wei: all that was funded.
        tolerances: those of the consortium.

    Returns:
        None if the proposal can be signed, otherwise the first value that is too far off.
    """
    t = tolerances
    loss = (t.loss_absolute_e9, t.loss_relative_ppm)
    metric = (t.metric_absolute_e9, t.metric_relative_ppm)
    compared = [
        ("loss before [1e-9]", mine.loss_before_e9, proposed.loss_before_e9, loss),
        ("loss after [1e-9]", mine.loss_after_e9, proposed.loss_after_e9, loss),
        ("metric [1e-9]", mine.metric_e9, proposed.metric_e9, metric),
    ]
    for what, own, other, (absolute, relative_ppm) in compared:
        allowed = absolute + abs(own) * relative_ppm // _PPM
        if abs(own - other) > allowed:
            return Disagreement(what, own, other, allowed)
    allowed = (
        available_wei * t.credit_of_round_ppm // _PPM + pool_wei * t.credit_of_pool_ppm // _PPM
    )
    own_wei = _credited(mine.shares, available_wei)
    other_wei = _credited(proposed.shares, available_wei)
    for party in sorted(own_wei.keys() | other_wei.keys()):
        own, other = own_wei.get(party, 0), other_wei.get(party, 0)
        if abs(own - other) > allowed:
            return Disagreement(f"credit of party {party} [wei]", own, other, allowed)
    return None


def _credited(row: Row, available_wei: int) -> dict[int, int]:
    amounts = credits_wei(available_wei, [bips for _, bips in row])
    return {party: amount for (party, _), amount in zip(row, amounts, strict=True)}
