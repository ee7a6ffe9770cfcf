"""What an operator wants to know: are my nodes well, and what do I have to do?"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.agreements.standing import standings
from marketplace.homes.news import OF_NODES, latest
from marketplace.nodes import status
from marketplace.storage.models import WITHOUT_TEXT, Agreement, Party

_DAY_S = 86_400
SOON_S = _DAY_S  # built-in certificates are renewed at half of their 72 h


def show(session: Session, caller: Caller, now_s: int) -> dict[str, Any]:
    """The caller's own nodes, each with what is wrong with it; where he may bring in more.

    Raises:
        SignInRequired: a visitor, who has no nodes.
    """
    mine_are = {caller.signed_in} | caller.operates_for
    listed = status.list_nodes(session, caller, None, now_s)
    mine = [node for node in listed if node["wallet"] in mine_are and not node["retired"]]
    newest = max((_number(node["status"].get("version", "")) for node in listed), default=())
    return {
        "nodes": [node | {"worries": worries(node, newest, now_s)} for node in mine],
        # An admin's own, too: what happens to others is on the admin's home.
        "news": latest(
            session, Caller(caller.signed_in, operates_for=caller.operates_for), OF_NODES
        ),
        "titles": _titles(session, {node["agreement"] for node in mine}),
        "seats": _seats(session, caller, mine_are),
    }


def _titles(session: Session, agreements: Set[str]) -> dict[str, str]:
    query = sa.select(Agreement.id, Agreement.title).where(Agreement.id.in_(agreements))
    return {row.id: row.title for row in session.execute(query)}


def _seats(session: Session, caller: Caller, mine_are: Set[str]) -> list[dict[str, Any]]:
    """Where the caller may bring nodes in: organizations of agreements that are in force."""
    query = (
        sa.select(Agreement, Party)
        .join(Party, Party.agreement_id == Agreement.id)
        .where(Party.wallet.in_(mine_are), visible(caller, Agreement.id))
    )
    query = query.options(*WITHOUT_TEXT).order_by(Agreement.created_s.desc())
    rows = session.execute(query).all()
    stand = standings(session, [agreement.id for agreement, _ in rows])
    return [
        {
            "agreement": agreement.id,
            "title": agreement.title,
            "organization": party.organization,
            "party": party.number,
        }
        for agreement, party in rows
        if stand[agreement.id].active and stand[agreement.id].state == "active"
    ]


def worries(node: dict[str, Any], newest: tuple[int, ...], now_s: int) -> list[dict[str, str]]:
    """What an operator should look at: `text`, and `hint` with what to do."""
    said, found = node["status"], []
    if node["heard_s"] is None:
        return [
            {"text": "never heard of", "hint": "start it: swarm-node validate && swarm-node run"}
        ]
    if node["silent"]:
        found.append(
            {
                "text": "silent: no heartbeat for more than three minutes",
                "hint": "on its machine: swarm-node status; swarm-node logs --level warning",
            }
        )
    expires_s = said.get("svid_expires_s")
    if expires_s is not None and expires_s - now_s < SOON_S:
        text = "its certificate is over" if expires_s <= now_s else "its certificate ends soon"
        found.append({"text": text, "hint": "swarm-node enroll, on its folder, renews it"})
    if said.get("state") == "training" and not said.get("training", True):
        found.append(
            {
                "text": "no training process is connected",
                "hint": "start the training program with SWARM_AGENT_SOCKET set",
            }
        )
    if said.get("version") and _number(said["version"]) < newest:
        found.append(
            {
                "text": f"version {said['version']}; others run a newer one",
                "hint": "update it between rounds: it goes on where it was",
            }
        )
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
