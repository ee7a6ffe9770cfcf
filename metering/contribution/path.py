"""Aumann-Shapley values along the merge path: the default.

With base parameters W, updates u_i (differences from W), weights w_i (summing to 1), the merged
step D = Σ w_i·u_i and validation loss L, site i's share of the loss reduction L(W) − L(W+D) is

    phi_i = −w_i · ∫₀¹ ⟨∇L(W + s·D), u_i⟩ ds  ≈  −w_i · ⟨Σ_k q_k ∇L(W + s_k·D), u_i⟩

with Gauss-Legendre points s_k and weights q_k. This is the price that Aumann & Shapley (Values of
Non-Atomic Games, 1974) give every infinitesimal part of a game: the Shapley value in the limit of
sites cut into ever smaller ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metering.contribution.arithmetic import block_dot, combined
from metering.contribution.protocol import Promise, Round, RoundGame, Scores
from metering.errors import MeteringError
from metering.fixed import SCALE

GAUSS_LEGENDRE: dict[int, tuple[tuple[float, float], ...]] = {
    3: (
        (0.1127016653792583, 0.2777777777777778),
        (0.5, 0.4444444444444444),
        (0.8872983346207417, 0.2777777777777778),
    ),
    5: (
        (0.0469100770306680, 0.1184634425280945),
        (0.2307653449471585, 0.2393143352496832),
        (0.5, 0.2844444444444444),
        (0.7692346550528415, 0.2393143352496832),
        (0.9530899229693320, 0.1184634425280945),
    ),
    7: (
        (0.0254460438286207, 0.0647424830844348),
        (0.1292344072003028, 0.1398526957446383),
        (0.2970774243113014, 0.1909150252525595),
        (0.5, 0.2089795918367347),
        (0.7029225756886986, 0.1909150252525595),
        (0.8707655927996972, 0.1398526957446383),
        (0.9745539561713793, 0.0647424830844348),
    ),
}
"""Points and weights (s_k, q_k) on [0, 1], by the number of points; exact to degree 2n − 1."""

GAP_LIMIT = 0.01
"""Efficiency gap above which the path is integrated again with more points."""

_LEAST_CHANGE = 1e-4  # of the loss before
_FORWARD, _BACKWARD = 1.0, 2.0


def scores(weights: Sequence[float], dots: Sequence[float]) -> tuple[float, ...]:
    """Return phi_i = −w_i·dot_i, with the weights scaled to sum to 1.

    Args:
        weights: one a site, positive; the same as in the merge.
        dots: ⟨Σ_k q_k ∇L(W + s_k·D), u_i⟩ of each site, from `block_dot`.
    """
    if len(weights) != len(dots):
        raise MeteringError(f"{len(weights)} weights for {len(dots)} updates")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise MeteringError(f"weights must be positive numbers, got {list(weights)}")
    total = math.fsum(weights)
    return tuple(-weight / total * dot for weight, dot in zip(weights, dots, strict=True))


def efficiency_gap(phi: Sequence[float], loss_before: float, loss_after: float) -> float:
    """Return |Σ phi_i − (loss_before − loss_after)| relative to the change of the loss.

    Above `GAP_LIMIT`, measure again with more points. A change below 1e-4 of the loss counts as
    that: 0.01 of it is what evaluation in float32 can tell apart, and more points would not.
    """
    change = loss_before - loss_after
    scale = max(abs(change), _LEAST_CHANGE * abs(loss_before), 1 / SCALE)
    return abs(math.fsum(phi) - change) / scale


@dataclass(frozen=True, slots=True)
class AumannShapley:
    """phi_i = −w_i · ⟨Σ_k q_k ∇L(W + s_k·D), u_i⟩: 3 points; 5, then 7, where the gap exceeds 1 %.

    Cost: 3 forward and backward passes whatever the number of sites (at most 3 + 5 + 7), the two
    losses that are measured anyway, and one dot product a site; the exact Shapley value takes 2^N.

    Properties: efficient (to the quadrature's error, none for losses that are polynomials of
    degree 2n along the path, n points), symmetric, null, split-proof and, at the same points,
    linear (evaluators whose gaps call for different numbers of points: to the accuracy of the
    integral). The only one of these measures that is both efficient and split-proof.

    Source: Aumann & Shapley, Values of Non-Atomic Games, 1974; as cost shares: Billera & Heath,
    Allocation of shared costs, Math. Oper. Res. 7 (1982); as attributions: Sundararajan, Taly &
    Yan, Axiomatic attribution for deep networks, ICML 2017.
    """

    name: str = "aumann-shapley"
    gap_limit: float = GAP_LIMIT
    promises: frozenset[Promise] = frozenset(Promise)

    def __call__(self, round: Round) -> Scores:
        if round.gradient is None:
            raise MeteringError(
                "no gradients, no Aumann-Shapley values",
                hint="The 2N method (two-n) needs losses only.",
            )
        merged = combined(round.weights, round.updates, range(round.n))
        ends = RoundGame(round)
        before, after = ends.loss(frozenset()), ends.loss(frozenset(range(round.n)))
        phi: tuple[float, ...] = ()
        passes, gap = ends.passes, math.inf
        for count, points in sorted(GAUSS_LEGENDRE.items()):
            gradients = [round.gradient(s * merged) for s, _ in points]
            averaged = combined([q for _, q in points], gradients, range(count))
            phi = scores(round.weights, [block_dot(averaged, update) for update in round.updates])
            gap = efficiency_gap(phi, before, after)
            passes += count * (_FORWARD + _BACKWARD)
            if gap <= self.gap_limit:
                break
        if not all(map(math.isfinite, phi)):
            raise MeteringError(
                "the gradient along the merge path is not finite",
                hint="One absurd update is enough: clip updates, or leave the round unpaid.",
            )
        return Scores(np.array(phi), passes, gap)
