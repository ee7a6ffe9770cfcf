"""`make demo` keeps its promises, also when agents are killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node_agent.models.library import Library

DEMO = [sys.executable, "-m", "scripts.demo"]
_TIMEOUT_S = 240
INSTITUTES = ("us", "europe", "asia")

Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def _play(folder: str, *options: str) -> dict[str, Any]:
        command = [*DEMO, "--folder", str(tmp_path / folder), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        figures: dict[str, Any] = json.loads((tmp_path / f"{folder}.json").read_text())
        return figures

    return _play


def _reports(folder: Path, institute: str) -> dict[int, dict[str, Any]]:
    lines = (folder / "sites" / institute / "rounds.jsonl").read_text().splitlines()
    return {report["round"]: report for report in map(json.loads, lines)}


def _kept_model(folder: Path, institute: str) -> dict[str, Any]:
    """The card of the model that a site has kept; its file is the one of the card."""
    (kept,) = Library(folder / "sites" / institute / "models").all()
    kept.open()
    card: dict[str, Any] = json.loads(kept.card.to_json())
    return card


def _processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended meanwhile
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.slow
@pytest.mark.timeout(_TIMEOUT_S)
def test_killed_agents_are_missed_come_back_and_everybody_is_paid(
    play: Play, tmp_path: Path
) -> None:
    kills = ["--kill", "europe@5:2", "--kill", "leader@90:2"]
    figures = play("demo", "--rounds", "160", *kills)

    assert figures["rounds"] == 160
    assert figures["distinct_merged_hashes_max"] == 1
    assert len(figures["final_model_hashes"]) == 1
    by_round = _reports(tmp_path / "demo", "asia")
    there = {
        number: {member.split("/")[4] for member in report["members"]}
        for number, report in by_round.items()
        if number > 0 and report["members"]
    }
    away = [number for number, members in there.items() if "rhine" not in members]
    assert away, "nobody missed the killed agent"
    back = [number for number, members in there.items() if len(members) == 3]
    assert max(back) > min(away), "the killed agent did not come back"

    assert figures["conservation_error_wei"] == 0
    assert figures["funded_wei"] == figures["claimed_wei"] + figures["refunded_wei"]
    assert figures["claimed_wei"] > 0
    assert sum(figures["shares"]["metered"]) == pytest.approx(1, abs=0.001)
    assert figures["accuracy"]["swarm"] > sum(figures["accuracy"]["alone"]) / 3
    kept = [_kept_model(tmp_path / "demo", institute) for institute in INSTITUTES]
    assert {card["merged_root"] for card in kept} == {kept[0]["merged_root"]}
    assert kept[0]["rounds"] == 160
    assert _processes_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(_TIMEOUT_S)
def test_the_same_seed_gives_the_same_final_model(play: Play) -> None:
    patient = ["--seed", "3", "--rounds", "8", "--grace-ms", "30000"]
    first, second = play("first", *patient), play("second", *patient)
    assert len(first["final_model_hashes"]) == 1
    assert first["final_model_hashes"] == second["final_model_hashes"]
    assert first["losses"] == second["losses"]
    assert first["shares"] == second["shares"]


def test_a_demo_empties_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = subprocess.run(
        [*DEMO, "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is not the folder of a demo" in done.stderr
    assert "hint: " in done.stderr
    assert (tmp_path / "thesis.tex").exists()


def test_interrupting_a_demo_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [*DEMO, "--folder", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    while "chain started" not in (line := demo.stdout.readline()):
        assert line, "the demo ended by itself"
    os.kill(demo.pid, signal.SIGTERM)
    _, said = demo.communicate(timeout=30)
    assert demo.returncode == 130, said
    assert _processes_of(folder) == []
