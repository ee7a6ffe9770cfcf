"""What nodes say about themselves, and the list of nodes that people see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from marketplace.access import Caller, visible
from marketplace.nodes.credentials import must_be_enrolled
from marketplace.nodes.registry import Registered, registrations_of
from marketplace.storage.models import WITHOUT_TEXT, Agreement, Enrollment, NodeStatus

# After three heartbeats of a minute's rhythm have failed to come.
SILENT_AFTER_S = 180


class LastRound(BaseModel):
    """Of the last round that a node took part in, what is shown."""

    samples: int = Field(default=0, ge=0, lt=2**53)


class Trouble(BaseModel):
    """A warning or an error in a node's log. Only its own organization gets to see it."""

    at_s: int = Field(ge=0, lt=2**53)
    level: str = Field(max_length=15)
    text: str = Field(max_length=500)


class Status(BaseModel):
    """Of what a node says about itself, what is shown; the rest is not kept.

    Other parties' pages are made of it: so nothing is in it that cannot be written out.
    """

    state: str = Field(default="", max_length=63)
    round: int = Field(default=0, ge=0, lt=2**32)
    training: bool = False
    last: LastRound = LastRound()
    version: str = Field(default="", max_length=63)
    svid_expires_s: int | None = Field(default=None, ge=0, lt=2**53)
    troubles: list[Trouble] = Field(default=[], max_length=16)


def record(session: Session, enrollment_id: str, status: Status, now_s: int) -> None:
    """Keeps a node's latest word.

    Raises:
        NotAllowed: the node is not enrolled (any more).
    """
    enrollment = session.get_one(Enrollment, enrollment_id)
    must_be_enrolled(session, enrollment, now_s)
    said = status.model_dump(exclude_unset=True)
    row = session.get(NodeStatus, enrollment.spiffe_id)
    if row is None:
        row = NodeStatus(spiffe_id=enrollment.spiffe_id, received_s=now_s, status=said)
        session.add(row)
    else:
        row.status, row.received_s = said, now_s


def list_nodes(
    session: Session, caller: Caller, agreement_id: str | None, now_s: int
) -> list[dict[str, Any]]:
    """The nodes of the agreements that the caller may see, by name; retired ones last."""
    query = sa.select(Agreement).where(visible(caller, Agreement.id))
    if agreement_id is not None:
        query = query.where(Agreement.id == agreement_id)
    query = query.options(*WITHOUT_TEXT)
    agreements = session.scalars(query.order_by(Agreement.created_s.desc(), Agreement.id)).all()
    return _listed(caller, nodes_of(session, agreements, now_s))


def list_registered(
    session: Session,
    caller: Caller,
    agreement: Agreement,
    registered: Sequence[Registered],
    now_s: int,
) -> list[dict[str, Any]]:
    """`list_nodes` of an agreement at hand, with all that were ever registered under it."""
    return _listed(caller, _nodes_of(session, [agreement], {agreement.id: registered}, now_s))


def _listed(caller: Caller, nodes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    own = caller.wallets if caller.wallet is not None else frozenset[str]()
    seen = (
        node if caller.is_admin or node["wallet"] in own else _for_others(node) for node in nodes
    )
    return sorted(seen, key=lambda node: (node["retired"], node["spiffe_id"]))


def without_nodes(
    parties: Iterable[dict[str, Any]], nodes: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Those of an agreement's parties that take part, and have no node under it."""
    present = {each["party"] for each in nodes if not each["retired"]}
    return [each for each in parties if not each["out"] and each["party"] not in present]


def place_of(node: dict[str, Any]) -> str:
    """What tells a node of the list from every other."""
    return f"{node['agreement']}/{node['registration']}"


def _for_others(node: dict[str, Any]) -> dict[str, Any]:
    """What goes wrong at a site is its own organization's business."""
    said = {name: value for name, value in node["status"].items() if name != "troubles"}
    return node | {"status": said}


def nodes_of(session: Session, agreements: Sequence[Agreement], now_s: int) -> list[dict[str, Any]]:
    """Every registration under these agreements, with what the node said last."""
    registered = registrations_of(session, [each.id for each in agreements])
    return _nodes_of(session, agreements, registered, now_s)


def _nodes_of(
    session: Session,
    agreements: Sequence[Agreement],
    registered: Mapping[str, Sequence[Registered]],
    now_s: int,
) -> list[dict[str, Any]]:
    names = {each.spiffe_id for found in registered.values() for each in found}
    query = sa.select(NodeStatus.spiffe_id, NodeStatus.received_s, NodeStatus.status)
    said = {
        row.spiffe_id: row for row in session.execute(query.where(NodeStatus.spiffe_id.in_(names)))
    }
    return [
        {
            "agreement": agreement.id,
            "registration": each.registration,
            "party": each.party,
            "organization": agreement.parties[each.party].organization,
            "wallet": agreement.parties[each.party].wallet,
            "node": each.spiffe_id.rsplit("/", 1)[-1],
            "spiffe_id": each.spiffe_id,
            "key": each.key,
            "url": each.url,
            "retired": each.until is not None,
            "transaction": each.transaction,
            **_heard(None if each.until is not None else said.get(each.spiffe_id), now_s),
        }
        for agreement in agreements
        for each in registered.get(agreement.id, ())
    ]


def _heard(row: sa.Row[Any] | None, now_s: int) -> dict[str, Any]:
    if row is None:
        return {"heard_s": None, "silent": True, "status": {}}
    silent = now_s - row.received_s > SILENT_AFTER_S
    return {"heard_s": row.received_s, "silent": silent, "status": row.status}
