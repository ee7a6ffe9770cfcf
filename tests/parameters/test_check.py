"""An update is merged only if it is what it has to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from node_agent.parameters.check import Reason, check_update
from node_agent.parameters.format import ParameterFile
from tests.parameters.models import every_dtype, saved

BERLIN = {
    "format": "swarm-1",
    "kind": "update",
    "run": "0x" + "ab" * 32,
    "round": "3",
    "prev": "0x" + "cd" * 32,
    "node": "spiffe://clinics.example/org/berlin/node/one",
}


@pytest.fixture
def update(tmp_path: Path) -> ParameterFile:
    return saved(tmp_path / "update", every_dtype(), BERLIN, ["BF16"])


def test_an_update_that_fits_is_accepted(update: ParameterFile) -> None:
    assert check_update(update, update.schema, BERLIN) is None


@pytest.mark.parametrize("key", ["kind", "run", "round", "prev", "node"])
def test_nobody_passes_off_an_update_made_for_elsewhere(update, key: str) -> None:
    reject = check_update(update, update.schema, BERLIN | {key: "other"})
    assert reject is not None
    assert reject.reason == Reason.HEADER
    assert f"{key}='{BERLIN[key]}'" in reject.text


def test_a_header_that_says_more_than_it_has_to_is_rejected(update: ParameterFile) -> None:
    expected = {key: value for key, value in BERLIN.items() if key != "node"}
    reject = check_update(update, update.schema, expected)
    assert reject is not None
    assert reject.reason == Reason.HEADER


def test_an_update_of_another_model_is_rejected(tmp_path: Path, update: ParameterFile) -> None:
    other = saved(tmp_path / "other", every_dtype(length=8), BERLIN, ["BF16"])
    reject = check_update(other, update.schema, BERLIN)
    assert reject is not None
    assert reject.reason == Reason.SCHEMA
    assert "is BF16 [8], expected BF16 [7]" in reject.text


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("tag", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("index", [0, 300_000])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(tmp_path, tag, poison, index) -> None:
    tensors = every_dtype(length=300_001) | {"first": np.zeros(5, np.float32)}
    if tag == "BF16":
        tensors[tag][index] = np.float32(poison).view(np.uint32) >> 16
    else:
        tensors[tag][index] = poison
    file = saved(tmp_path / "update", tensors, BERLIN, ["BF16"])
    reject = check_update(file, file.schema, BERLIN)
    assert reject is not None
    assert reject.reason == Reason.NOT_FINITE
    assert reject.text == f"tensor '{tag}': element {index} is not a finite number"


def test_the_largest_finite_numbers_pass(tmp_path: Path) -> None:
    tensors = {
        "F32": np.array([np.finfo("f4").max, np.finfo("f4").smallest_subnormal], "f4"),
        "F16": np.array([-65504, 6e-8], "f2"),
        "BF16": np.array([0x7F7F, 0xFF7F, 1], np.uint16),
        "none": np.zeros(0, "f4"),
    }
    file = saved(tmp_path / "update", tensors, BERLIN, ["BF16"])
    assert check_update(file, file.schema, BERLIN) is None


def test_a_bool_that_is_neither_true_nor_false_is_rejected(tmp_path: Path) -> None:
    flags = np.array([0, 1, 2], np.uint8).view(bool)
    file = saved(tmp_path / "update", {"flags": flags}, BERLIN)
    reject = check_update(file, file.schema, BERLIN)
    assert reject is not None
    assert reject.reason == Reason.SCHEMA
    assert reject.text == "tensor 'flags': element 2 is no bool"


def test_the_reasons_are_those_on_chain() -> None:
    assert [reason.value for reason in Reason] == [1, 2, 3, 4, 5, 6]
