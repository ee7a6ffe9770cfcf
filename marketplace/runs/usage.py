"""What a run cost its nodes, as the API and the pages show it beside what was earned."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.nodes.usage import SUMMED, sums_of, usage_of
from marketplace.runs.readmodel import RunFigures, run_seen
from marketplace.storage.models import UsageReport
from marketplace.storage.pieces import ALL, By, Piece, cut
from metering.usage import UsageSum, organization_of, total_of

NOTE = "Each node's own word, signed with its key. Shown, never paid by."


def show_usage(session: Session, caller: Caller, run_id: str) -> dict[str, Any]:
    """Sums by organization and by node, and of all. Raises NotFound."""
    return usage(session, run_seen(session, caller, run_id))


def usage(session: Session, run: RunFigures) -> dict[str, Any]:
    """`show_usage`, of a run at hand."""
    sums = sums_of(session, run.run_id)
    by_organization: dict[str, dict[str, UsageSum]] = {}
    for node, own in sums.items():
        by_organization.setdefault(organization_of(node), {})[node] = own
    return {
        "run": run.run_id,
        "note": NOTE,
        "total": _shown(total_of(sums.values())),
        "organizations": [
            {
                "party": party.number,
                "organization": party.organization,
                **_shown(total_of(nodes.values())),
                "nodes": [{"spiffe_id": node, **_shown(own)} for node, own in nodes.items()],
            }
            for party in run.agreement.parties
            if (nodes := by_organization.get(party.organization))
        ],
    }


def list_reports(
    session: Session, caller: Caller, run_id: str, round_number: int, piece: Piece = ALL
) -> list[dict[str, Any]]:
    """The signed reports of one round, by `node`.

    `usage` is the text that the signature is of (EIP-191): anyone can check it against `key`.

    Raises:
        NotFound: no such run that the caller may see.
        InvalidInput: the piece's place is none.
    """
    run_seen(session, caller, run_id)
    query = sa.select(UsageReport).where(
        UsageReport.run_id == run_id, UsageReport.round == round_number
    )
    return [
        {
            "node": row.spiffe_id,
            "usage": usage_of(row).to_bytes().decode("ascii"),
            "signature": row.signature,
            "key": row.key,
            "received_s": row.received_s,
        }
        for row in session.scalars(cut(query, piece, By(UsageReport.spiffe_id)))
    ]


def _shown(usage: UsageSum) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in (*SUMMED, "compute_s")}
