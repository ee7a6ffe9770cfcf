"""docs/protocol.md says what the code does, as far as a program can compare them."""

from __future__ import annotations

import json
import re
from enum import IntEnum
from pathlib import Path

import pytest

from contracts import messages as m
from contracts.council import Action
from contracts.taskrunner import Change, Kind, Mode
from metering.usage import Usage
from scripts.make_vectors import samples

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
TYPES = {type(each).__name__: type(each) for each in samples()}
NEWLINE = re.compile(r"\n *")
DEFINITION = re.compile(r"^([A-Z]\w+)\(([^)]+)\)$", re.MULTILINE)


def test_every_message_is_defined_and_no_other() -> None:
    defined = {
        name: f"{name}({NEWLINE.sub('', members)})"
        for name, members in DEFINITION.findall(DOCUMENT)
    }
    own = {name: m.type_string(kind).partition(")")[0] + ")" for name, kind in TYPES.items()}
    assert defined == own


def test_every_message_says_who_signs_it() -> None:
    parts = {"Party", "Bylaws", "Terms"}  # of an agreement
    rows = [line.split("|")[1] for line in DOCUMENT.splitlines() if line.startswith("| `")]
    assert TYPES.keys() - parts <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(
    ("field", "numbers"),
    [
        ("Motion.action", Action),
        ("TaskRequest.kind", Kind),
        ("TaskChange.change", Change),
        ("Assignment.mode", Mode),
    ],
)
def test_every_number_of_a_choice_is_in_its_row(field: str, numbers: type[IntEnum]) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(field)}` \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert [int(each) for each in re.findall(r"\d", row)] == [int(each) for each in numbers]


def test_a_usage_report_has_the_keys_that_are_shown() -> None:
    usage = Usage(
        run="0x" + "11" * 32, round=1, node="spiffe://swarm.example/org/hospital-a/node/n1",
        bytes_served=1, bytes_fetched=1, training_ms=1, evaluation_ms=1, merge_ms=1, samples=64,
    )  # fmt: skip
    (shown,) = re.findall(r'^\{"bytes_fetched.*\}$', DOCUMENT, re.MULTILINE)
    assert re.findall(r'"(\w+)":', shown) == list(json.loads(usage.to_bytes()))


def test_what_it_points_to_is_there() -> None:
    links = [f"docs/{name}" for name in re.findall(r"\]\(([\w.-]+\.md)\)", DOCUMENT)]
    files = re.findall(r"`((?:contracts|metering|node_agent|tests)/[\w/.-]+\.\w+)`", DOCUMENT)
    assert [path for path in links + files if not (ROOT / path).exists()] == []
