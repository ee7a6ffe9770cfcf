"""What a draft says of merging and of the sync frequency, in the terms and in the document."""

from __future__ import annotations

import pytest

from marketplace.agreements.document import rule_rows
from marketplace.agreements.terms import complete_terms
from marketplace.errors import InvalidInput

HASH = "0x" + "11" * 32
DRAFT = {
    "initial_root": HASH,
    "schema_hash": HASH,
    "validation_root": HASH,
    "sponsor": "0x" + "22" * 20,
    "budget": 1000,
    "loss_ceiling": 2 * 10**9,
    "target_loss": 10**8,
    "max_rounds": 24,
}


def told(**fields: object) -> dict[str, str]:
    return dict(rule_rows(complete_terms(DRAFT | fields, 3)))


def test_new_agreements_clip_norms() -> None:
    assert told()["merge rule"] == "norm-clipped-mean"


def test_a_rule_is_told_by_its_name_and_parameter() -> None:
    krum = told(merge_rule="krum", merge_parameter=340_000)
    assert krum["merge rule"] == "krum, parameter 0.340000"
    assert told(merge_rule=200)["merge rule"] == "plug-in-200"


def test_a_frequency_that_adapts_is_told_with_its_formula_and_floor() -> None:
    assert told(sync_frequency=20)["batches between two rounds"] == "20"
    adaptive = told(sync_frequency=20, adaptive_sync=True)["batches between two rounds"]
    assert adaptive == "20 times the square root of loss / initial loss, at least 3"
    assert complete_terms(DRAFT | {"adaptive_sync": True}, 3).sync_frequency == 16 + 2**31
    with pytest.raises(InvalidInput, match="adaptive_sync"):
        told(adaptive_sync="yes")
    with pytest.raises(InvalidInput, match="sync_frequency must be above zero"):
        told(sync_frequency=0, adaptive_sync=True)
