"""The exact Shapley value, for small games and for judging estimates."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from metering.errors import MeteringError

MAX_PLAYERS = 16


def exact_shapley(value: Callable[[frozenset[int]], float], n: int) -> npt.NDArray[np.float64]:
    """Return every player's Shapley value (Shapley 1953): 2**n calls of `value`.

    phi_i = Σ over coalitions S without i of |S|!·(n−|S|−1)!/n! · (value(S ∪ i) − value(S))

    Args:
        value: worth of a coalition, a set of player numbers from 0 to n − 1.
        n: number of players, at most 16.

    Returns:
        Shape (n,).
    """
    if not 0 <= n <= MAX_PLAYERS:
        raise MeteringError(f"{n} players are more than {MAX_PLAYERS}")
    worth = [
        value(frozenset(player for player in range(n) if mask >> player & 1))
        for mask in range(1 << n)
    ]
    chance = [1 / (n * math.comb(n - 1, size)) for size in range(n)]
    return np.array(
        [
            math.fsum(
                chance[mask.bit_count()] * (worth[mask | 1 << player] - worth[mask])
                for mask in range(1 << n)
                if not mask >> player & 1
            )
            for player in range(n)
        ]
    )
