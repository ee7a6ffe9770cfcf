"""What is kept of past rounds: all that an audit needs, while it may be disputed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from node_agent.engine.archive import Archive, keep_rounds_of
from node_agent.engine.store import Store, file_root
from tests.engine.rounds import Table

_WEEK_S = 7 * 86_400


def _played(store: Store, number: int, size: int = 1000) -> bytes:
    """One round's only file; returns its root."""
    scratch = store.scratch(number, "update")
    scratch.write_bytes(os.urandom(size))
    root = file_root(scratch)
    store.adopt(scratch, number, root)
    return root


def test_past_rounds_keep_their_files_and_rosters_and_nothing_else(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", _WEEK_S, 10**6)
    store = Store(tmp_path / "exchange", archive)
    root = _played(store, 1)
    store.scratch(1, "gradient").write_bytes(b"of nobody's concern")
    table = Table([0, 1, 2])
    for node in range(3):
        table.book.add(table.update(node))
    members = [peer.registration for peer in table.context.members]
    leader = table.book.leader(0).registration
    table.book.add(table.roster(members, by=leader))
    store.note_rosters(1, table.book.closed_rosters())

    store.archive_before(5)
    assert store.find(root) is None
    kept = tmp_path / "archive" / "round-000001"
    assert {path.name for path in kept.iterdir()} == {f"{root.hex()}.safetensors", "rosters.json"}
    (roster,) = json.loads((kept / "rosters.json").read_text())
    assert len(roster["message"]["updates"]) == 3


def test_rounds_out_of_dispute_are_deleted_and_no_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "exchange", Archive(tmp_path / "archive" / "run", _WEEK_S, 10**6))
    for number in (1, 2):
        _played(store, number)
    store.archive_before(6)
    old = tmp_path / "archive" / "run" / "round-000001"
    os.utime(old, (0, 0))
    keep_rounds_of(tmp_path / "archive", _WEEK_S, 10**6)
    assert [path.name for path in old.parent.iterdir()] == ["round-000002"]


def test_what_takes_too_much_room_is_deleted_the_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "exchange", Archive(tmp_path / "archive", _WEEK_S, 2500))
    for number in (1, 2, 3):
        _played(store, number)
        store.archive_before(number + 4)
    kept = sorted(path.name for path in (tmp_path / "archive").iterdir())
    assert kept == ["round-000002", "round-000003"]


def test_a_restarted_agent_puts_a_round_aside_once_more(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive", _WEEK_S, 2500)
    store = Store(tmp_path / "exchange", archive)
    roots = []
    for _ in range(2):
        roots.append(_played(store, 0))
        store.archive_before(4)
    kept = {path.stem for path in (tmp_path / "archive" / "round-000000").iterdir()}
    assert kept == {root.hex() for root in roots}


def test_a_model_that_stays_the_base_of_round_after_round_is_not_put_aside(tmp_path: Path) -> None:
    store = Store(tmp_path / "exchange", Archive(tmp_path / "archive", _WEEK_S, 10**6))
    base, update = _played(store, 1), _played(store, 1)
    for number in range(2, 12):
        store.archive_before(number, [base])
    found = store.find(base)
    assert found is not None
    assert file_root(found) == base
    assert store.find(update) is None
