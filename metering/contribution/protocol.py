"""What a contribution measure takes, gives back and promises.

A measure sees one merged round through one evaluator's eyes. With base W, updates u_i, weights w_i
and the evaluator's loss L, a coalition S of sites would have reached W + Σ_{i∈S} w_i·u_i; what it
is worth is the loss that this saves. Everyone together is the merge itself.

**Contract for losses and gradients**, whichever framework they come from: `loss(d)` is the mean
loss over the evaluator's validation data at W + d, the model in evaluation mode; `gradient(d)` is
the gradient of exactly that mean (not a sum over batches, no regularization, no dropout) with
respect to the float tensors that are merged, in their order, as flat float64; tensors without a
gradient (buffers, counters) count as zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from metering.contribution.arithmetic import Float64s, combined
from metering.errors import MeteringError

Coalition = frozenset[int]


class Promise(StrEnum):
    """What holds for a method's scores in every round; tests/metering/test_methods.py checks it."""

    EFFICIENT = "efficient"
    """Scores add up to L(W) − L(W + D); for an integral along the path, to the accuracy `gap`."""
    SYMMETRIC = "symmetric"
    """Equal updates of equal weight get equal scores, and renumbering sites renumbers scores."""
    NULL = "null"
    """A site whose update is zero gets zero."""
    SPLIT_PROOF = "split-proof"
    """A site cut into several (same update, weight and samples divided) gets the same in all."""
    LINEAR = "linear"
    """Scores for the sum of two evaluators' losses are the sums of the scores for each."""


@dataclass(frozen=True, slots=True)
class Round:
    """One merged round as one evaluator sees it.

    Attributes:
        weights: as merged, positive, summing to 1.
        updates: u_i as merged (after clipping), flat float64, each of shape (d,).
        loss: step d, shape (d,) → L(W + d).
        gradient: step d → ∇L(W + d), shape (d,); None where there are no gradients.
        samples: each site's own statement of how many samples it trained on.
    """

    weights: tuple[float, ...]
    updates: Sequence[Float64s]
    loss: Callable[[Float64s], float]
    gradient: Callable[[Float64s], Float64s] | None
    samples: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.updates) == len(self.samples) > 0:
            raise MeteringError(
                f"{len(self.weights)} weights, {len(self.updates)} updates and "
                f"{len(self.samples)} numbers of samples"
            )
        if not all(weight > 0 for weight in self.weights) or not math.isclose(
            math.fsum(self.weights), 1, rel_tol=1e-9
        ):
            raise MeteringError(f"weights must be positive and sum to 1, got {self.weights}")

    @property
    def n(self) -> int:
        return len(self.weights)

    def step(self, coalition: Coalition) -> Float64s:
        """Return Σ_{i∈S} w_i·u_i, shape (d,)."""
        return combined(self.weights, self.updates, coalition)


class Game(Protocol):
    """A cooperative game: players 0 to n − 1, and what each coalition of them is worth."""

    @property
    def n(self) -> int: ...

    def value(self, coalition: Coalition) -> float:
        """Return the coalition's worth; that of the empty one need not be 0."""
        ...


@dataclass(frozen=True, slots=True)
class FunctionGame:
    """The game of a function from coalitions to worth."""

    function: Callable[[Coalition], float]
    n: int

    def value(self, coalition: Coalition) -> float:
        return self.function(coalition)


@dataclass(frozen=True, slots=True)
class RoundGame:
    """v(S) = L(W) − L(W + Σ_{i∈S} w_i·u_i); each coalition is evaluated once.

    Raises:
        MeteringError: a loss is not finite.
    """

    round: Round
    _losses: dict[Coalition, float] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return self.round.n

    @property
    def passes(self) -> float:
        """Forward passes over the validation data so far."""
        return float(len(self._losses))

    def value(self, coalition: Coalition) -> float:
        return self.loss(frozenset()) - self.loss(coalition) if coalition else 0.0

    def loss(self, coalition: Coalition) -> float:
        """Return L(W + Σ_{i∈S} w_i·u_i)."""
        if coalition not in self._losses:
            loss = float(self.round.loss(self.round.step(coalition)))
            if not math.isfinite(loss):
                raise MeteringError(
                    f"the loss of sites {sorted(coalition)} is {loss}",
                    hint="One absurd update is enough: clip updates, or leave the round unpaid.",
                )
            self._losses[coalition] = loss
        return self._losses[coalition]


@dataclass(frozen=True, slots=True)
class Scores:
    """A method's answer.

    Attributes:
        phi: shape (n,), float64, in units of the loss where the method promises to be efficient.
        passes: work over the validation data; a forward pass is 1, a backward pass 2.
        gap: |Σ phi − (L(W) − L(W + D))| relative to the change of the loss; NaN where scores are
            not in units of the loss.
    """

    phi: Float64s
    passes: float
    gap: float


class Method(Protocol):
    """A way to score the sites of one round."""

    @property
    def name(self) -> str: ...

    @property
    def promises(self) -> frozenset[Promise]: ...

    def __call__(self, round: Round) -> Scores:
        """Score a round.

        Raises:
            MeteringError: the round is not one that this method can score.
        """
        ...
