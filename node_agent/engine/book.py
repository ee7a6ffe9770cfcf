"""The signed messages of one round, each checked once on entry.

What is in the book can be relied upon: it belongs to this round and ``prev``, was signed by the
registered key of a member of the snapshot, and is the first of its kind by that member (a second,
different one is kept out: see ``contradictions``). One member can only put so much into it. No
clock, no network, no disk in here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from contracts.messages import (
    Attestation,
    Holdings,
    Refusal,
    Roster,
    Update,
    struct_hash,
    to_json,
)
from node_agent.engine.checks import Checks
from node_agent.engine.context import RoundContext
from node_agent.engine.rosters import (
    NO_ROSTER,
    Closed,
    Signed,
    check_roster,
    lineage,
    nested,
    roster_envelope,
)
from node_agent.engine.tally import Tally, tallied_as
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Envelope, Peer

T = TypeVar("T", Update, Holdings, Refusal)
Proven = Callable[
    [int, tuple[Update | Roster | Attestation, str], tuple[Update | Roster | Attestation, str]],
    None,
]
"""Told of a registration that has signed two things which contradict each other."""


class Book:
    """All that is known of one round. ``add`` raises ``MessageRefused`` with the reason."""

    def __init__(
        self,
        context: RoundContext,
        leaders: tuple[Peer, ...],
        proven: Proven = lambda registration, first, second: None,
    ) -> None:
        self.context = context
        self._proven = proven
        self.leaders = leaders
        self.ready: set[int] = set()
        self.updates: dict[int, Signed[Update]] = {}
        self.rosters: dict[int, Closed] = {}
        """The first of each term: the one that this node plays by."""
        self.closed: dict[bytes, Closed] = {}
        """By root; also others that a leader signed, as far as some node plays by them."""
        self.holdings: dict[int, dict[int, Signed[Holdings]]] = {}
        self.tallies: dict[bytes, Tally] = {}
        self.proposals: dict[int, Attestation] = {}
        self.refusals: dict[int, dict[int, Signed[Refusal]]] = {}
        self.contradictions: Counter[int] = Counter()
        self._attested: dict[tuple[int, int], Signed[Attestation]] = {}
        self._checks = Checks(context)
        self.last_term = self._checks.last_term

    def leader(self, term: int) -> Peer:
        """The node that term belongs to."""
        return self.leaders[term % len(self.leaders)]

    # -- entering messages

    def add(self, envelope: Envelope, sender: Peer | None = None) -> bool:
        """Enter a message; False when it was known already. ``sender``: who handed it to us."""
        match envelope.kind:
            case "ready":
                return self._add_ready(sender)
            case "update":
                update = self._checks.read(Update, envelope)
                return self._first(self.updates, update)
            case "roster":
                return self._add_roster(envelope)
            case "holdings":
                held = self._checks.read(Holdings, envelope)
                return self._first(self.holdings.setdefault(held.message.term, {}), held)
            case "attestation":
                return self._add_attestation(self._checks.read(Attestation, envelope))
            case "refusal":
                refusal = self._checks.read(Refusal, envelope)
                return self._first(self.refusals.setdefault(refusal.message.term, {}), refusal)
            case _:
                raise MessageRefused(f"a {envelope.kind} is not a message of a round")

    def _first(self, table: dict[int, Signed[T]], signed: Signed[T]) -> bool:
        known = table.get(signed.registration)
        if known is None:
            table[signed.registration] = signed
        elif known.message != signed.message:
            self._prove(known, signed)
            raise self._contradiction(signed.registration)
        return known is None

    def _prove(self, known: Signed[Any], signed: Signed[Any]) -> None:
        """Of what the contract slashes for, both signatures are handed on."""
        if isinstance(known.message, Update | Roster | Attestation):
            self._proven(
                known.registration,
                (known.message, known.signature),
                (signed.message, signed.signature),
            )

    def _contradiction(self, registration: int) -> MessageRefused:
        self.contradictions[registration] += 1
        return MessageRefused(f"registration {registration} has signed otherwise before")

    def _add_ready(self, sender: Peer | None) -> bool:
        if sender is None or self.context.round != 0 or sender.registration in self.ready:
            return False
        self.ready.add(sender.registration)
        return True

    def _add_attestation(self, signed: Signed[Attestation]) -> bool:
        attestation, signer = signed.message, signed.registration
        known = self._attested.setdefault((signer, attestation.term), signed)
        if known.message != attestation:
            self._prove(known, signed)
            raise self._contradiction(signer)
        common, key = tallied_as(self.context, attestation)
        tally = self.tallies.setdefault(key, Tally(common))
        if signer in tally.signatures:
            return False
        tally.signatures[signer] = signed.signature
        tally.signed[signer] = attestation
        if self.leader(attestation.term).registration == signer:
            self.proposals.setdefault(attestation.term, attestation)
        return True

    # -- entering rosters

    def _add_roster(self, envelope: Envelope) -> bool:
        """Check a roster with all it came with.

        Its commits and holdings are entered as well, but where their signers contradict what is in
        the book already, that is no fault of the roster's.
        """
        found = dict(self.closed)
        commits = self._commits(envelope)
        for each in nested(envelope, "earlier", limit=self.last_term):
            if nested(each, "earlier", limit=self.last_term):
                raise MessageRefused("earlier rosters do not nest")
            earlier = self._closed(each, commits | self._commits(each), found)
            found[earlier.root] = earlier
        closed = self._closed(envelope, commits, found)
        if closed.root in self.closed:
            return False
        if closed.roster.term in self.rosters:
            self._prove(self.rosters[closed.roster.term].signed, closed.signed)
        if closed.roster.term in self.rosters and not self._named(closed.root):
            raise self._contradiction(closed.signed.registration)
        for each_closed in lineage([closed]):
            self.closed.setdefault(each_closed.root, each_closed)
            self.rosters.setdefault(each_closed.roster.term, each_closed)
        return True

    def _closed(
        self,
        envelope: Envelope,
        commits: Mapping[int, Signed[Update]],
        earlier: Mapping[bytes, Closed],
    ) -> Closed:
        signed = self._checks.read(Roster, envelope, envelope.message["roster"])
        roster, root = signed.message, struct_hash(signed.message)
        if root in earlier:
            return earlier[root]
        if self.leader(roster.term).registration != signed.registration:
            raise MessageRefused(f"term {roster.term} is not led by {signed.registration}")
        updates = {n: commits[n] for n in roster.members if n in commits}
        evidence = {}
        for each in nested(envelope, "holdings", limit=len(self.context.members)):
            held = self._checks.read(Holdings, each)
            evidence[held.registration] = held
            self._offer(self.holdings.setdefault(held.message.term, {}), held)
        check_roster(self.context, roster, updates, evidence, earlier)
        roots = {held.message.roster_root for held in evidence.values()} - {NO_ROSTER}
        rests_on = tuple(earlier[each] for each in sorted(roots)) if roster.term else ()
        return Closed(root, signed, updates, evidence, rests_on)

    def _commits(self, envelope: Envelope) -> dict[int, Signed[Update]]:
        commits = {}
        for each in nested(envelope, "updates", limit=len(self.context.members)):
            update = self._checks.read(Update, each)
            commits[update.registration] = update
            self._offer(self.updates, update)
        return commits

    def _named(self, root: bytes) -> bool:
        """Has any node said that it plays by this roster?"""
        return any(
            held.message.roster_root == root
            for table in self.holdings.values()
            for held in table.values()
        )

    def _offer(self, table: dict[int, Signed[T]], signed: Signed[T]) -> None:
        known = table.setdefault(signed.registration, signed)
        if known.message != signed.message:
            self._prove(known, signed)
            self.contradictions[signed.registration] += 1

    # -- asking

    def evidence(self, term: int) -> dict[int, Signed[Holdings]]:
        """Holdings of a term that a roster can rest on: those whose roster is known here."""
        return {n: held for n, held in self.holdings.get(term, {}).items() if self._known(held)}

    def unknown(self, term: int) -> list[int]:
        """Nodes that play by a roster which is not known here."""
        return [n for n, held in self.holdings.get(term, {}).items() if not self._known(held)]

    def _known(self, held: Signed[Holdings]) -> bool:
        return held.message.roster_root in (NO_ROSTER, *self.closed)

    def latest(self) -> Closed | None:
        """The roster of the highest term that this node plays by."""
        return self.rosters[max(self.rosters)] if self.rosters else None

    def has_quorum(self, registrations: Iterable[int]) -> bool:
        """Do these nodes belong to a quorum of organizations?"""
        return len(self.context.parties_of(registrations)) >= self.context.quorum

    def has_majority(self, registrations: Iterable[int]) -> bool:
        """Do these nodes belong to more than half of the organizations?"""
        return len(self.context.parties_of(registrations)) >= self.context.majority

    def sealable(self) -> Tally | None:
        """An attestation that a quorum of organizations has signed."""
        return next((t for t in self.tallies.values() if self.has_quorum(t.signatures)), None)

    def attested(self, registration: int, term: int) -> bool:
        """Has this node signed what it merged in this term?"""
        return (registration, term) in self._attested

    def refused(self, term: int) -> bool:
        """Have more than half of the organizations refused the term's proposal?"""
        return self.has_majority(self.refusals.get(term, {}))

    def term_of_majority(self) -> int:
        """The highest term that more than half of the organizations say they have reached."""
        reached: set[int] = set()
        for term in sorted(self.holdings, reverse=True):
            reached.update(self.holdings[term])
            if self.has_majority(reached):
                return term
        return 0

    def opens(self, root: bytes, own: int) -> bool:
        """May others read this file: a rostered update, or a merge that ``own`` or many signed?"""
        return any(
            each.message.root == root for c in self.closed.values() for each in c.updates.values()
        ) or any(
            tally.attestation.merged_root == root
            and (own in tally.signatures or self.has_quorum(tally.signatures))
            for tally in self.tallies.values()
        )

    # -- telling

    def closed_rosters(self) -> list[Envelope]:
        """Every roster that is known, with its commits: auditors need the one that is sealed."""
        return [roster_envelope(closed) for closed in self.closed.values()]

    def envelopes(self) -> list[Envelope]:
        """Everything in the book, for a peer that catches up."""
        covered = {e.root for closed in self.closed.values() for e in lineage(closed.earlier)}
        tables = [self.updates, *self.holdings.values(), *self.refusals.values()]
        return [
            *(signed.envelope for table in tables for signed in table.values()),  # type: ignore[attr-defined]  # of mixed message types
            *(roster_envelope(c) for root, c in self.closed.items() if root not in covered),
            *(
                Envelope("attestation", to_json(tally.signed[signer]), signature, signer)
                for tally in self.tallies.values()
                for signer, signature in tally.signatures.items()
            ),
        ]
