"""The exact Shapley value of large games whose players come in a few kinds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from metering.contribution.arithmetic import Float64s
from metering.errors import MeteringError

MAX_KINDS = 12

Kinds = frozenset[int]


def shapley_of_kinds(value: Callable[[Kinds], float], counts: Sequence[int]) -> Float64s:
    """Return the Shapley value of one player of each kind, where one of a kind does what all do.

    A coalition is worth what the kinds present in it are worth, say copies of the same data set.
    Everyone joins at a random time; player i's value is what it adds on arrival, on average:

        phi_i = ∫₀¹ E[v(S_t ∪ i) − v(S_t)] dt,  S_t = those others who joined before t

    At time t each kind c is absent with probability (1 − t)^counts[c], independently. The integrand
    is a polynomial of degree Σ counts − 1, for which Gauss-Legendre with half as many points is
    exact; Aumann-Shapley along the merge path is the same integral of a game that need not be one
    of coalitions.

    Cost: 2^kinds values, whatever the number of players. Properties: those of `exact_shapley`
    (Σ counts·phi = v(all) − v(∅)). Source: Owen, Multilinear extensions of games, 1972.

    Args:
        value: worth of a set of kinds, numbered from 0.
        counts: positive number of players of each kind, at most 12 kinds.

    Returns:
        Shape (kinds,), per player.
    """
    kinds = len(counts)
    if kinds > MAX_KINDS or min(counts, default=1) < 1:
        raise MeteringError(f"from 1 player of each of at most {MAX_KINDS} kinds, got {counts}")
    worth = [
        value(frozenset(k for k in range(kinds) if mask >> k & 1)) for mask in range(1 << kinds)
    ]
    nodes, weights = np.polynomial.legendre.leggauss((sum(counts) + 1) // 2)
    absent = ((1 - nodes) / 2)[:, None] ** np.array(counts)  # [time, kind]
    phi = np.zeros(kinds)
    for kind in range(kinds):
        others = [other for other in range(kinds) if other != kind]
        copies_absent = ((1 - nodes) / 2) ** (counts[kind] - 1)
        terms = []
        for mask in range(1 << kinds):
            gain = 0.0 if mask >> kind & 1 else worth[mask | 1 << kind] - worth[mask]
            if gain == 0:
                continue
            chance = copies_absent.copy()
            for other in others:
                chance *= 1 - absent[:, other] if mask >> other & 1 else absent[:, other]
            terms.append(gain * math.fsum((weights / 2 * chance).tolist()))
        phi[kind] = math.fsum(terms)
    return phi
