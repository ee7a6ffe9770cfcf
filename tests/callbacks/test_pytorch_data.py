from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from node_agent.callbacks import pytorch_data
from node_agent.callbacks.errors import EvaluationError, InvalidParameter
from node_agent.callbacks.pytorch_data import ValidationData
from node_agent.parameters.format import write

CPU = torch.device("cpu")
INPUTS, TARGETS = torch.arange(20.0).reshape(10, 2), torch.arange(10.0)


def sizes(data: ValidationData) -> list[int]:
    return [len(targets) for _, targets in data.batches(CPU)]


@pytest.mark.parametrize(
    "data",
    [
        (INPUTS, TARGETS),
        (INPUTS.numpy(), TARGETS.numpy()),
        TensorDataset(INPUTS, TARGETS),
        DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4),
        [(INPUTS[:4], TARGETS[:4]), (INPUTS[4:8], TARGETS[4:8]), (INPUTS[8:], TARGETS[8:])],
    ],
    ids=["tensors", "arrays", "dataset", "loader", "batches"],
)
def test_data_come_in_batches_in_whatever_form_the_script_has_them(data: Any) -> None:
    batches = list(ValidationData.of(data, 4).batches(CPU))
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), INPUTS)
    assert torch.equal(torch.cat([targets for _, targets in batches]), TARGETS)


class Counted(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.passes += 1
        return zip(INPUTS, TARGETS, strict=True)


def test_small_sets_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = Counted(), Counted()
    data = ValidationData.of(small, 4)
    assert sizes(data) == sizes(data) == [4, 4, 2]
    assert small.passes == 1
    monkeypatch.setattr(pytorch_data, "_CACHE_LIMIT_BYTES", 100)
    data = ValidationData.of(large, 4)
    assert sizes(data) == sizes(data) == [4, 4, 2]
    assert large.passes == 2


def test_data_that_can_be_read_only_once_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="cannot be a generator"):
        ValidationData.of((pair for pair in [(INPUTS, TARGETS)]), None)


def test_inputs_and_targets_must_be_as_many() -> None:
    with pytest.raises(InvalidParameter, match="10 inputs, but 9 targets"):
        ValidationData.of((INPUTS, TARGETS[:9]), None)


def test_batches_must_be_pairs() -> None:
    with pytest.raises(EvaluationError, match="not pairs"):
        sizes(ValidationData.of([(INPUTS, TARGETS, TARGETS)], None))


def test_there_must_be_data() -> None:
    with pytest.raises(EvaluationError, match="no batches"):
        sizes(ValidationData.of([], None))


def test_an_agreed_set_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "agreed", {"images": np.zeros((2, 2), np.float32)}, {})
    with pytest.raises(EvaluationError, match="holds images"):
        ValidationData.from_file(tmp_path / "agreed", None)


def test_models_may_take_several_inputs() -> None:
    pairs = [({"ids": INPUTS, "mask": INPUTS}, TARGETS), ((INPUTS, INPUTS), TARGETS)]
    (named, _), (several, _) = ValidationData.of(pairs, None).batches(CPU)
    assert named.keys() == {"ids", "mask"}
    assert len(several) == 2
