"""Scores without gradients: what coalitions of organizations would have reached, by their losses.

For rules whose merges have no coefficients, and for training processes that tell no gradients. The
2N method (`metering.contribution.two_n`) asks for the worth of every organization alone and of all
but one:

    v(S) = max(L(W) − L(W_S), −L(W))

where the model W_S of a coalition is

- base + Σ c_i·(u_i − base) over S, where the merge has coefficients: the game whose Aumann-Shapley
  value is paid elsewhere, so that sites with and without gradients agree;
- what the rule makes of the updates of S alone, where it has none: the game of Song, Tong & Wei,
  Profit allocation for federated learning, 2019.

The bound is what losses that cannot fall below zero have above; below, it keeps one absurd update
from deciding everybody's remainder. Each coalition costs a merge and a pass over the data.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path

from metering.contribution import Coalition, FunctionGame, two_n
from node_agent.engine.context import RoundContext
from node_agent.engine.exchange import Ground, Merged, merge_files, merge_ground
from node_agent.engine.headers import merged_metadata
from node_agent.engine.node import Node
from node_agent.merge.rules import combine
from node_agent.parameters.format import ParameterFile
from node_agent.trainer import Evaluation

Evaluate = Callable[[Path], Awaitable[Evaluation]]


async def scores_by_losses(
    node: Node,
    context: RoundContext,
    merged: Merged,
    whole: Evaluation,
    evaluate: Evaluate,
) -> tuple[float, ...]:
    """The 2N score of every organization, on its first node; the other nodes' are zero.

    ``whole``: losses at the base and at the merged model. ``evaluate``: the loss of one model.
    """
    parties = [peer.party for peer in merged.peers]
    players = list(dict.fromkeys(parties))
    ground = await merge_ground(node, context)
    everyone = frozenset(range(len(players)))
    worth = {frozenset[int](): 0.0, everyone: _worth(whole.loss_before, whole.loss_after)}
    for coalition in _asked(everyone):
        if coalition in worth:
            continue
        members = {players[k] for k in coalition}
        chosen = [place for place, party in enumerate(parties) if party in members]
        scratch = node.store.scratch(context.round, f"coalition-{secrets.token_hex(8)}")
        try:
            await asyncio.to_thread(_merge_some, node, context, ground, merged, chosen, scratch)
            evaluation = await evaluate(scratch)
        finally:
            scratch.unlink(missing_ok=True)
        worth[coalition] = _worth(whole.loss_before, evaluation.loss_after)
    phi = dict(zip(players, two_n(FunctionGame(worth.__getitem__, len(players))), strict=True))
    first = {party: parties.index(party) for party in players}
    return tuple(
        float(phi[party]) if place == first[party] else 0.0 for place, party in enumerate(parties)
    )


def _asked(everyone: Coalition) -> list[Coalition]:
    """The coalitions of the 2N method besides none and all: each one alone, and all but each."""
    return [frozenset({one}) for one in everyone] + [everyone - {one} for one in everyone]


def _worth(loss_before: float, loss_after: float) -> float:
    return max(loss_before - loss_after, -loss_before)


def _merge_some(
    node: Node,
    context: RoundContext,
    ground: Ground,
    merged: Merged,
    chosen: list[int],
    out_path: Path,
) -> None:
    files = [merged.files[place] for place in chosen]
    if merged.coefficients is None:
        weights = [merged.weights[place] for place in chosen]
        _, path, state = merge_files(node, context, ground, files, weights, out_path.stem)
        assert path == out_path, "scratch files are named by their stems"
        state.unlink(missing_ok=True)
        return
    shares: list[Fraction] = [merged.coefficients[place] for place in chosen]
    base = ParameterFile.open(ground.base)
    opened = [ParameterFile.open(path) for path in files]
    combine(opened, shares, base, out_path, merged_metadata(context))
