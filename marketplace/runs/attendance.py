"""Who was there in a round: every enrolled node is listed, and what became of its update.

From the chain: who was enrolled, who signed, whose update was left out and why, and which
organizations' updates went in (a paid row names them all). The chain does not say which of several
nodes of one organization trained: there its signature decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from contracts.parties import parties_in
from marketplace.nodes.registry import Registered
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


def attendance(
    opened: Mapping[str, Any], nodes: Sequence[Registered], row: Round
) -> list[dict[str, Any]]:
    """Every node that was enrolled when the round opened, by SPIFFE ID.

    Args:
        opened: what `RoundOpened` said of the round.
        nodes: all registrations under its agreement.
        row: the sealed round.
    """
    counted = parties_in(int(opened["active"]))
    enrolled = [each for each in nodes if each.belongs_to(opened["snapshot_version"])]
    rejected = {number: REASONS.get(code, f"code {code}") for number, code in row.rejects}
    paid = {party for party, _ in row.shares}
    return [
        {
            "spiffe_id": each.spiffe_id,
            "party": each.party,
            "state": str(_state(each, row, counted, rejected, paid)),
            "reason": rejected.get(each.registration),
        }
        for each in sorted(enrolled, key=lambda node: node.spiffe_id)
    ]


def _state(
    node: Registered, row: Round, counted: Sequence[int], rejected: dict[int, str], paid: set[int]
) -> Attended:
    signed = node.registration in row.signers
    if node.party not in counted:
        return Attended.LEFT_OUT
    if node.registration in rejected:
        return Attended.REJECTED
    if not paid:
        return Attended.SIGNED if signed else Attended.ABSENT
    if node.party in paid:
        return Attended.MERGED
    return Attended.LATE if signed else Attended.ABSENT
