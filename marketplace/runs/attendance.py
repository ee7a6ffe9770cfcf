"""Who was there in a round: every enrolled node is listed, and what became of its update.

From the chain: who was enrolled, who signed, whose update was left out and why, and which
organizations' updates went in (a paid row names them all). The chain does not say which of several
nodes of one organization trained: there its signature decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from marketplace.nodes.registry import Registered
from marketplace.runs.rounds import Opening
from marketplace.storage.models import Round

# docs/protocol.md, Signed messages
REASONS = {
    1: "hash",
    2: "header",
    3: "schema",
    4: "not finite",
    5: "too few samples",
    6: "unavailable",
}


class Attended(StrEnum):
    """What became of a node in a round."""

    MERGED = "merged"  # its organization's update went in
    LATE = "late"  # signed the result, without an update of its own in it
    SIGNED = "signed"  # signed; the round paid nobody, so that no row tells whose updates went in
    REJECTED = "rejected"  # its update was left out
    ABSENT = "absent"  # neither signed nor had an update merged
    LEFT_OUT = "left out"  # its organization was suspected, suspended or in quarantine


def attendance(opening: Opening, nodes: Sequence[Registered], row: Round) -> list[dict[str, Any]]:
    """Every node that was enrolled when the round opened, by SPIFFE ID.

    Args:
        opening: how the round was opened.
        nodes: all registrations under its agreement, by SPIFFE ID.
        row: the sealed round.
    """
    rejected = {number: REASONS.get(code, f"code {code}") for number, code in row.rejects}
    paid, signers = {party for party, _ in row.shares}, set(row.signers)
    return [
        {
            "spiffe_id": each.spiffe_id,
            "party": each.party,
            "state": _state(each, opening, signers, rejected, paid).value,
            "reason": rejected.get(each.registration),
        }
        for each in opening.enrolled(nodes)
    ]


def _state(
    node: Registered,
    opening: Opening,
    signers: set[int],
    rejected: dict[int, str],
    paid: set[int],
) -> Attended:
    signed = node.registration in signers
    if node.party not in opening.counted:
        return Attended.LEFT_OUT
    if node.registration in rejected:
        return Attended.REJECTED
    if not paid:
        return Attended.SIGNED if signed else Attended.ABSENT
    if node.party in paid:
        return Attended.MERGED
    return Attended.LATE if signed else Attended.ABSENT
