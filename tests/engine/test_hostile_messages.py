"""What a hostile member may send: it is refused, and costs neither memory nor the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.messages import pack_shares
from node_agent.engine.book import Book
from node_agent.engine.rosters import bitmap, roster_envelope
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import MESSAGE_LIMIT_BYTES, Envelope, encode
from tests.engine.rounds import Table

ABC = [0, 1, 2]


def blank(table: Table) -> Book:
    """The book of another node of the same round."""
    return Book(table.context, table.book.leaders)


def committed(parties: list[int], **changes: Any) -> Table:
    """A round in which everyone has committed."""
    table = Table(parties, **changes)
    for node in range(len(parties)):
        table.book.add(table.update(node))
    return table


def spoiled(envelope: Envelope, **changes: object) -> Envelope:
    return replace(envelope, message=envelope.message | changes)


@pytest.mark.parametrize("part", ["updates", "holdings", "earlier"])
@pytest.mark.parametrize(
    "junk",
    [7, None, "x", {"a": 1}, [None], [[]], [{}], [{"kind": []}], [{"kind": "update"}], [7] * 9999],
    ids=lambda value: str(value)[:20],
)
def test_junk_within_a_roster_is_refused(part: str, junk: object) -> None:
    table = committed(ABC)
    with pytest.raises(MessageRefused):
        table.book.add(spoiled(table.roster(ABC), **{part: junk}))
    assert not table.book.rosters


@pytest.mark.parametrize(
    "junk", [7, None, [], {}, {"term": {}}, {"members": [[]]}], ids=lambda value: str(value)
)
def test_a_roster_that_is_none_is_refused(junk: object) -> None:
    table = committed(ABC)
    with pytest.raises(MessageRefused):
        table.book.add(spoiled(table.roster(ABC), roster=junk))


@pytest.mark.parametrize("value", [None, [], {}, 1.5, True, -1, 2**80, "9" * 5000, "x"])
def test_fields_of_the_wrong_type_are_refused(value: object) -> None:
    table = Table(ABC)
    with pytest.raises(MessageRefused):
        table.book.add(spoiled(table.update(1), samples=value))


def test_rosters_that_nest_without_end_are_refused() -> None:
    table = committed(ABC)
    roster = table.roster(ABC)
    nested = roster
    for _ in range(50):
        nested = spoiled(roster, earlier=[nested.to_json()])
    with pytest.raises(MessageRefused, match="nest"):
        table.book.add(nested)


@pytest.mark.parametrize(
    "shares",
    [b"\0", pack_shares([(1, 5000)]) * 2, bytes.fromhex("0000ffff"), pack_shares([(9, 1)])],
    ids=["odd length", "a party twice", "more than all", "a stranger"],
)
def test_an_attestation_that_the_contract_would_not_take_is_refused(shares: bytes) -> None:
    table = Table(ABC)
    with pytest.raises(MessageRefused):
        table.book.add(table.attestation(1, shares=shares))
    assert not table.book.tallies


def test_rejects_that_make_no_sense_are_refused() -> None:
    table = Table(ABC)
    for rejects in (b"\0", b"\0\x63\x01"):
        with pytest.raises(MessageRefused):
            table.book.add(table.attestation(1, rejects=rejects))


def test_one_member_can_only_put_so_much_into_the_book() -> None:
    table = Table(ABC)
    taken = 0
    for term in range(200):
        for variant in range(3):
            for envelope in (
                table.holdings(1, term, bytes([variant]) * 32),
                table.attestation(1, term, bytes([variant]) * 32),
                table.refusal(1, term, f"reason {variant}"),
            ):
                try:
                    taken += table.book.add(envelope)
                except MessageRefused:
                    continue
    assert taken == 3 * (table.book.last_term + 1)
    assert len(table.book.envelopes()) == taken
    assert len(table.book.tallies) == table.book.last_term + 1


def test_long_winded_messages_are_refused() -> None:
    table = Table(ABC)
    with pytest.raises(MessageRefused, match="characters"):
        table.book.add(table.refusal(1, 0, "no " * 1000))
    with pytest.raises(MessageRefused, match="bitmap"):
        table.book.add(table.holdings(1, 0, held=bytes(100)))


def test_a_leader_may_not_leave_most_of_the_others_out() -> None:
    table = committed([0, 1, 2, 3, 4])
    with pytest.raises(MessageRefused, match="quorum"):
        table.book.add(table.roster([table.book.leader(0).registration]))


def test_a_file_is_not_opened_by_one_forged_attestation() -> None:
    table = committed(ABC)
    secret = table.book.updates[0].message.root
    table.book.add(table.attestation(1, merged=secret))
    assert not table.book.opens(secret, own=0)
    table.book.add(table.roster(ABC))
    assert table.book.opens(secret, own=0)


def test_a_merge_may_be_read_once_this_node_or_a_quorum_has_signed_it() -> None:
    table, merged = Table(ABC), bytes([77]) * 32
    table.book.add(table.attestation(1, merged=merged))
    assert table.book.opens(merged, own=1)
    assert not table.book.opens(merged, own=0)
    table.book.add(table.attestation(2, merged=merged))
    assert table.book.opens(merged, own=0)


def test_two_commits_of_one_node_do_not_split_the_others() -> None:
    table = Table(ABC)
    other = blank(table)
    for node in ABC:
        table.book.add(table.update(node))
    other.add(table.update(1, root=bytes([99]) * 32))
    assert other.add(table.roster(ABC))
    assert other.rosters[0].updates[1].message == table.book.updates[1].message
    assert other.contradictions[1] == 1


def two_rosters(parties: list[int]) -> tuple[Table, Table]:
    """A leader of term 0 who signed one roster for some, and another for the rest."""
    table = committed(parties)
    members = list(range(len(parties)))
    theirs = Table(parties)
    theirs.signers, theirs.context, theirs.book = table.signers, table.context, blank(table)
    for node in members:
        theirs.book.add(table.update(node))
    table.book.add(table.roster(members))
    theirs.book.add(theirs.roster(members[:-1] if table.book.leader(0).registration else [0, 1]))
    return table, theirs


def test_two_rosters_of_one_leader_do_not_split_the_others() -> None:
    table, theirs = two_rosters(ABC)
    ours, other = table.book.latest(), theirs.book.latest()
    assert ours
    assert other
    assert ours.root != other.root
    honest = [n for n in ABC if n != table.book.leader(0).registration]
    assert table.book.leader(1).registration in honest
    words = [
        table.holdings(honest[0], 1, ours.root, bitmap([True] * len(ours.updates))),
        table.holdings(honest[1], 1, other.root, bitmap([True] * len(other.updates))),
    ]
    for word in words:
        table.book.add(word)
        theirs.book.add(word)
    # Ours does not know the other roster: it cannot rest on words about it, and asks.
    assert set(table.book.evidence(1)) == {honest[0]}
    assert table.book.unknown(1) == [honest[1]]
    assert table.book.add(roster_envelope(other))
    assert set(table.book.evidence(1)) == set(honest)
    bound = max((ours, other), key=lambda closed: closed.root)
    roster = table.roster(list(bound.updates), term=1)
    assert table.book.add(roster)
    assert theirs.book.add(roster)
    assert theirs.book.rosters[0] == other
    assert theirs.book.rosters[1].root == table.book.rosters[1].root


def test_a_second_roster_that_nobody_plays_by_is_refused() -> None:
    table, theirs = two_rosters(ABC)
    other = theirs.book.latest()
    assert other
    with pytest.raises(MessageRefused, match="otherwise"):
        table.book.add(roster_envelope(other))


def test_a_commit_that_was_opened_cannot_be_replaced_later() -> None:
    table = committed(ABC)
    table.book.add(table.roster(ABC))
    root = table.book.rosters[0].root
    cheat = blank(table)
    for envelope in (table.update(0), table.update(1), table.update(2, root=bytes([99]) * 32)):
        cheat.add(envelope)
    for node in (0, 1):
        for book in (table.book, cheat):
            book.add(table.holdings(node, 1, root, bitmap([True] * 3)))
    honest, table.book = table.book, cheat
    cheated = table.roster(ABC, term=1)
    with pytest.raises(MessageRefused, match="earlier leader"):
        honest.add(spoiled(cheated, earlier=[roster_envelope(honest.rosters[0]).to_json()]))


def test_rosters_of_many_terms_stay_small_enough_to_send() -> None:
    parties = list(range(9))
    table = committed(parties)
    everyone = parties
    table.book.add(table.roster(everyone))
    for term in range(1, 16):
        latest = table.book.latest()
        assert latest
        for node in everyone[:5]:
            table.book.add(table.holdings(node, term, latest.root, bitmap([True] * 9)))
        table.book.add(table.roster(everyone, term=term))
    last = table.book.latest()
    assert last
    envelope = roster_envelope(last)
    assert len(encode(envelope)) < MESSAGE_LIMIT_BYTES / 8
    newcomer = blank(table)
    assert newcomer.add(envelope)
    assert newcomer.rosters.keys() == table.book.rosters.keys()


def test_a_file_is_counted_as_held_whichever_roster_names_it() -> None:
    parties = [0, 1, 2, 3, 4]
    table = committed(parties)
    table.book.add(table.roster(parties))
    first = table.book.rosters[0]
    everything, all_but_0 = [True] * 5, [False, True, True, True, True]
    for node in (0, 1, 2):
        table.book.add(table.holdings(node, 1, first.root, bitmap(all_but_0)))
    table.book.add(table.roster([1, 2, 3, 4], term=1))
    second = table.book.rosters[1]
    # One node has missed the second roster: its bits stand for the members of the first.
    for node in (1, 2):
        table.book.add(table.holdings(node, 2, second.root, bitmap([True, True, False, True])))
    table.book.add(table.holdings(3, 2, first.root, bitmap(everything)))
    # Member 3 is held by one of three, members 1, 2 and 4 by all.
    with pytest.raises(MessageRefused, match="earlier leader"):
        table.book.add(table.roster([1, 2, 3, 4], term=2))
    assert table.book.add(table.roster([1, 2, 4], term=2))
