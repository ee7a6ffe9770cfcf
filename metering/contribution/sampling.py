"""Shapley values by sampling complementary contributions, for budgets beyond the 2N method's."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from metering.contribution.arithmetic import Float64s
from metering.contribution.games import exact_shapley, two_n
from metering.contribution.protocol import Coalition, Game


def complementary(game: Game, budget: int, seed: int) -> Float64s:
    """Return an estimate of the Shapley value from `budget` coalitions' worths.

    A coalition's complementary contribution is CC(S) = v(S) − v(N∖S); one pair of values tells
    something about all n players, where a marginal contribution tells it about one:

        phi_i = (1/n) Σ_{j=1..n} mean of CC(S) over the coalitions S with i ∈ S and |S| = j

    The sizes j = 1, n − 1 and n are evaluated in full (that is the 2N method, p); the pairs of
    sizes 2 to n − 2 are drawn in turn, and what is averaged is CC(S) − (Σ_{S} p − Σ_{N∖S} p), which
    is zero on every 2-additive game: the 2N value is the control variate.

    Cost: at most `budget` values, but at least 2n + 2: those give the 2N value, 2^n the exact one,
    and in between the error falls with the square root of what exceeds 2n + 2. Properties:
    efficient (what the means do not add up to is spread evenly), linear; symmetric in expectation,
    null as the budget grows; not split-proof. Source: Zhang, Sun, Liu, Xiong, Pei & Ren, Efficient
    sampling approaches to Shapley value approximation, SIGMOD 2023.

    Args:
        game: from 1 player.
        budget: coalitions whose worth is asked for.
        seed: the draw. Members must not know it before they commit: a round's `prev` serves.

    Returns:
        Shape (n,).
    """
    n = game.n
    if budget >= 1 << n:
        return exact_shapley(game.value, n)
    first = two_n(game)
    pairs = (budget - 2 * n - 2) // 2
    if n < 4 or pairs <= 0:
        return first
    everyone = frozenset(range(n))
    total, count = np.zeros((n, n)), np.zeros((n, n))  # [player, size of its coalition]
    for pair in range(pairs):
        size = 2 + pair % (n - 3)
        inside = _drawn(n, size, seed, pair)
        outside = everyone - inside
        ours, theirs = sorted(inside), sorted(outside)
        seen = game.value(inside) - game.value(outside)
        excess = seen - (sum(first[ours].tolist()) - sum(first[theirs].tolist()))
        total[ours, size] += excess
        count[ours, size] += 1
        total[theirs, n - size] -= excess
        count[theirs, n - size] += 1
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    correction = [sum(row) / n for row in means.tolist()]
    common = sum(correction) / n
    return np.array([p + own - common for p, own in zip(first.tolist(), correction, strict=True)])


def _drawn(n: int, size: int, seed: int, pair: int) -> Coalition:
    """Return `size` of n players: those with the lowest hashes, the same in every library."""

    def ticket(player: int) -> bytes:
        return sha256(f"{seed}/{pair}/{player}".encode()).digest()

    return frozenset(sorted(range(n), key=ticket)[:size])
