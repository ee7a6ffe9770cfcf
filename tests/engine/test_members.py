"""Who is counted in a round, as an operator's node reads it from the chain."""

from __future__ import annotations

from contracts.consortium import Registration
from contracts.keys import new_key
from contracts.parties import party_set
from node_agent.engine.chain import peers_of

ORGANIZATIONS = ("north", "south", "west")


def registration(number: int, party: int, *, since: int, until: int = 0) -> Registration:
    spiffe_id = f"spiffe://care.example/org/{ORGANIZATIONS[party]}/node/{number}"
    key = new_key().address
    return Registration(number, key, party, True, since, until, spiffe_id, "https://x.example")


REGISTERED = (
    registration(0, 2, since=1),
    registration(1, 0, since=2, until=4),
    registration(2, 1, since=3),
    registration(3, 0, since=4),
)


def test_a_round_has_the_registrations_of_its_snapshot() -> None:
    everyone = party_set((0, 1, 2))
    before = peers_of(REGISTERED, ORGANIZATIONS, version=3, active=everyone)
    after = peers_of(REGISTERED, ORGANIZATIONS, version=4, active=everyone)
    assert [peer.registration for peer in before] == [1, 2, 0]
    assert [peer.registration for peer in after] == [3, 2, 0]


def test_nodes_of_an_organization_that_is_not_counted_are_not_members() -> None:
    counted = peers_of(REGISTERED, ORGANIZATIONS, version=4, active=party_set((0, 2)))
    assert [peer.organization for peer in counted] == ["north", "west"]
