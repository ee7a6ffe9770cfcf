"""One altered wei is found and named; what does not add up or follow is said."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metering.errors import MeteringError
from metering.statement import differences, faults, follows, parse
from tests.metering.histories import chains
from tests.metering.simulated_chain import PARTIES, SimulatedChain, hash_of, run_id
from tests.metering.statements import period, stated, three_rounds


@pytest.fixture
def chain() -> SimulatedChain:
    return three_rounds()


@settings(max_examples=50)
@given(chains(), st.sampled_from(PARTIES), st.data())
def test_one_altered_wei_is_found_and_named(
    chain: SimulatedChain, party: int, data: st.DataObject
) -> None:
    own = stated(chain, party)
    assume(own.lines)
    place = data.draw(st.integers(0, len(own.lines) - 1))
    name = data.draw(st.sampled_from(["amount_wei", "vested_wei"]))
    line = own.lines[place]
    altered = dataclasses.replace(line, **{name: getattr(line, name) + 1})
    lines = (*own.lines[:place], altered, *own.lines[place + 1 :])
    forged = dataclasses.replace(own, lines=lines)
    assert forged.digest() != own.digest()
    first = differences(parse(forged.to_bytes(), check_sums=False), own)[0]
    assert first.where == f"line {place + 1} (round {line.round} of run {line.run})"
    assert (first.field, first.stated - first.recomputed) == (name, 1)
    if name == "amount_wei":
        with pytest.raises(MeteringError):
            parse(forged.to_bytes())


def test_a_forgery_that_adds_up_is_found_by_its_first_altered_line(chain: SimulatedChain) -> None:
    own = stated(chain, 0)
    text = own.to_bytes().decode()
    more = text.replace('"amount_wei":60000,"block":2', '"amount_wei":60001,"block":2')
    more = more.replace('"credited_wei":310000', '"credited_wei":310001')
    more = more.replace(f'"closing_wei":{own.closing_wei}', f'"closing_wei":{own.closing_wei + 1}')
    found = differences(parse(more.encode()), own)
    assert [str(each).split(": ", 1)[1] for each in found] == [
        "amount_wei is 60001, recomputed 60000",
        f"closing_wei is {own.closing_wei + 1}, recomputed {own.closing_wei}",
        "credited_wei is 310001, recomputed 310000",
    ]


def test_lines_that_are_missing_or_made_up_are_named_alone(chain: SimulatedChain) -> None:
    own = stated(chain, 0)
    without = dataclasses.replace(own, lines=own.lines[1:], movements=own.movements[:1])
    assert [str(each) for each in differences(without, own)] == [
        f"round 1 of run {run_id(0)}: the line is missing, recomputed there",
        "movement 2: the movement is missing, recomputed there",
        "movement 3: the movement is missing, recomputed there",
    ]
    (made_up, *_) = differences(own, without)
    assert str(made_up).startswith(f"line 1 (round 1 of run {run_id(0)}): the line is there")


def test_the_other_fields_are_compared_too(chain: SimulatedChain) -> None:
    own = stated(chain, 0)
    other = dataclasses.replace(own.period, last_block_hash=hash_of("fork"))
    for name, value in {
        "chain_id": 1,
        "contract": "0x" + "00" * 20,
        "organization": "someone-else",
        "opening_wei": 1,
        "closing_wei": 1,
    }.items():
        (found,) = differences(dataclasses.replace(own, **{name: value}), own)
        assert found.field == name
    (found,) = differences(dataclasses.replace(own, period=other), own)
    assert (found.where, found.field) == ("period", "last_block_hash")
    movement = dataclasses.replace(own.movements[0], transaction=hash_of("another"))
    forged = dataclasses.replace(own, movements=(movement, *own.movements[1:]))
    (found,) = differences(forged, own)
    assert (found.where, found.field) == ("movement 1", "transaction")


def test_shares_that_public_records_do_not_tell_are_not_compared(chain: SimulatedChain) -> None:
    own = stated(chain, 0)
    lines = tuple(dataclasses.replace(line, size_bips=None) for line in own.lines)
    assert differences(own, dataclasses.replace(own, lines=lines)) == ()
    assert {each.field for each in differences(dataclasses.replace(own, lines=lines), own)} == {
        "size_bips"
    }


def test_what_does_not_add_up_is_said(chain: SimulatedChain) -> None:
    own = stated(chain, 0)
    first, second, third = own.lines

    def said(**changes: object) -> str:
        return "; ".join(faults(dataclasses.replace(own, **changes)))

    assert said() == ""
    assert "outside the period" in said(period=period(3, 9))
    assert "order of the chain" in said(lines=(second, first, third))
    assert "two lines" in said(lines=(first, first, second, third))
    assert "below zero" in said(opening_wei=-1, closing_wei=own.closing_wei - 1)
    richer = dataclasses.replace(first, vested_wei=first.amount_wei - 1)
    assert "more than it had" in said(lines=(richer, second, third))
    negative = dataclasses.replace(own.movements[0], amount_wei=-1)
    assert "not above zero" in said(movements=(negative, *own.movements[1:]))
    for name in dataclasses.asdict(own.totals):
        more = dataclasses.replace(own.totals, **{name: getattr(own.totals, name) + 1})
        assert f"{name} is" in said(totals=more)


def test_a_period_that_does_not_follow_is_told(chain: SimulatedChain) -> None:
    before, after = stated(chain, 0, 0, 4), stated(chain, 0, 6, 9)
    assert [each.field for each in follows(before, after)] == ["first_block", "begins_s"]
    assert [each.field for each in follows(before, stated(chain, 1, 5, 9))] == [
        "organization",
        "opening_wei",
    ]
