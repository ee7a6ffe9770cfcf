"""What a run cost its nodes, as the API and the pages show it beside what was earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller
from marketplace.nodes.usage import usage_of
from marketplace.runs.readmodel import run_seen
from marketplace.storage.models import UsageReport
from metering.usage import Usage, UsageSum, by_organization, total

NOTE = "Each node's own word, signed with its key. Shown, never paid by."


def show_usage(session: Session, caller: Caller, run_id: str) -> dict[str, Any]:
    """Sums by organization and by node, and of all. Raises NotFound."""
    run = run_seen(session, caller, run_id)
    reports = [usage_of(row) for row in _rows(session, UsageReport.run_id == run_id)]
    sums = by_organization(reports)
    nodes: dict[str, list[Usage]] = {}
    for report in reports:
        nodes.setdefault(report.node, []).append(report)
    return {
        "run": run_id,
        "note": NOTE,
        "total": _shown(total(reports)),
        "organizations": [
            {
                "party": party.number,
                "organization": party.organization,
                **_shown(sums[party.organization]),
                "nodes": [
                    {"spiffe_id": node, **_shown(total(own))}
                    for node, own in sorted(nodes.items())
                    if own[0].organization == party.organization
                ],
            }
            for party in run.agreement.parties
            if party.organization in sums
        ],
    }


def list_reports(
    session: Session, caller: Caller, run_id: str, round_number: int
) -> list[dict[str, Any]]:
    """The signed reports of one round, by node. Raises NotFound.

    `usage` is the text that the signature is of (EIP-191): anyone can check it against `key`.
    """
    run_seen(session, caller, run_id)
    rows = _rows(session, UsageReport.run_id == run_id, UsageReport.round == round_number)
    return [
        {
            "usage": usage_of(row).to_bytes().decode("ascii"),
            "signature": row.signature,
            "key": row.key,
            "received_s": row.received_s,
        }
        for row in rows
    ]


def _rows(session: Session, *wanted: sa.ColumnElement[bool]) -> Sequence[UsageReport]:
    query = sa.select(UsageReport).where(*wanted)
    return session.scalars(query.order_by(UsageReport.round, UsageReport.spiffe_id)).all()


def _shown(usage: UsageSum) -> dict[str, Any]:
    return asdict(usage) | {"compute_s": usage.compute_s}
