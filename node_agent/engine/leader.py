"""Who leads which term. Every node computes the same ranking; there are no election messages."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.messages import leader_rank
from node_agent.peers.protocol import Peer


def ranking(
    run_id: bytes, round_number: int, merged_root: bytes, members: Iterable[Peer]
) -> tuple[Peer, ...]:
    """Nodes in the order in which they lead: term t belongs to ``ranking[t % len(ranking)]``.

    Organizations are ranked by keccak(runId, round, last merged root, organization), so nobody can
    choose his rank before the model it depends on exists. The first node of every organization
    comes before any organization's second, so a dead site costs one term, not one per node.
    """
    everyone = list(members)
    # Where nobody may, everybody does: a run without leaders would stand still.
    eligible = [peer for peer in everyone if peer.may_lead] or everyone
    seats: dict[int, list[Peer]] = {}
    for peer in sorted(eligible, key=lambda peer: peer.spiffe_id):
        seats.setdefault(peer.party, []).append(peer)
    by_rank = sorted(
        seats.values(),
        key=lambda nodes: leader_rank(run_id, round_number, merged_root, nodes[0].organization),
    )
    deepest = max((len(nodes) for nodes in by_rank), default=0)
    return tuple(nodes[k] for k in range(deepest) for nodes in by_rank if k < len(nodes))
