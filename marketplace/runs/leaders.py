"""Who leads a round: the same ranking that the nodes compute, from the index."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import leader_rank
from contracts.parties import parties_in
from marketplace.nodes.registry import Registered, registrations
from marketplace.runs.readmodel import RunHistory
from marketplace.storage.models import Enrollment


def leaders(session: Session, run: RunHistory) -> dict[int, tuple[str, ...]]:
    """For each sealed round and the open one, the SPIFFE IDs that lead terms 0, 1, 2, ….

    The order is that of `node_agent.engine.leader`: organizations by the hash of run, round, last
    merged root and name; every organization's first node comes before anybody's second.
    """
    members = registrations(session, run.agreement.id)
    idle = _may_not_lead(session, run.agreement.id)
    names = {party.number: party.organization for party in run.agreement.parties}
    able = [each for each in members if each.key not in idle]
    opened = {event.data["round"]: event.data for event in run.of_kind("RoundOpened")}
    found: dict[int, tuple[str, ...]] = {}
    merged_root = run.initial_root
    for number in range(len(run.rounds) + (run.ending is None)):
        counted = parties_in(int(opened[number]["active"]))
        version = opened[number]["snapshot_version"]
        seats = [each for each in able if each.belongs_to(version) and each.party in counted]
        found[number] = _ranking(run.run_id, number, merged_root, seats, names)
        if number < len(run.rounds):
            merged_root = run.rounds[number].merged_root
    return found


def _ranking(
    run_id: str, number: int, merged_root: str, members: Sequence[Registered], names: dict[int, str]
) -> tuple[str, ...]:
    seats: dict[int, list[str]] = {}
    for each in sorted(members, key=lambda member: member.spiffe_id):
        seats.setdefault(each.party, []).append(each.spiffe_id)
    run, root = bytes.fromhex(run_id[2:]), bytes.fromhex(merged_root[2:])
    ranked = [
        seats[party]
        for party in sorted(seats, key=lambda p: leader_rank(run, number, root, names[p]))
    ]
    deepest = max(map(len, ranked), default=0)
    return tuple(nodes[k] for k in range(deepest) for nodes in ranked if k < len(nodes))


def _may_not_lead(session: Session, agreement_id: str) -> set[str]:
    # The event does not tell; of nodes that were not enrolled through us we assume that they may.
    rows = session.scalars(sa.select(Enrollment).where(Enrollment.agreement_id == agreement_id))
    return {row.key for row in rows if not row.message["may_lead"]}
