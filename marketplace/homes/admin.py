"""What an admin wants to know: what needs me, and is all well?"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.agreements.service import summaries
from marketplace.chain import outbox
from marketplace.consortia.views import summaries as summaries_of_drafts
from marketplace.consortia.views import visible_negotiations
from marketplace.homes import decisions
from marketplace.homes.news import latest
from marketplace.homes.operator import SOON_S
from marketplace.nodes import status
from marketplace.runs import views
from marketplace.storage.models import (
    WITHOUT_TEXT,
    Agreement,
    Enrollment,
    Negotiation,
    Operation,
    Rejection,
)

_FAILED_SHOWN_S = 7 * 86_400


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """To do, partners, agreements, runs, nodes; of all that the caller may see."""
    query = sa.select(Agreement).where(visible(caller, Agreement.id)).options(*WITHOUT_TEXT)
    ordered = query.order_by(Agreement.created_s.desc(), Agreement.id)
    agreements = summaries(session, session.scalars(ordered).all(), now_s)
    nodes = [n for n in status.list_nodes(session, caller, None, now_s) if not n["retired"]]
    runs = views.list_runs(session, caller)
    news = latest(session, caller)
    return {
        "to_do": [
            *_of_drafts(session, caller),
            *_of_agreements(agreements),
            *(_item(*each) for each in decisions.pending(session, caller, agreements, now_s)),
            *_of_missing(agreements, nodes, runs),
            *_of_enrollments(session, caller),
            *_of_operations(session, caller, now_s),
            *_of_nodes(nodes, now_s),
            *_of_runs(runs),
            *(_item(n["text"], n["hint"], n["link"]) for n in news if n["pressing"]),
        ],
        "news": news,
        "partners": _partners(agreements, nodes),
        "agreements": agreements,
        "runs": runs,
        "nodes": nodes,
    }


def _item(text: str, hint: str, link: str) -> dict[str, str]:
    return {"text": text, "hint": hint, "link": link}


def _of_drafts(session: Session, caller: Caller) -> list[dict[str, str]]:
    query = sa.select(Negotiation).where(visible_negotiations(caller), Negotiation.state == "open")
    ordered = query.order_by(Negotiation.updated_s.desc())
    return [
        _item(
            f"{each['title']}: to be agreed: {', '.join(each['open_items'])}",
            "invite whose wallet is not named; what is missing of the terms, anybody proposes",
            f"/drafts/{each['id']}",
        )
        if each["open_items"]
        else _item(
            f"{each['title']}: nothing is open any more",
            "when all are content, one of them offers this version for signature",
            f"/drafts/{each['id']}",
        )
        for each in summaries_of_drafts(session, session.scalars(ordered).all())
    ]


def _of_missing(
    agreements: list[dict[str, Any]], nodes: list[dict[str, Any]], runs: list[dict[str, Any]]
) -> list[dict[str, str]]:
    """What agreements in force lack: nodes of all their parties first, then a run."""
    enrolled: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        enrolled.setdefault(node["agreement"], []).append(node)
    active = [each for each in agreements if each["state"] == "active"]
    missing = {
        each["id"]: status.without_nodes(each["parties"], enrolled.get(each["id"], ()))
        for each in active
    }
    begun = {run["agreement"] for run in runs}
    return [
        *(
            _item(
                f"{each['title']}: no node yet of "
                + _names([party["organization"] for party in missing[each["id"]]]),
                "its owner, or you, makes an enrollment token and hands it to the operator",
                f"/agreements/{each['id']}/nodes",
            )
            for each in active
            if missing[each["id"]]
        ),
        *(
            _item(
                f"{each['title']}: every party has a node, and no run has begun",
                "one of its parties begins it, with its wallet",
                f"/agreements/{each['id']}/runs/new",
            )
            for each in active
            if not missing[each["id"]] and each["id"] not in begun
        ),
    ]


def _of_agreements(agreements: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        _item(
            f"{each['title']}: not signed by {_names(missing)}",
            "send them the link; each signs with the organization's wallet",
            f"/agreements/{each['id']}",
        )
        for each in agreements
        if each["state"] == "signing"
        and (missing := [p["organization"] for p in each["parties"] if p["signed_s"] is None])
    ] + [
        _item(
            f"{each['title']}: all have signed, and nobody vouches for it",
            "admit its organizations to have it posted, or leave it to them to post it",
            "/admissions",
        )
        for each in agreements
        if each["state"] == "signed" and not each["admitted"]
    ]


def _of_enrollments(session: Session, caller: Caller) -> list[dict[str, str]]:
    query = sa.select(Enrollment).where(
        visible(caller, Enrollment.agreement_id),
        Enrollment.key_signature.is_not(None),
        Enrollment.wallet_signature.is_(None),
        Enrollment.id.not_in(sa.select(Rejection.enrollment_id)),
    )
    return [
        _item(
            f"{row.spiffe_id.partition('/org/')[2].replace('/node/', '/')} asks to be enrolled",
            "its owner approves it, on the page of nodes or with swarm-market node approve",
            "/nodes",
        )
        for row in session.scalars(query.order_by(Enrollment.created_s))
    ]


def _of_operations(session: Session, caller: Caller, now_s: int) -> list[dict[str, str]]:
    query = sa.select(Operation).where(
        visible(caller, Operation.agreement_id),
        Operation.state == outbox.FAILED,
        Operation.updated_s > now_s - _FAILED_SHOWN_S,
    )
    return [
        _item(
            f"{row.kind} failed: {row.error or 'without a reason'}",
            row.hint or "it can be asked for again",
            f"/agreements/{row.agreement_id}",
        )
        for row in session.scalars(query.order_by(Operation.updated_s.desc()))
    ]


def _of_nodes(nodes: list[dict[str, Any]], now_s: int) -> list[dict[str, str]]:
    found = []
    for node in nodes:
        name = f"{node['organization']}/{node['node']}"
        expires_s = node["status"].get("svid_expires_s")
        if node["heard_s"] is not None and node["silent"]:
            found.append(_item(f"{name} is silent", "ask its operator", "/nodes"))
        elif expires_s is not None and expires_s - now_s < SOON_S:
            found.append(
                _item(f"The certificate of {name} ends soon", "ask its operator", "/nodes")
            )
    return found


def _of_runs(runs: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [
        _item(
            f"{run['name']} has no budget",
            "its sponsor funds it, on its page; rounds until then pay nobody",
            f"/runs/{run['id']}",
        )
        for run in runs
        if run["state"] == "open" and run["funded_wei"] == "0"
    ]


def _partners(
    agreements: list[dict[str, Any]], nodes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Organizations by name: in how many agreements, with how many nodes, of which how many up."""
    found: dict[str, dict[str, Any]] = {}
    for agreement in agreements:
        for party in agreement["parties"]:
            entry = found.setdefault(
                party["organization"],
                {
                    "organization": party["organization"],
                    "wallet": party["wallet"],
                    "party": party["party"],
                    "agreements": 0,
                    "nodes": 0,
                    "up": 0,
                    "heard_s": None,
                },
            )
            entry["agreements"] += agreement["state"] == "active"
    for node in nodes:
        entry = found[node["organization"]]
        entry["nodes"] += 1
        entry["up"] += not node["silent"]
        heard = [at for at in (entry["heard_s"], node["heard_s"]) if at is not None]
        entry["heard_s"] = max(heard, default=None)
    return sorted(found.values(), key=lambda each: str(each["organization"]))


def _names(organizations: list[str]) -> str:
    return " and ".join(
        [", ".join(organizations[:-1]), organizations[-1]] if organizations[1:] else organizations
    )
