"""Scores without gradients: what coalitions of organizations would have reached, by their losses.

For merges without coefficients (of each coordinate its own), and for training processes that tell
no gradients. The 2N method asks for the worth of every organization alone and of all but one:

    v(S) = max(L(W) − L(W_S), −L(W))

where the model W_S of a coalition is

- base + Σ c_i·(u_i − base) over S, where the merge has coefficients: the game whose Aumann-Shapley
  value is paid elsewhere, so that sites with and without gradients agree;
- what the rule makes of the updates of S alone, where it has none: the game of Song, Tong & Wei,
  Profit allocation for federated learning, 2019.

The bound is what losses that cannot fall below zero have above; below, it keeps one absurd update
from deciding everybody's remainder. Each coalition costs a merge and a pass over the data. Who does
both is up to the caller: the node agent in a round, an audit years later.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from metering.contribution.games import two_n
from metering.contribution.protocol import Coalition, FunctionGame


def measured_coalitions(n: int) -> tuple[Coalition, ...]:
    """Return the coalitions whose losses the 2N method needs besides those of nobody and of all.

    Each of the players 0 … n − 1 alone, then all but each; every one once.
    """
    everyone = frozenset(range(n))
    alone = [frozenset({one}) for one in everyone]
    asked = dict.fromkeys([*alone, *(everyone - one for one in alone)])
    return tuple(coalition for coalition in asked if coalition and coalition != everyone)


def scores_of_losses(
    loss_before: float, loss_after: float, losses: Mapping[Coalition, float], n: int
) -> tuple[float, ...]:
    """Return the 2N score of every player; cost, properties and source: `two_n`.

    Args:
        loss_before: L(W), finite.
        loss_after: of the merge of all, finite.
        losses: L(W_S) of `measured_coalitions(n)`; one that is no number is the worst there is.
        n: number of players.
    """
    worth = {coalition: _worth(loss_before, loss) for coalition, loss in losses.items()}
    worth[frozenset(range(n))] = _worth(loss_before, loss_after)
    worth[frozenset()] = 0.0
    return tuple(two_n(FunctionGame(worth.__getitem__, n)).tolist())


def _worth(loss_before: float, loss: float) -> float:
    return max(loss_before - loss, -loss_before) if isfinite(loss) else -loss_before
