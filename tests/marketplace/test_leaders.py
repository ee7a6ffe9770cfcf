"""Who is shown to lead is who leads among the nodes."""

from __future__ import annotations

import pytest

from marketplace.nodes.registry import Registered
from marketplace.runs.leaders import Leaders
from marketplace.runs.rounds import Opening
from node_agent.engine.leader import ranking
from node_agent.peers.protocol import Peer

RUN_ID, ROOT = "0x" + "ab" * 32, "0x" + "cd" * 32
ORGANIZATIONS = {0: "clinic-a", 1: "clinic-b", 2: "clinic-c"}
COUNTED = frozenset({0, 1})
NODES = [(0, "site-2"), (0, "site-1"), (1, "site-1"), (1, "site-2"), (2, "site-1")]


@pytest.mark.parametrize("idle", [[], [1, 2], [0, 1, 2, 3]], ids=["none", "some", "all"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_term_has_the_leader_that_the_nodes_follow(idle: list[int], number: int) -> None:
    registered = [_registered(n, party, node) for n, (party, node) in enumerate(NODES)]
    peers = [
        Peer(
            each.registration,
            each.party,
            ORGANIZATIONS[each.party],
            each.spiffe_id,
            each.url,
            each.key,
            each.registration not in idle,
        )
        for each in registered
        if each.party in COUNTED
    ]
    order = ranking(bytes.fromhex(RUN_ID[2:]), number, bytes.fromhex(ROOT[2:]), peers)
    leaders = Leaders(RUN_ID, ORGANIZATIONS, registered, {f"key {each}" for each in idle})
    shown = [leaders.of(number, Opening(COUNTED, 1, ROOT), term) for term in range(6)]
    assert shown == [order[term % len(order)].spiffe_id for term in range(6)]


def test_a_round_without_nodes_has_no_leader() -> None:
    leaders = Leaders(RUN_ID, ORGANIZATIONS, [], ())
    assert leaders.of(1, Opening(frozenset(), 1, ROOT), 0) is None


def _registered(number: int, party: int, node: str) -> Registered:
    return Registered(
        agreement_id="0x" + "11" * 32,
        registration=number,
        party=party,
        key=f"key {number}",
        spiffe_id=f"spiffe://swarm.example/org/{ORGANIZATIONS[party]}/node/{node}",
        url="",
        since=0,
        until=None,
        transaction="",
    )
