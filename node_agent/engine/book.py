"""The signed messages of one round, each checked once on entry.

What is in the book can be relied upon: it belongs to this round and ``prev``, was signed by the
registered key of a member of the snapshot, and is the first of its kind by that member (a second,
different one is kept out: see ``contradictions``). No clock, no network, no disk in here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from contracts.errors import MessageError
from contracts.messages import (
    Attestation,
    Holdings,
    Refusal,
    Roster,
    Update,
    digest,
    from_json,
    recover,
    struct_hash,
    to_json,
    updates_root,
)
from node_agent.engine.context import RoundContext
from node_agent.engine.rosters import NO_ROSTER, Signed, members_after
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Envelope, Peer

T = TypeVar("T", Update, Holdings, Attestation, Refusal, Roster)


@dataclass(slots=True)
class Tally:
    """Who signed one and the same attestation."""

    attestation: Attestation
    signatures: dict[int, str] = field(default_factory=dict)


class Book:
    """All that is known of one round. ``add`` raises ``MessageRefused`` with the reason."""

    def __init__(self, context: RoundContext, leaders: tuple[Peer, ...]) -> None:
        self.context = context
        self.leaders = leaders
        self.ready: set[int] = set()
        self.updates: dict[int, Signed[Update]] = {}
        self.rosters: dict[int, Signed[Roster]] = {}
        self.holdings: dict[int, dict[int, Signed[Holdings]]] = {}
        self.tallies: dict[bytes, Tally] = {}
        self.proposals: dict[int, Attestation] = {}
        self.refusals: dict[int, dict[int, Signed[Refusal]]] = {}
        self.contradictions: Counter[int] = Counter()
        self._seen: dict[str, Envelope] = {}

    def leader(self, term: int) -> Peer:
        """The node that term belongs to."""
        return self.leaders[term % len(self.leaders)]

    # -- entering messages

    def add(self, envelope: Envelope, sender: Peer | None = None) -> bool:
        """Enter a message; False when it was known already. ``sender``: who handed it to us."""
        if envelope.kind == "ready":
            return self._add_ready(sender)
        identity = f"{envelope.kind}/{envelope.registration}/{envelope.signature}"
        if identity in self._seen:
            return False
        signer = self.context.by_registration.get(envelope.registration)
        if signer is None:
            raise MessageRefused(
                f"registration {envelope.registration} is not in this round's snapshot"
            )
        try:
            new = self._enter(envelope, signer)
        except MessageError as error:
            raise MessageRefused(f"malformed {envelope.kind}: {error}") from error
        if new:
            self._seen[identity] = envelope
        return new

    def envelopes(self) -> list[Envelope]:
        """Everything in the book, for a peer that catches up."""
        return list(self._seen.values())

    def _enter(self, envelope: Envelope, signer: Peer) -> bool:
        match envelope.kind:
            case "update":
                return self._add_update(self._checked(Update, envelope.message, envelope, signer))
            case "roster":
                return self._add_roster(envelope, signer)
            case "holdings":
                signed = self._checked(Holdings, envelope.message, envelope, signer)
                held = self.holdings.setdefault(signed.message.term, {})
                return self._first(held, signer.registration, signed)
            case "attestation":
                return self._add_attestation(
                    self._checked(Attestation, envelope.message, envelope, signer)
                )
            case "refusal":
                refusal = self._checked(Refusal, envelope.message, envelope, signer)
                refused = self.refusals.setdefault(refusal.message.term, {})
                return self._first(refused, signer.registration, refusal)
            case _:
                raise MessageRefused(f"a {envelope.kind} is not a message of a round")

    def _checked(
        self, kind: type[T], body: dict[str, Any], envelope: Envelope, signer: Peer
    ) -> Signed[T]:
        message = from_json(kind, body)
        context = self.context
        if message.run_id != context.run_id or message.round != context.round:
            raise MessageRefused("the message belongs to another run or round")
        if message.prev != context.prev:
            raise MessageRefused("the message names another predecessor (prev)")
        if getattr(message, "registration", signer.registration) != signer.registration:
            raise MessageRefused("the message names another node than its signer")
        signature = bytes.fromhex(envelope.signature[2:])
        if recover(context.domain, message, signature) != signer.key:
            raise MessageRefused(f"the signature is not that of {signer.spiffe_id}")
        return Signed(message, signer.registration, envelope.signature)

    def _first(self, table: dict[int, Signed[T]], key: int, signed: Signed[T]) -> bool:
        known = table.get(key)
        if known is None:
            table[key] = signed
            return True
        if known.message != signed.message:
            self.contradictions[signed.registration] += 1
            raise MessageRefused(f"registration {signed.registration} has signed otherwise before")
        return False

    def _add_ready(self, sender: Peer | None) -> bool:
        if sender is None or self.context.round != 0 or sender.registration in self.ready:
            return False
        self.ready.add(sender.registration)
        return True

    def _add_update(self, signed: Signed[Update]) -> bool:
        if signed.message.samples < self.context.terms.min_samples:
            raise MessageRefused(
                f"an update from {signed.message.samples} samples; "
                f"the terms ask for {self.context.terms.min_samples}"
            )
        return self._first(self.updates, signed.registration, signed)

    def _add_attestation(self, signed: Signed[Attestation]) -> bool:
        attestation, signer = signed.message, signed.registration
        key = digest(self.context.domain, attestation)
        tally = self.tallies.setdefault(key, Tally(attestation))
        if signer in tally.signatures:
            return False
        tally.signatures[signer] = signed.signature
        if self.leader(attestation.term).registration == signer:
            self.proposals.setdefault(attestation.term, attestation)
        return True

    def _add_roster(self, envelope: Envelope, signer: Peer) -> bool:
        body = envelope.message
        if set(body) != {"roster", "updates", "holdings", "earlier"}:
            raise MessageRefused("a roster comes with its updates, holdings and earlier rosters")
        signed = self._checked(Roster, body["roster"], envelope, signer)
        roster = signed.message
        if self.leader(roster.term).registration != signer.registration:
            raise MessageRefused(f"term {roster.term} is not led by {signer.spiffe_id}")
        for kind in ("updates", "holdings", "earlier"):
            for item in body[kind]:
                self.add(Envelope.from_json(item))
        self._check_members(roster, body)
        return self._first(self.rosters, roster.term, signed)

    def _check_members(self, roster: Roster, body: dict[str, Any]) -> None:
        order = [p.registration for p in self.context.members if p.registration in self.updates]
        if not roster.members or list(roster.members) != [
            number for number in order if number in set(roster.members)
        ]:
            raise MessageRefused("the roster's members are not committed nodes in SPIFFE ID order")
        if self.updates_root(roster.members) != roster.updates_root:
            raise MessageRefused("the roster's root does not fit the members' commits")
        if roster.term == 0:
            return
        evidence = {
            item["registration"]: self.holdings[roster.term][item["registration"]].message
            for item in body["holdings"]
            if item["registration"] in self.holdings.get(roster.term, {})
        }
        if len(self.context.parties_of(evidence)) < self.context.majority:
            raise MessageRefused("a later term's roster needs holdings of more than half")
        bound = members_after(self.context, evidence, self.roster_roots())
        if bound is not None and bound != tuple(roster.members):
            raise MessageRefused("the roster departs from what an earlier leader had opened")

    # -- asking

    def updates_root(self, members: Iterable[int]) -> bytes:
        """keccak256 over the digests of these members' updates, in their order."""
        domain = self.context.domain
        return updates_root([digest(domain, self.updates[n].message) for n in members])

    def roster_roots(self) -> dict[bytes, Roster]:
        """Known rosters by their root."""
        return {struct_hash(signed.message): signed.message for signed in self.rosters.values()}

    def roster(self, term: int) -> Roster | None:
        """The roster of a term, if its leader's has arrived."""
        signed = self.rosters.get(term)
        return signed.message if signed else None

    def latest_roster_root(self) -> bytes:
        """Root of the known roster of the highest term; zeros when there is none."""
        if not self.rosters:
            return NO_ROSTER
        return struct_hash(self.rosters[max(self.rosters)].message)

    def has_quorum(self, registrations: Iterable[int]) -> bool:
        """Do these nodes belong to a quorum of organizations?"""
        return len(self.context.parties_of(registrations)) >= self.context.quorum

    def has_majority(self, registrations: Iterable[int]) -> bool:
        """Do these nodes belong to more than half of the organizations?"""
        return len(self.context.parties_of(registrations)) >= self.context.majority

    def sealable(self) -> Tally | None:
        """An attestation that a quorum of organizations has signed."""
        for tally in self.tallies.values():
            if self.has_quorum(tally.signatures):
                return tally
        return None

    def refused(self, term: int) -> bool:
        """Have more than half of the organizations refused the term's proposal?"""
        return self.has_majority(self.refusals.get(term, {}))

    def term_of_majority(self) -> int:
        """The highest term that more than half of the organizations say they have reached."""
        reached = [
            term
            for term in self.holdings
            if self.has_majority(n for t in self.holdings if t >= term for n in self.holdings[t])
        ]
        return max(reached, default=0)

    # -- telling

    def roster_envelope(self, term: int) -> Envelope | None:
        """The term's roster as its leader sent it, for a peer that has not seen it."""
        signed = self.rosters.get(term)
        if signed is None:
            return None
        return self._seen.get(f"roster/{signed.registration}/{signed.signature}")

    def roster_body(self, roster: Roster) -> dict[str, Any]:
        """A roster with what others need to check it."""
        return {
            "roster": to_json(roster),
            "updates": [self._of("update", self.updates[n]).to_json() for n in roster.members],
            "holdings": [
                self._of("holdings", signed).to_json()
                for signed in self.holdings.get(roster.term, {}).values()
            ],
            "earlier": [
                envelope.to_json()
                for term in sorted(self.rosters)
                if term < roster.term and (envelope := self.roster_envelope(term))
            ],
        }

    def _of(self, kind: str, signed: Signed[Any]) -> Envelope:
        return self._seen[f"{kind}/{signed.registration}/{signed.signature}"]
