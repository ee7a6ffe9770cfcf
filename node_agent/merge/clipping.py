"""Norm-clipped mean and centered clipping: no update moves the model further than is usual.

With d_i = u_i − base, weights p_i that sum to 1 and the radius τ = parameter × the weighted median
of the norms ‖d_i‖, both start at v = base and go

    v ← v + Σ p_i·(u_i − v)·min(1, τ / ‖u_i − v‖)

once (norm-clipped mean: Sun, Kairouz, Suresh & McMahan, Can you really backdoor federated
learning?, 2019) or three times (centered clipping: Karimireddy, He & Jaggi, Learning from history
for Byzantine robust optimization, ICML 2021, who clip around the point that they have). Both papers
leave the radius to the user; half of the weight says here what is usual, so it shrinks with
the updates as training converges. Where nothing is clipped both are the mean, bit for bit.

v stays a combination of base and updates, so inner products of the d_i are all that is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from node_agent.merge.geometric import distances_from
from node_agent.merge.gram import Gram
from node_agent.merge.weights import weighted_median

_STEPS = 3


def norm_clipped(
    square_norms: Sequence[float], ratio: Sequence[int], parameter: float
) -> list[float] | None:
    """Return each update's share, the base having what is missing to 1; None: nothing to clip."""
    norms = [math.sqrt(square) for square in square_norms]
    scales = _scales(norms, parameter * weighted_median(norms, ratio))
    return None if set(scales) == {1.0} else _step([0.0] * len(ratio), ratio, scales)


def centered_clipping(gram: Gram, ratio: Sequence[int], parameter: float) -> list[float] | None:
    """Return each update's share, the base having what is missing to 1; None: nothing to clip."""
    norms = [math.sqrt(gram[i][i]) for i in range(len(ratio))]
    radius = parameter * weighted_median(norms, ratio)
    point, scales = [0.0] * len(ratio), _scales(norms, radius)
    for _ in range(_STEPS):
        if set(scales) == {1.0}:
            return None
        point = _step(point, ratio, scales)
        scales = _scales(distances_from(gram, point), radius)
    return point


def _scales(distances: Sequence[float], radius: float) -> list[float]:
    return [radius / distance if distance > radius else 1.0 for distance in distances]


def _step(point: Sequence[float], ratio: Sequence[int], scales: Sequence[float]) -> list[float]:
    total = sum(ratio)
    pulls = [weight / total * scale for weight, scale in zip(ratio, scales, strict=True)]
    kept = max(0.0, 1.0 - math.fsum(pulls))
    return [kept * p + pull for p, pull in zip(point, pulls, strict=True)]
