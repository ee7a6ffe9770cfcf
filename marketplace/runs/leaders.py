"""Who leads a round: the same ranking that the nodes compute, from the index."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Mapping
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.messages import leader_rank
from marketplace.nodes.registry import Registered
from marketplace.runs.readmodel import RunFigures
from marketplace.runs.rounds import Opening
from marketplace.storage.models import Enrollment


class Leaders:
    """Ranks the nodes of a run's agreement, round by round.

    The order is that of `node_agent.engine.leader`: organizations by the hash of run, round, last
    merged root and name; every organization's first node comes before anybody's second.

    Args:
        run_id: 0x-hex.
        organizations: by party.
        members: all registrations under the agreement.
        barred: keys of those that may not lead.
    """

    def __init__(
        self,
        run_id: str,
        organizations: Mapping[int, str],
        members: Iterable[Registered],
        barred: Container[str],
    ) -> None:
        self._run_id = bytes.fromhex(run_id[2:])
        self._organizations = organizations
        self._members = sorted(members, key=lambda member: member.spiffe_id)
        self._barred = barred

    @classmethod
    def read(cls, session: Session, run: RunFigures, members: Iterable[Registered]) -> Self:
        """Those of a run, of all that are registered under its agreement."""
        names = {party.number: party.organization for party in run.agreement.parties}
        return cls(run.run_id, names, members, _may_not_lead(session, run.agreement.id))

    def of(self, number: int, opening: Opening, term: int) -> str | None:
        """SPIFFE ID of who leads a term of a round; None if there is nobody in it."""
        everyone = opening.members(self._members)
        # Where nobody may, everybody does: a run without leaders would stand still.
        eligible = [each for each in everyone if each.key not in self._barred] or everyone
        seats: dict[str, list[str]] = {}
        for each in eligible:
            seats.setdefault(self._organizations[each.party], []).append(each.spiffe_id)
        root = bytes.fromhex(opening.root[2:])
        ranked = [seats[each] for each in _ranking(self._run_id, number, root, frozenset(seats))]
        deepest = max(map(len, ranked), default=0)
        order = [nodes[k] for k in range(deepest) for nodes in ranked if k < len(nodes)]
        return order[term % len(order)] if order else None


@functools.lru_cache(maxsize=1_024)  # rounds; hashing for fifty organizations takes milliseconds
def _ranking(
    run_id: bytes, number: int, root: bytes, organizations: frozenset[str]
) -> tuple[str, ...]:
    return tuple(sorted(organizations, key=lambda each: leader_rank(run_id, number, root, each)))


def _may_not_lead(session: Session, agreement_id: str) -> set[str]:
    # The event does not tell; of nodes that were not enrolled through us we assume that they may.
    query = sa.select(Enrollment.key, Enrollment.message)
    rows = session.execute(query.where(Enrollment.agreement_id == agreement_id))
    return {key for key, message in rows if not message["may_lead"]}
