"""A node never signs twice for the same thing, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from node_agent.errors import AgentStateError
from node_agent.journal import Journal


def test_the_first_message_wins(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    first = journal.sign_once("0xaa", "update", 0, {"root": "a"}, lambda: "0x01")
    again = journal.sign_once("0xaa", "update", 0, {"root": "b"}, lambda: "0x02")
    assert again == first
    assert journal.signed_for("0xaa") == [first]


def test_other_rounds_kinds_and_terms_are_separate(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    for prev, kind, term in [("0xaa", "update", 0), ("0xbb", "update", 0), ("0xaa", "roster", 1)]:
        entry = journal.sign_once(prev, kind, term, {"for": prev + kind}, lambda: "0x01")
        assert entry.message == {"for": prev + kind}


def test_what_was_signed_survives_kill_9(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from node_agent.journal import Journal
        entry = Journal(Path(sys.argv[1])).sign_once("0xaa", "update", 0, {"n": 1}, lambda: "0x01")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "journal.sqlite3"
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert killed.returncode == -signal.SIGKILL
    again = Journal(path).sign_once("0xaa", "update", 0, {"n": 2}, lambda: "0x02")
    assert again.message == {"n": 1}


def test_a_failed_signature_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")

    def broken() -> str:
        raise RuntimeError("no key")

    with pytest.raises(RuntimeError):
        journal.sign_once("0xaa", "update", 0, {}, broken)
    assert journal.find("0xaa", "update") is None
    assert journal.sign_once("0xaa", "update", 0, {"n": 1}, lambda: "0x01").message == {"n": 1}


def test_a_second_agent_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    first = Journal(path)
    with pytest.raises(AgentStateError, match="cannot be opened") as refused:
        Journal(path)
    assert "another agent" in refused.value.hint
    first.close()


def test_facts_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    journal.keep("loaded", "a")
    journal.keep("loaded", "b")
    assert journal.fact("loaded") == "b"
    assert journal.fact("other") is None
