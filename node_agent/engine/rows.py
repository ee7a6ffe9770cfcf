"""From scores to the row of shares that goes under an attestation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import lcm

from metering.split import Row, equal_row, metered_row, organization_scores, size_row
from node_agent.engine.context import METERING_COMMON, METERING_SIZE, RoundContext
from node_agent.peers.protocol import Peer


def merge_weights(context: RoundContext, merged: Sequence[Peer]) -> list[int]:
    """Integer weights of the merged nodes: an organization's weight, split evenly over its nodes.

    All are multiplied by the least common multiple of the node counts, so they stay exact.
    """
    nodes = {peer.party: sum(p.party == peer.party for p in merged) for peer in merged}
    scale = lcm(*nodes.values())
    return [context.weights[peer.party] * scale // nodes[peer.party] for peer in merged]


def needs_gradient(context: RoundContext, merged: Sequence[Peer]) -> bool:
    """Is pay metered in this round? Two organizations always split equally."""
    return context.terms.metering == METERING_COMMON and len({p.party for p in merged}) > 2


def row(
    context: RoundContext,
    merged: Sequence[Peer],
    samples: Mapping[int, int],
    scores: Sequence[float] | None,
) -> Row:
    """(party, basis points), ascending by party; empty is the void row.

    ``samples``: registration -> samples of its update. ``scores``: phi per merged node, in order;
    None when pay is not metered in this round.
    """
    parties = [peer.party for peer in merged]
    if scores is not None:
        return metered_row(organization_scores(scores, parties))
    if context.terms.metering == METERING_SIZE:
        totals = dict.fromkeys(parties, 0)
        for peer in merged:
            totals[peer.party] += samples[peer.registration]
        return size_row(totals)
    return equal_row(parties)
