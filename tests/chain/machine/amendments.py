"""The model of amendments: who has to sign the next version, and what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts import messages as m
from contracts.consortium import State
from tests.chain.machine.refusal import Refused
from tests.chain.machine.wallets import Seat

if TYPE_CHECKING:
    from tests.chain.machine.model import World


def sign(world: World, draft: m.Agreement, party: int, by: str) -> None:
    """One party's signature; in force with the last one."""
    missing = _missing(world, draft)
    if party not in missing:
        raise Refused("Consortium_NothingToSign", party=party)
    _check_signed(draft, party, by)
    if missing == {party}:
        _conclude(world, draft)
        return
    world.offers.setdefault(m.struct_hash(draft), set()).add(party)
    who = world.who
    if party < len(who.parties):  # who would become one does not make it an amendment
        if who.amending != draft.version or who.amending_until < draft.not_after:
            who.amending_until = draft.not_after
        who.amending = draft.version


def activate(world: World, draft: m.Agreement, by: dict[int, str]) -> None:
    """All signatures that are missing, at once."""
    for party in sorted(_missing(world, draft)):
        _check_signed(draft, party, by.get(party, ""))
    _conclude(world, draft)


def _check_signed(draft: m.Agreement, party: int, by: str) -> None:
    wallet = draft.parties[party].wallet
    if by != wallet:
        raise Refused("Consortium_NotSigned", party=party, wallet=wallet)


def _missing(world: World, draft: m.Agreement) -> set[int]:
    who, now = world.who, world.now
    if (state := who.state(now)) not in (State.ACTIVE, State.AMENDING):
        raise Refused("Consortium_WrongState", state=state)
    expected = who.signed.version + 1
    if draft.version != expected:
        raise Refused("Consortium_WrongVersion", expected=expected, got=draft.version)
    _check_seats(world, draft)
    members = len(draft.parties) - len(who.out)
    field = _incoherent(draft, members)
    if field:
        raise Refused("Consortium_BadTerms", field=field)
    if draft.not_after <= now or draft.not_before > now:
        raise Refused("Consortium_NotInForce")
    signed = world.offers.get(m.struct_hash(draft), set())
    return set(range(len(draft.parties))) - who.out.keys() - signed


def _check_seats(world: World, draft: m.Agreement) -> None:
    """It begins with the parties there are, as they are; who is new has a wallet of his own."""
    wallets, now = world.who.wallets, world.now
    for party, known in enumerate(world.who.signed.parties):
        if party >= len(draft.parties):
            raise Refused("Consortium_BadParties", party=party)
        named = draft.parties[party]
        if (named.organization, named.wallet) != (known.organization, wallets.of(now, party)):
            raise Refused("Consortium_BadParties", party=party)
    for party in range(len(world.who.parties), len(draft.parties)):
        wallets.check_free(now, draft.parties[party].wallet, party)


def _incoherent(draft: m.Agreement, members: int) -> str:
    """The first of the fields that the machine spoils."""
    votes = draft.bylaws.votes
    if draft.not_after <= draft.not_before:
        return "notAfter"
    if votes and not members // 2 < votes <= members:
        return "votes"
    if draft.terms.min_peers > members:
        return "minPeers"
    return ""


def _conclude(world: World, draft: m.Agreement) -> None:
    who = world.who
    for party in draft.parties[len(who.parties) :]:
        who.wallets.seats.append(Seat(party.wallet))
    who.versions.append(draft)
    who.stall_time = max(who.stall_time, draft.terms.stall_time)
    who.grow()
    world.stakes.grow(len(draft.parties))
    who.changes += 1
    world.offers.pop(m.struct_hash(draft), None)
