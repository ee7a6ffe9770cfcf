"""The settlements that the contracts are tested with, replayed here and checked by other means."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import pytest

from metering.vesting import Pool
from scripts.make_money_vectors import PATH, main

CASES = json.loads(PATH.read_text())["cases"]


@pytest.fixture(params=CASES, ids=lambda case: case["name"])
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def test_the_file_is_what_its_program_writes() -> None:
    assert main(["--check"]) == 0


def test_a_pool_settles_every_case_as_written(case: dict[str, Any]) -> None:
    pool = Pool(int(case["funded_wei"]), case["initial_loss_e9"], case["target_loss_e9"])
    for settled in case["rounds"]:
        credited = pool.settle(settled["loss_after_e9"], settled["shares"])
        written = {int(party): int(wei) for party, wei in settled["credited_wei"].items()}
        assert credited == written
        assert pool.best_loss_e9 == settled["best_loss_e9"]
    assert pool.refund_wei() == int(case["refund_wei"])


def test_every_case_follows_from_the_rules_in_exact_fractions(case: dict[str, Any]) -> None:
    """Written without the product's arithmetic: fractions, rounded down only where money moves."""
    funded, start = int(case["funded_wei"]), case["initial_loss_e9"]
    best, paid = start, 0
    for settled in case["rounds"]:
        if settled["shares"]:
            best = min(best, settled["loss_after_e9"])
        progress = min(Fraction(1), Fraction(start - best, start - case["target_loss_e9"]))
        left = math.floor(funded * progress) - paid
        for party, bips in settled["shares"]:
            credit = math.floor(Fraction(left * bips, 10_000))
            assert settled["credited_wei"][str(party)] == str(credit)
            paid += credit
        assert settled["best_loss_e9"] == best
    assert int(case["refund_wei"]) == funded - paid


def test_every_case_can_be_played_on_the_contracts(case: dict[str, Any]) -> None:
    assert case["initial_loss_e9"] > case["target_loss_e9"]
    for settled in case["rounds"][:-1]:
        assert settled["loss_after_e9"] > case["target_loss_e9"], "the run would be over"
    for settled in case["rounds"]:
        if len(settled["shares"]) == 2:
            assert [bips for _, bips in settled["shares"]] == [5000, 5000]
