"""Who leads a round: the same ranking that the nodes compute, from the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import leader_rank
from contracts.parties import parties_in
from marketplace.nodes.registry import Registered
from marketplace.runs.readmodel import RunFigures
from marketplace.storage.models import Enrollment


class Leaders:
    """Ranks the nodes of a run's agreement, round by round.

    The order is that of `node_agent.engine.leader`: organizations by the hash of run, round, last
    merged root and name; every organization's first node comes before anybody's second.
    """

    def __init__(self, session: Session, run: RunFigures, members: Sequence[Registered]) -> None:
        idle = _may_not_lead(session, run.agreement.id)
        self._run_id = run.run_id
        self._names = {party.number: party.organization for party in run.agreement.parties}
        self._able = [each for each in members if each.key not in idle]

    def of(self, number: int, opened: Mapping[str, Any], root_before: str) -> tuple[str, ...]:
        """The SPIFFE IDs that lead terms 0, 1, 2, … of a round.

        Args:
            number: of the round.
            opened: what `RoundOpened` said.
            root_before: 0x-hex root of the model that the round began with.
        """
        counted, version = parties_in(int(opened["active"])), opened["snapshot_version"]
        seats = [each for each in self._able if each.belongs_to(version) and each.party in counted]
        return _ranking(self._run_id, number, root_before, seats, self._names)


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
