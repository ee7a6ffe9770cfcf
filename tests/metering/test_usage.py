"""Usage: reported, signed, added up, and never paid by."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering import ledger, split, statement, vesting
from metering.errors import MeteringError
from metering.usage import Usage, UsageSum, organization_of, parse, total, total_of
from tests.metering.simulated_chain import run_id

counts = st.integers(0, 2**64 - 1)


def node(organization: str, name: str = "a") -> str:
    return f"spiffe://swarm.example/org/{organization}/node/{name}"


def usage(**changes: object) -> Usage:
    report = Usage(
        run=run_id(1),
        round=3,
        node=node("ward"),
        bytes_served=2000,
        bytes_fetched=1000,
        training_ms=1500,
        evaluation_ms=250,
        merge_ms=50,
        samples=812,
        energy_j=45,
    )
    return dataclasses.replace(report, **changes)


@given(counts, counts, st.none() | counts)
def test_a_report_reads_back_from_what_is_signed(served: int, ms: int, energy: int | None) -> None:
    report = usage(bytes_served=served, training_ms=ms, energy_j=energy)
    assert parse(report.to_bytes()) == report
    assert (
        report.to_bytes() == usage(bytes_served=served, training_ms=ms, energy_j=energy).to_bytes()
    )


def test_energy_that_cannot_be_read_is_not_zero() -> None:
    assert b'"energy_j":null' in usage(energy_j=None).to_bytes()
    assert usage(energy_j=None).to_bytes() != usage(energy_j=0).to_bytes()
    unread = total([usage(energy_j=None)])
    assert (unread.energy_j, unread.energy_reports) == (None, 0)
    partly = total([usage(energy_j=None), usage(round=4)])
    assert (partly.energy_j, partly.energy_reports, partly.reports) == (45, 1, 2)
    assert total([usage(energy_j=0)]).energy_j == 0


@pytest.mark.parametrize(
    "name",
    [field.name for field in dataclasses.fields(Usage) if field.name not in ("run", "node")],
)
@pytest.mark.parametrize("value", [-1, 1.5, 2**64, True, "1"])
def test_a_report_holds_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(MeteringError, match=name):
        usage(**{name: value})


@pytest.mark.parametrize(
    "identity",
    [
        "",
        None,
        "ward",
        "https://swarm.example/org/ward/node/a",
        "spiffe://swarm.example/org/ward",
        "spiffe://swarm.example/org//node/a",
        "spiffe:///org/ward/node/a",
        "spiffe://swarm.example/org/ward/node/a/b",
    ],
)
def test_a_report_is_a_nodes(identity: object) -> None:
    with pytest.raises(MeteringError, match="SPIFFE"):
        usage(node=identity)


def test_a_report_that_was_altered_or_is_none_is_refused() -> None:
    data = usage().to_bytes()
    for other in (b"{}", data + b" ", data.replace(b'"round":3', b'"round":-3'), data[:-1]):
        with pytest.raises(MeteringError):
            parse(other)


def test_sums_of_reports_and_of_sums() -> None:
    reports = [
        usage(),
        usage(node=node("ward", "b"), energy_j=None),
        usage(node=node("lab"), round=4, samples=10),
        usage(node=node("lab"), run=run_id(2), samples=1),
    ]
    ward = total(each for each in reports if organization_of(each.node) == "ward")
    lab = total(each for each in reports if organization_of(each.node) == "lab")
    assert (ward.samples, ward.reports, ward.energy_j) == (1624, 2, 45)
    assert lab.samples == 11
    assert total_of([ward, lab]) == total(reports)
    assert total(reports).bytes_served == 8000
    assert total([usage(restarts=1), usage(round=4, restarts=2)]).restarts == 3
    assert ward.compute_s == 3.6
    assert total([]) == UsageSum(
        reports=0,
        bytes_served=0,
        bytes_fetched=0,
        training_ms=0,
        evaluation_ms=0,
        merge_ms=0,
        samples=0,
        restarts=0,
        energy_j=None,
        energy_reports=0,
    )


def test_a_report_heard_twice_counts_once_and_two_of_one_round_are_refused() -> None:
    assert total([usage(), usage()]) == total([usage()])
    with pytest.raises(MeteringError, match="two ways"):
        total([usage(), usage(samples=813)])


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), unique=True), st.randoms())
def test_the_order_of_reports_does_not_matter(places, random) -> None:
    reports = [usage(round=number, node=node(name)) for number, name in places]
    shuffled = random.sample(reports, len(reports))
    assert total(shuffled) == total(reports)


@pytest.mark.parametrize("module", [split, vesting, ledger, statement], ids=lambda m: m.__name__)
def test_nothing_that_pays_takes_usage(module) -> None:
    """Neither by type nor by name; and no module of this package so much as imports it."""
    words = {"usage", "bytes_served", "bytes_fetched", "energy_j", "compute_s", "training_ms"}
    callables = [value for name, value in inspect.getmembers(module, callable)]
    assert callables
    for each in callables:
        for member in (each, *vars(each).values()) if inspect.isclass(each) else (each,):
            if inspect.isfunction(member):
                assert words.isdisjoint(inspect.signature(member).parameters)
                assert Usage not in typing.get_type_hints(member).values()
                assert UsageSum not in typing.get_type_hints(member).values()


def test_no_module_of_metering_imports_usage() -> None:
    for path in Path(metering.__path__[0]).rglob("*.py"):
        for statement_ in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement_, ast.Import):
                names = [alias.name for alias in statement_.names]
            elif isinstance(statement_, ast.ImportFrom):
                names = [f"{statement_.module}.{alias.name}" for alias in statement_.names]
            else:
                continue
            assert not any(name.startswith("metering.usage") for name in names), path
