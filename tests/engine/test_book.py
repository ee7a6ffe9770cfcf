"""Only what a member signed for this very round gets into the book."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.messages import struct_hash
from node_agent.engine.book import Book
from node_agent.engine.rosters import bitmap
from node_agent.errors import MessageRefused
from tests.engine.rounds import Table


def latest(table: Table) -> bytes:
    closed = table.book.latest()
    assert closed is not None
    return closed.root


def test_a_commit_of_a_member_is_taken_once() -> None:
    table = Table([0, 1, 2])
    assert table.book.add(table.update(1))
    assert not table.book.add(table.update(1))
    assert set(table.book.updates) == {1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"prev": bytes(32)}, "predecessor"),
        ({"round": 4}, "round"),
        ({"run_id": bytes(32)}, "run"),
        ({"registration": 2}, "another node"),
        ({"samples": 63}, "64"),
    ],
)
def test_a_commit_for_something_else_is_refused(changes: dict, why: str) -> None:
    table = Table([0, 1, 2])
    with pytest.raises(MessageRefused, match=why):
        table.book.add(table.update(1, **changes))
    assert not table.book.updates


def test_a_commit_signed_by_another_key_is_refused() -> None:
    table = Table([0, 1, 2])
    forged = replace(table.update(1), signature=table.update(0).signature)
    with pytest.raises(MessageRefused, match="signature"):
        table.book.add(forged)


def test_a_node_that_is_not_enrolled_is_refused() -> None:
    table = Table([0, 1, 2])
    with pytest.raises(MessageRefused, match="snapshot"):
        table.book.add(replace(table.update(1), registration=9))


def test_a_second_and_different_commit_is_kept_out_and_counted() -> None:
    table = Table([0, 1, 2])
    table.book.add(table.update(1))
    with pytest.raises(MessageRefused, match="otherwise"):
        table.book.add(table.update(1, root=bytes([99]) * 32))
    assert table.book.contradictions == {1: 1}


def test_a_roster_brings_the_commits_it_names() -> None:
    table = Table([0, 1, 2])
    for node in (0, 1):
        table.book.add(table.update(node))
    roster = table.roster([0, 1])
    newcomer = Book(table.context, table.book.leaders)
    assert newcomer.add(roster)
    assert set(newcomer.updates) == {0, 1}


def test_only_the_leader_of_the_term_closes_its_roster() -> None:
    table = Table([0, 1, 2])
    for node in range(3):
        table.book.add(table.update(node))
    other = next(n for n in range(3) if n != table.book.leader(0).registration)
    with pytest.raises(MessageRefused, match="not led"):
        table.book.add(table.roster([0, 1, 2], by=other))


def test_a_roster_out_of_order_is_refused() -> None:
    table = Table([0, 1, 2])
    for node in range(3):
        table.book.add(table.update(node))
    with pytest.raises(MessageRefused, match="order"):
        table.book.add(table.roster([1, 0]))


def test_a_later_leader_may_not_add_to_what_was_opened_to_reading() -> None:
    table = Table([0, 1, 2])
    for node in (0, 1):
        table.book.add(table.update(node))
    table.book.add(table.roster([0, 1]))
    root = latest(table)
    table.book.add(table.update(2))
    for node in (0, 1):
        table.book.add(table.holdings(node, 1, root, bitmap([True, True])))
    with pytest.raises(MessageRefused, match="earlier leader"):
        table.book.add(table.roster([0, 1, 2], term=1))
    assert table.book.add(table.roster([0, 1], term=1))


def test_a_withheld_file_is_dropped_by_the_next_leader() -> None:
    table = Table([0, 1, 2])
    for node in range(3):
        table.book.add(table.update(node))
    table.book.add(table.roster([0, 1, 2]))
    root = latest(table)
    for node in (0, 1):
        table.book.add(table.holdings(node, 1, root, bitmap([True, True, False])))
    with pytest.raises(MessageRefused, match="earlier leader"):
        table.book.add(table.roster([0, 1, 2], term=1))
    assert table.book.add(table.roster([0, 1], term=1))


def test_a_later_roster_needs_the_word_of_more_than_half() -> None:
    table = Table([0, 1, 2])
    for node in range(3):
        table.book.add(table.update(node))
    table.book.add(table.holdings(0, 1))
    with pytest.raises(MessageRefused, match="more than half"):
        table.book.add(table.roster([0, 1, 2], term=1))


def test_several_nodes_of_an_organization_count_once() -> None:
    table = Table([0, 0, 0, 1, 2])
    for node in (0, 1, 2):
        table.book.add(table.attestation(node))
    assert table.book.sealable() is None
    table.book.add(table.attestation(4))
    sealable = table.book.sealable()
    assert sealable
    assert set(sealable.signatures) == {0, 1, 2, 4}


def test_signatures_under_different_results_do_not_add_up() -> None:
    table = Table([0, 1, 2])
    table.book.add(table.attestation(0, merged=bytes([1]) * 32))
    table.book.add(table.attestation(1, merged=bytes([2]) * 32))
    assert table.book.sealable() is None


def test_a_node_catches_up_with_a_term_that_the_majority_has_reached() -> None:
    table = Table([0, 1, 2])
    table.book.add(table.holdings(0, 3))
    assert table.book.term_of_majority() == 0
    table.book.add(table.holdings(1, 2))
    assert table.book.term_of_majority() == 2


def test_the_root_in_an_attestation_is_the_rosters_struct_hash() -> None:
    table = Table([0, 1, 2])
    table.book.add(table.update(0))
    table.book.add(table.update(1))
    table.book.add(table.roster([0, 1]))
    assert latest(table) == struct_hash(table.book.rosters[0].roster)
