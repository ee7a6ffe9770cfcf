"""Which updates go into a round.

Term 0: the leader rosters the commits it has seen. A later leader is bound by what an earlier one
may have opened to reading: it gathers signed holdings from more than half of the organizations and
keeps, of the latest roster among them, the files that more than half of the organizations hold. So
one withheld file cannot block a run, and nobody can add an update after seeing the others'. The
builder and the checker of a roster call the same function.

A roster always goes with the very commits it names: a node that signed two different ones must not
make honest nodes disagree about what was rostered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from contracts.messages import Holdings, Roster, Struct, Update, digest, to_json, updates_root
from node_agent.engine.context import RoundContext
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Envelope

M = TypeVar("M", bound=Struct)
NO_ROSTER = bytes(32)


@dataclass(frozen=True, slots=True)
class Signed(Generic[M]):
    """A message with the registration and signature of the node that made it."""

    message: M
    registration: int
    signature: str

    @property
    def envelope(self) -> Envelope:
        """As it travels."""
        kind = type(self.message).__name__.lower()
        return Envelope(kind, to_json(self.message), self.signature, self.registration)


Commits = Mapping[int, Signed[Update]]
Evidence = Mapping[int, Signed[Holdings]]


@dataclass(frozen=True, slots=True)
class Closed:
    """A roster that was checked, with all it rests on."""

    root: bytes
    signed: Signed[Roster]
    updates: Commits
    """The members' commits by registration, in the roster's order."""
    evidence: Evidence = field(default_factory=dict)
    earlier: tuple[Closed, ...] = ()
    """The rosters that the evidence names."""

    @property
    def roster(self) -> Roster:
        """What the leader signed."""
        return self.signed.message


def bitmap(held: Sequence[bool]) -> bytes:
    """Member k of a roster is bit k % 8 (lowest first) of byte k // 8."""
    packed = bytearray((len(held) + 7) // 8)
    for index, have in enumerate(held):
        packed[index // 8] |= int(have) << (index % 8)
    return bytes(packed)


def _holds(packed: bytes, index: int) -> bool:
    return index // 8 < len(packed) and bool(packed[index // 8] >> (index % 8) & 1)


def root_of(context: RoundContext, updates: Commits) -> bytes:
    """keccak256 over the digests of these updates, in their order."""
    return updates_root([digest(context.domain, each.message) for each in updates.values()])


def bound_updates(
    context: RoundContext, evidence: Evidence, earlier: Mapping[bytes, Closed]
) -> dict[int, Signed[Update]] | None:
    """The updates a later term must roster, or None when it is free to roster its commits.

    ``evidence``: registration -> what that node said it holds when the term began.
    ``earlier``: all rosters that the evidence names, by their root. Of two rosters that a leader
    signed for one term, the one that more organizations name counts.
    """
    naming: dict[bytes, set[int]] = {}
    for number, held in evidence.items():
        if held.message.roster_root != NO_ROSTER:
            naming.setdefault(held.message.roster_root, set()).add(number)
    if not naming:
        return None
    last = earlier[
        max(
            naming,
            key=lambda root: (
                earlier[root].roster.term,
                len(context.parties_of(naming[root])),
                root,
            ),
        )
    ]
    holders: dict[int, list[int]] = {member: [] for member in last.updates}
    for number, held in evidence.items():
        named = earlier.get(held.message.roster_root)
        for index, (member, update) in enumerate(named.updates.items() if named else ()):
            same = member in last.updates and last.updates[member].message == update.message
            if same and _holds(held.message.bitmap, index):
                holders[member].append(number)
    kept = {
        member: update
        for member, update in last.updates.items()
        if len(context.parties_of(holders[member])) >= context.majority
    }
    return kept or dict(last.updates)


def check_roster(
    context: RoundContext,
    roster: Roster,
    updates: Commits,
    evidence: Evidence,
    earlier: Mapping[bytes, Closed],
) -> None:
    """Hold a roster to the rules, given the commits and the evidence it came with.

    Raises ``MessageRefused``.
    """
    members = set(roster.members)
    order = [peer.registration for peer in context.members if peer.registration in members]
    if not members or list(roster.members) != order or order != list(updates):
        raise MessageRefused("the roster's members are not committed nodes in SPIFFE ID order")
    if root_of(context, updates) != roster.updates_root:
        raise MessageRefused("the roster's root does not fit the members' commits")
    bound = None
    if roster.term > 0:
        if any(held.message.term != roster.term for held in evidence.values()):
            raise MessageRefused("the roster rests on holdings of another term")
        if len(context.parties_of(evidence)) < context.majority:
            raise MessageRefused("a later term's roster needs holdings of more than half")
        named = {held.message.roster_root for held in evidence.values()} - {NO_ROSTER}
        if not named <= earlier.keys():
            raise MessageRefused("the holdings name a roster that does not come with them")
        bound = bound_updates(context, evidence, earlier)
    if bound is None:
        # Else a leader could leave most of the others out, and share their pay.
        if len(context.parties_of(members)) < context.quorum:
            raise MessageRefused("the roster has no quorum of organizations")
    elif {n: each.message for n, each in bound.items()} != {
        n: each.message for n, each in updates.items()
    }:
        raise MessageRefused("the roster departs from what an earlier leader had opened")


# -- as rosters travel: every earlier one once, and no commit twice


def roster_body(
    roster: Roster, updates: Commits, evidence: Evidence, earlier: Iterable[Closed]
) -> dict[str, object]:
    """A roster with what others need to check it, as the message of its envelope."""
    return _body(roster, updates.values(), evidence) | {
        "earlier": [
            Envelope(
                "roster",
                _body(
                    each.roster,
                    [u for n, u in each.updates.items() if updates.get(n) != u],
                    each.evidence,
                ),
                each.signed.signature,
                each.signed.registration,
            ).to_json()
            for each in lineage(earlier)
        ]
    }


def roster_envelope(closed: Closed) -> Envelope:
    """A roster as it travels, rebuilt from what was checked."""
    body = roster_body(closed.roster, closed.updates, closed.evidence, closed.earlier)
    return Envelope("roster", body, closed.signed.signature, closed.signed.registration)


def lineage(rosters: Iterable[Closed]) -> list[Closed]:
    """These rosters and all they rest on, each once, ascending by term."""
    found: dict[bytes, Closed] = {}
    waiting = list(rosters)
    while waiting:
        each = waiting.pop()
        if each.root not in found:
            found[each.root] = each
            waiting.extend(each.earlier)
    return sorted(found.values(), key=lambda each: (each.roster.term, each.root))


def _body(
    roster: Roster, updates: Iterable[Signed[Update]], evidence: Evidence
) -> dict[str, object]:
    return {
        "roster": to_json(roster),
        "updates": [each.envelope.to_json() for each in updates],
        "holdings": [each.envelope.to_json() for each in evidence.values()],
        "earlier": [],
    }


_ROSTER_KEYS = frozenset({"roster", "updates", "holdings", "earlier"})


def nested(envelope: Envelope, name: str, *, limit: int) -> list[Envelope]:
    """The envelopes within a roster's envelope. ``MessageRefused``."""
    if envelope.kind != "roster" or set(envelope.message) != _ROSTER_KEYS:
        raise MessageRefused("a roster comes with its updates, holdings and earlier rosters")
    items = envelope.message[name]
    if not isinstance(items, list) or len(items) > limit:
        raise MessageRefused(f"the roster's {name} are not a list of at most {limit} messages")
    return [Envelope.from_json(item) for item in items]
