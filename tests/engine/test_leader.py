"""Everyone computes the same leaders, and no organization leads out of turn."""

from __future__ import annotations

import random
from dataclasses import replace

from node_agent.engine.leader import ranking
from tests.engine.rounds import BASE, RUN, Table


def test_the_ranking_does_not_depend_on_the_order_of_members() -> None:
    members = list(Table([0, 1, 2, 2, 1]).context.members)
    expected = ranking(RUN, 7, BASE, members)
    for seed in range(20):
        random.Random(seed).shuffle(members)
        assert ranking(RUN, 7, BASE, members) == expected


def test_every_organization_leads_before_one_leads_twice() -> None:
    leaders = ranking(RUN, 7, BASE, Table([0, 0, 0, 1, 2]).context.members)
    assert {peer.party for peer in leaders[:3]} == {0, 1, 2}
    assert [peer.party for peer in leaders[3:]] == [0, 0]


def test_leadership_moves_with_the_model() -> None:
    members = Table([0, 1, 2]).context.members
    first = {ranking(RUN, r, bytes([r]) * 32, members)[0].party for r in range(30)}
    assert first == {0, 1, 2}


def test_where_nobody_may_lead_everybody_does() -> None:
    members = [replace(peer, may_lead=False) for peer in Table([0, 1, 2]).context.members]
    assert len(ranking(RUN, 7, BASE, members)) == 3
    one = [replace(members[0], may_lead=True), *members[1:]]
    assert ranking(RUN, 7, BASE, one) == (one[0],)
