"""What happened to an agreement: each change with its place on chain, and how to undo it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.consortium import State
from marketplace.access import Caller, agreement_seen
from marketplace.agreements.document import token_amount
from marketplace.clock import iso
from marketplace.nodes.registry import registrations
from marketplace.runs import beginning, pools
from marketplace.storage.models import Agreement, Event
from marketplace.storage.models.ledger import Block
from marketplace.storage.pieces import ALL, By, Piece, cut

_STATES: Final = {
    State.ACTIVE: ("Resumed by vote", "A motion to suspend."),
    State.SUSPENDED: (
        "Suspended by vote: later rounds count nobody",
        "A motion to resume: swarm-market motion propose … resume",
    ),
    State.TERMINATED: (
        "Terminated: no rounds, no enrollments; what is credited stays claimable",
        "Cannot be undone. Sign a new agreement.",
    ),
}
_OF_RUNS: Final = ("Funded", "Quarantined", "Pardoned")
_FOR_GOOD: Final = "Cannot be undone. An amendment may add the organization under another name."


def history(
    session: Session, caller: Caller, agreement_id: str, now_s: int, piece: Piece = ALL
) -> list[dict[str, Any]]:
    """The changes of an agreement, the latest first; places are (`block`, `log_index`).

    Returns:
        For each `what`, `undo`, `transaction`, `block`, `log_index`, `kind`, and `time_s` of its
        block, if it was read.

    Raises:
        NotFound: no such agreement that the caller may see.
        InvalidInput: the piece's place is none.
    """
    agreement = agreement_seen(session, caller, agreement_id)
    runs = sa.select(Event.run_id).where(
        Event.kind == "RunCreated", Event.agreement_id == agreement_id
    )
    query = sa.select(Event).where(
        sa.or_(
            sa.and_(Event.agreement_id == agreement_id, Event.kind.in_(_WORDS)),
            sa.and_(Event.run_id.in_(runs), Event.kind.in_(_OF_RUNS)),
        )
    )
    order = By(Event.block, falling=True), By(Event.log_index, falling=True)
    events = session.scalars(cut(query, piece, *order)).all()
    times = _times(session, events)
    names = _names(session, {each.run_id for each in events if each.run_id})
    nodes = {each.registration: each.spiffe_id for each in registrations(session, agreement_id)}
    told = _Teller(agreement, nodes, now_s)
    return [
        {
            "kind": event.kind,
            "what": what,
            "undo": undo,
            "transaction": event.transaction,
            "block": event.block,
            "time_s": times.get(event.block),
            "log_index": event.log_index,
        }
        for event in events
        for what, undo in [
            _WORDS[event.kind](told, {**event.data, "run": names.get(event.run_id or "")})
        ]
    ]


def _times(session: Session, events: Sequence[Event]) -> dict[int, int]:
    chain_ids, blocks = {each.chain_id for each in events}, {each.block for each in events}
    query = sa.select(Block.number, Block.time_s)
    rows = session.execute(query.where(Block.chain_id.in_(chain_ids), Block.number.in_(blocks)))
    return {row.number: row.time_s for row in rows}


def _names(session: Session, runs: Collection[str]) -> dict[str | None, str]:
    created = sa.select(Event.run_id, Event.data).where(
        Event.kind == "RunCreated", Event.run_id.in_(runs)
    )
    return {run: str(data["name"]) for run, data in session.execute(created)} if runs else {}


class _Teller:
    """Says what an event means, with names instead of numbers."""

    def __init__(self, agreement: Agreement, nodes: dict[int, str], now_s: int) -> None:
        self._agreement = agreement
        self._nodes = nodes
        self._now_s = now_s

    def activated(self, _: dict[str, Any]) -> tuple[str, str]:
        until = iso(self._agreement.message["not_after"])
        return (
            "In force: signed by all parties",
            f"It ends by itself on {until}; before that by a motion to terminate.",
        )

    def amended(self, data: dict[str, Any]) -> tuple[str, str]:
        return (
            f"Amended: version {data['version']} is in force",
            "Another amendment, back to the earlier text: swarm-market agreement amend",
        )

    def state_changed(self, data: dict[str, Any]) -> tuple[str, str]:
        return _STATES.get(State(data["state"]), ("The state changed", ""))

    def party_out(self, data: dict[str, Any]) -> tuple[str, str]:
        how = "was removed by vote" if data["removed"] else "left"
        return f"{self._name(data)} {how}, with all its nodes", _FOR_GOOD

    def wallet_changed(self, data: dict[str, Any]) -> tuple[str, str]:
        since = int(data["since"])
        if since > self._now_s:
            return (
                f"{data['wallet']} is to become the wallet of {self._name(data)} on {iso(since)}",
                "The present wallet can veto until then: swarm-market agreement veto",
            )
        return (
            f"{data['wallet']} is the wallet of {self._name(data)}",
            "The new wallet can move it back: swarm-market agreement move-wallet",
        )

    def vetoed(self, data: dict[str, Any]) -> tuple[str, str]:
        return (
            f"{self._name(data)} vetoed the replacement of its wallet by {data['wallet']}",
            "Another motion to replace the wallet.",
        )

    def enrolled(self, data: dict[str, Any]) -> tuple[str, str]:
        node = data["spiffe_id"].rpartition("/")[2]
        return (
            f"Node {self._name(data)}/{node} enrolled with key {data['key']}",
            f"swarm-market node retire {self._name(data)}/{node}",
        )

    def retired(self, data: dict[str, Any]) -> tuple[str, str]:
        known = self._nodes.get(data["registration"], "")
        node = known.rpartition("/")[2] or f"number {data['registration']}"
        return (
            f"Node {self._name(data)}/{node} retired",
            "Enroll it again with a new token and a new key: swarm-market node token",
        )

    def quarantined(self, data: dict[str, Any]) -> tuple[str, str]:
        return (
            f"{self._name(data)} is in quarantine until {iso(int(data['until']))}",
            "A motion to pardon: swarm-market motion propose … pardon",
        )

    def pardoned(self, data: dict[str, Any]) -> tuple[str, str]:
        return f"{self._name(data)} was let back into the run by vote", "It may be struck again."

    def run_created(self, data: dict[str, Any]) -> tuple[str, str]:
        anew = f" anew, as generation {data['generation']}" if data["generation"] > 1 else ""
        return (
            f"Run {data['name']} begun{anew}",
            beginning.UNDO,
        )

    def funded(self, data: dict[str, Any]) -> tuple[str, str]:
        sender, tokens = data["sender"], token_amount(int(data["amount"]))
        known = {each.wallet: each.organization for each in self._agreement.parties}
        return (
            f"{known.get(sender, sender)} paid {tokens} tokens into the pool of {data['run']}",
            pools.UNDO,
        )

    def _name(self, data: dict[str, Any]) -> str:
        number = data["party"]
        parties = self._agreement.parties
        return parties[number].organization if number < len(parties) else f"party {number}"


_WORDS: Final[dict[str, Callable[[_Teller, dict[str, Any]], tuple[str, str]]]] = {
    "AgreementActivated": _Teller.activated,
    "AgreementAmended": _Teller.amended,
    "StateChanged": _Teller.state_changed,
    "PartyOut": _Teller.party_out,
    "WalletChanged": _Teller.wallet_changed,
    "Vetoed": _Teller.vetoed,
    "NodeEnrolled": _Teller.enrolled,
    "NodeRetired": _Teller.retired,
    "RunCreated": _Teller.run_created,
    "Funded": _Teller.funded,
    "Quarantined": _Teller.quarantined,
    "Pardoned": _Teller.pardoned,
}
