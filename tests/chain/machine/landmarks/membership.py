"""Turns that an agreement, its parties and their wallets take."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.consortium import State
from tests.chain.machine.model import World

MARKS = frozenset(
    [
        "a key was replaced",
        "terminated: too few parties",
        "terminated by vote",
        "expired",
        "slashed under notice",
        "a wallet was replaced after the delay",
        "a replacement was voted over",
        "a wallet was moved while another was to replace it",
        "paid to a wallet that did not earn it",
        "amended at once",
        "amended with the last signature",
        "amended without who is out",
        "an amendment lapsed",
        "an amendment was overtaken",
        "suspended while it is amended",
        "somebody joined by an amendment",
        "another minimum of stake",
    ]
)


def of_membership(label: str, before: World, after: World) -> Iterator[str]:
    states = before.who.state(before.now), after.who.state(after.now)
    if states[0] != states[1]:
        if states[1] == State.TERMINATED:
            yield "terminated by vote" if label == "terminate" else "terminated: too few parties"
        elif states[1] == State.EXPIRED:
            yield "expired"
    here = [sum(not node.until for node in world.who.nodes) for world in (before, after)]
    if label == "enroll" and here[0] == here[1]:
        yield "a key was replaced"
    for party, stake in before.stakes.stakes.items():
        if label.startswith("slash") and after.stakes.stakes[party].leaving < stake.leaving:
            yield "slashed under notice"
    yield from _of_wallets(label, before, after)
    yield from _of_amendments(label, before, after)


def _of_wallets(label: str, before: World, after: World) -> Iterator[str]:
    was, now_is = before.who.wallets, after.who.wallets
    for party in before.who.parties:
        coming, new = was.coming(before.now, party), now_is.of(after.now, party)
        if coming and new == coming and label != "move wallet":
            yield "a wallet was replaced after the delay"
        touched = now_is.seats[party].nonce > was.seats[party].nonce
        if coming and touched and label == "replace wallet":
            yield "a replacement was voted over"
        if coming and touched and label == "move wallet":
            yield "a wallet was moved while another was to replace it"
        claimed = after.rewards.nonces[party] > before.rewards.nonces[party]
        if claimed and label.startswith("claim rewards") and now_is.seats[party].nonce:
            yield "paid to a wallet that did not earn it"


def _of_amendments(label: str, before: World, after: World) -> Iterator[str]:
    states = before.who.state(before.now), after.who.state(after.now)
    if states[0] == State.AMENDING and states[1] == State.SUSPENDED:
        yield "suspended while it is amended"
    if after.signed is before.signed:
        if states == (State.AMENDING, State.ACTIVE):
            yield "an amendment lapsed"
        if label == "recount" and before.stakes.staked != after.stakes.staked:
            yield "another minimum of stake"
        return
    yield "amended at once" if label == "amend" else "amended with the last signature"
    if after.who.out:
        yield "amended without who is out"
    if label == "amend" and states[0] == State.AMENDING:
        yield "an amendment was overtaken"
    if len(after.signed.parties) > len(before.signed.parties):
        yield "somebody joined by an amendment"
