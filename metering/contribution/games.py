"""Values of cooperative games that are computed from coalitions' worths, without sampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from metering.contribution.arithmetic import Float64s
from metering.contribution.protocol import Coalition, Game
from metering.errors import MeteringError

MAX_PLAYERS = 16


def exact_shapley(value: Callable[[Coalition], float], n: int) -> Float64s:
    """Return every player's Shapley value.

    phi_i = Σ over coalitions S without i of |S|!·(n−|S|−1)!/n! · (value(S ∪ i) − value(S))

    Cost: 2^n calls of `value`. Properties: efficient, symmetric, null, linear; the only value that
    is all four; not split-proof. Source: Shapley, A value for n-person games, 1953.

    Args:
        value: worth of a coalition, a set of player numbers from 0 to n − 1.
        n: number of players, at most 16.

    Returns:
        Shape (n,).
    """
    return _semivalue(value, n, [1 / (n * math.comb(n - 1, size)) for size in range(n)])


def banzhaf(game: Game) -> Float64s:
    """Return every player's Banzhaf value: its mean marginal worth over all coalitions alike.

    phi_i = 2^−(n−1) · Σ over coalitions S without i of v(S ∪ i) − v(S)

    Cost: 2^n values. Properties: symmetric, null, linear; not efficient, not split-proof; of all
    semivalues its ranking is the most robust to noise in v. Source: Banzhaf 1965; for data: Wang &
    Jia, Data Banzhaf, AISTATS 2023.
    """
    n = game.n
    return _semivalue(game.value, n, [2.0 ** (1 - n)] * n)


def leave_one_out(game: Game) -> Float64s:
    """Return what everyone else would lose without each player: phi_i = v(N) − v(N∖i).

    Cost: n + 1 values. Properties: symmetric, null, linear; not efficient (of two equal data sets
    neither is worth anything), not split-proof.
    """
    everyone = frozenset(range(game.n))
    whole = game.value(everyone)
    return np.array([whole - game.value(everyone - {i}) for i in range(game.n)])


def two_n(game: Game) -> Float64s:
    """Return the 2N value: mean of what a player adds first and last, and an equal remainder.

    phi_i = ½·[(v(i) − v(∅)) + (v(N) − v(N∖i))] + (v(N) − v(∅) − Σ of these) / n

    Cost: 2n + 2 values (n > 2). Properties: efficient, symmetric, linear; exactly the Shapley
    value on every 2-additive game (no player changes what two others do together), which a loss
    near its quadratic approximation is; not null in general (the remainder is everyone's), not
    split-proof. Source: the first and the last stratum of Castro, Gómez, Molina & Tejada, Improving
    polynomial estimation of the Shapley value by stratified random sampling, 2017.
    """
    n = game.n
    everyone = frozenset(range(n))
    nothing, whole = game.value(frozenset()), game.value(everyone)
    raw = [
        0.5 * ((game.value(frozenset({i})) - nothing) + (whole - game.value(everyone - {i})))
        for i in range(n)
    ]
    remainder = (whole - nothing - math.fsum(raw)) / max(n, 1)
    return np.array([own + remainder for own in raw])


def _semivalue(value: Callable[[Coalition], float], n: int, chance: list[float]) -> Float64s:
    """Return Σ_S chance[|S|]·(value(S ∪ i) − value(S)) over coalitions S without i."""
    if not 0 <= n <= MAX_PLAYERS:
        raise MeteringError(f"{n} players are more than {MAX_PLAYERS}")
    worth = [
        value(frozenset(player for player in range(n) if mask >> player & 1))
        for mask in range(1 << n)
    ]
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
