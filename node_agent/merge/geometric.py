"""Geometric median: the point whose weighted distances to all updates are least in sum.

    v = argmin_v Σ w_i·‖u_i − v‖

Weiszfeld's iteration, smoothed as by Pillutla, Kakade & Harchaoui, Robust aggregation for federated
learning, IEEE Trans. Signal Process. 70 (2022), from the coordinate median c:

    λ_i = w_i / max(ν, ‖u_i − v‖),   v ← Σ λ_i·u_i / Σ λ_i

ν is the rule's parameter times the weighted median of the distances ‖u_i − c‖: it keeps an update
that lies at v from taking all weight, and scales with the model. After the first step v is a
weighted mean of the updates, so all further distances follow from the inner products:

    ‖u_i − v‖² = G_ii − 2·(G·λ)_i + λᵀ·G·λ   for Σ λ = 1
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from node_agent.merge.gram import Gram
from node_agent.merge.weights import FINENESS, weighted_median

_STEPS = 200
_LEAST = 2.0**-200  # below any distance of two float32 models that is not zero


def geometric_median(gram: Gram, ratio: Sequence[int], smoothing: float) -> list[float]:
    """Return each update's share in the geometric median; they sum to 1.

    Args:
        gram: inner products of the updates' differences from the coordinate median.
        ratio: the updates' weights.
        smoothing: ν as a multiple of the median distance.
    """
    distances = [math.sqrt(gram[i][i]) for i in range(len(ratio))]
    floor = max(smoothing * weighted_median(distances, ratio), _LEAST)
    shares = _shares(distances, ratio, floor)
    for _ in range(_STEPS):
        before = shares
        shares = _shares(distances_from(gram, before), ratio, floor)
        if max(abs(a - b) for a, b in zip(shares, before, strict=True)) < 0.5 / FINENESS:
            break
    return shares


def distances_from(gram: Gram, point: Sequence[float]) -> list[float]:
    """Return ‖d_i − Σ point_j·d_j‖ of all i, for vectors d with these inner products."""
    along = [math.fsum(g * p for g, p in zip(row, point, strict=True)) for row in gram]
    square = math.fsum(a * p for a, p in zip(along, point, strict=True))
    return [
        math.sqrt(max(0.0, math.fsum((row[i], -along[i], -along[i], square))))
        for i, row in enumerate(gram)
    ]


def _shares(distances: Sequence[float], ratio: Sequence[int], floor: float) -> list[float]:
    pulls = [w / max(floor, d) for w, d in zip(ratio, distances, strict=True)]
    total = math.fsum(pulls)
    return [pull / total for pull in pulls]
