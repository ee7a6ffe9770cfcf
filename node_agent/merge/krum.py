"""Krum and multi-Krum: the update, or the updates, in the middle of the others.

Blanchard, El Mhamdi, Guerraoui & Stainer, Machine learning with adversaries: Byzantine tolerant
gradient descent, NeurIPS 2017. With n equal updates of which f may be hostile, an update's score
is the sum of squared distances to its n − f − 2 nearest others; Krum takes the update with the
lowest score, multi-Krum the mean of the n − f lowest.

With weights (W in all, at most F = parameter·W hostile) others are counted by weight, and the last
one by the part that still fits:

    score_i = min Σ_j m_j·‖u_i − u_j‖²   over 0 ≤ m_j ≤ w_j,  Σ_j m_j = W − F − W/n

where j = i counts, at distance zero: for equal weights and whole F just the n − f − 2 nearest
others. Multi-Krum takes updates in the order of their scores until the weight W − F is reached.
Equal scores: the one that is first in the order of SPIFFE IDs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from node_agent.merge.gram import Gram


def krum(gram: Gram, ratio: Sequence[int], hostile: Fraction) -> list[Fraction]:
    """Return the weight that each update has in the result: 1 for one, 0 for all others.

    Args:
        gram: inner products of the updates' differences from any centre.
        ratio: the updates' weights.
        hostile: the part of the weight that may be hostile, below a half.
    """
    scores = krum_scores(gram, ratio, hostile)
    best = scores.index(min(scores))
    return [Fraction(place == best) for place in range(len(ratio))]


def multi_krum(gram: Gram, ratio: Sequence[int], hostile: Fraction) -> list[Fraction]:
    """Return the weight that each update has in the result."""
    scores = krum_scores(gram, ratio, hostile)
    taken = _nearest(scores, ratio, (1 - hostile) * sum(ratio))
    return [taken.get(place, Fraction(0)) for place in range(len(ratio))]


def krum_scores(gram: Gram, ratio: Sequence[int], hostile: Fraction) -> list[float]:
    """Return every update's score; lower is better."""
    total, count = sum(ratio), len(ratio)
    counted = max(Fraction(0), (1 - hostile) * total - Fraction(total, count))
    scores = []
    for i in range(count):
        squares = [
            0.0 if i == j else max(0.0, math.fsum((gram[i][i], gram[j][j], -2 * gram[i][j])))
            for j in range(count)
        ]
        nearest = _nearest(squares, ratio, counted, first=i)
        scores.append(math.fsum(float(mass) * squares[j] for j, mass in nearest.items()))
    return scores


def _nearest(
    keys: Sequence[float], ratio: Sequence[int], mass: Fraction, first: int = -1
) -> dict[int, Fraction]:
    """Take weight in ascending order of the keys until `mass` is reached."""
    taken: dict[int, Fraction] = {}
    for place in sorted(range(len(keys)), key=lambda each: (keys[each], each != first, each)):
        part = min(Fraction(ratio[place]), mass)
        if part <= 0:
            break
        taken[place] = part
        mass -= part
    return taken
