"""Scores without gradients: merges what coalitions of organizations would have reached.

For rules whose merges have no coefficients, and for training processes that tell no gradients.
What is asked for, and why its worth is bounded: `metering.contribution.losses`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from metering.contribution import Coalition, measured_coalitions, scores_of_losses
from node_agent.engine.context import RoundContext
from node_agent.engine.exchange import Merged, merge_ground
from node_agent.engine.headers import merged_metadata
from node_agent.engine.node import Node
from node_agent.merge.coalition import Whole, merge_coalition

LossAt = Callable[[Path], Awaitable[float]]


async def scores_by_losses(
    node: Node,
    context: RoundContext,
    merged: Merged,
    losses_of_all: tuple[float, float],
    loss_at: LossAt,
) -> tuple[float, ...]:
    """The 2N score of every organization, on its first node; the other nodes' are zero.

    ``losses_of_all``: at the base and at the merged model. ``loss_at``: the loss of one model.
    """
    ground = await merge_ground(node, context)
    made = Whole(
        rule=context.terms.merge_rule,
        parameter_e6=context.terms.merge_parameter,
        parties=tuple(peer.party for peer in merged.peers),
        files=merged.files,
        weights=merged.weights,
        coefficients=merged.coefficients,
        base=ground.base,
        state=ground.state,
    )
    count = len(made.players)
    losses = {
        coalition: await asyncio.shield(
            asyncio.ensure_future(_loss(node, context, made, coalition, loss_at))
        )
        for coalition in measured_coalitions(count)
    }
    phi = scores_of_losses(*losses_of_all, losses, count)
    first = {
        made.parties.index(party): score for party, score in zip(made.players, phi, strict=True)
    }
    return tuple(first.get(place, 0.0) for place in range(len(made.parties)))


async def _loss(
    node: Node, context: RoundContext, made: Whole, coalition: Coalition, loss_at: LossAt
) -> float:
    """The loss of what a coalition would have merged.

    Not to be cancelled between: the training process carries out what it was asked for, even if
    the round is over by then, and would not find the file.
    """
    scratch = node.store.scratch(context.round, f"coalition-{secrets.token_hex(8)}")
    try:
        await asyncio.to_thread(merge_coalition, made, coalition, scratch, merged_metadata(context))
        return await loss_at(scratch)
    finally:
        scratch.unlink(missing_ok=True)
