"""A site judges others by more rows than it holds out, where each measures on its own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from node_agent.callbacks.errors import SwarmRefused
from node_agent.callbacks.pytorch import SwarmCallback
from node_agent.parameters.format import ParameterFile
from tests.callbacks.stand_in import Line, StandInAgent, stop
from tests.callbacks.test_pytorch_evaluation import INPUTS, LABELS, POINTS, evaluator, saved

ROWS = torch.tensor(INPUTS), torch.tensor(LABELS)
HELD_OUT = ROWS[0][:20], ROWS[1][:20]
LOCAL = {"terms": {"minPeers": 2, "syncFrequency": 2, "maxRounds": 9, "metering": "local"}}


def callback(model: nn.Module, **more: Any) -> SwarmCallback:
    return SwarmCallback(
        syncFrequency=2, minPeers=2, model=model, adsValData=HELD_OUT, opinionData=ROWS, **more
    )


def test_losses_are_of_the_held_out_rows_and_the_gradient_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, merged = (saved(nn.Linear(6, 1), tmp_path) for _ in range(2))
    gradient, expected = tmp_path / "gradient", tmp_path / "expected"
    question = {"do": "evaluate", "base": str(base), "merged": str(merged),
                "points": [list(point) for point in POINTS], "gradient": str(gradient)}  # fmt: skip
    answers = []

    def agent(line: Line) -> None:
        line.welcome(**LOCAL)
        line.hear()
        answers.append(line.ask(question))
        answers.append(line.ask(question | {"points": [], "gradient": None, "merged": str(base)}))
        line.ask(stop(base))

    path = tmp_path / "agent"
    monkeypatch.setenv("SWARM_AGENT_SOCKET", str(path))
    with StandInAgent(path, agent):
        callback(nn.Linear(6, 1)).on_train_begin()
    held_out = evaluator(nn.Linear(6, 1), HELD_OUT).evaluate(base, merged)
    every = evaluator(nn.Linear(6, 1), ROWS).evaluate(base, merged, POINTS, expected)
    attested, at_base = answers
    assert attested["loss_before"] == pytest.approx(held_out.loss_before)
    assert attested["loss_after"] == pytest.approx(held_out.loss_after)
    assert attested["row_losses"] == pytest.approx([every.loss_before, every.loss_after])
    assert at_base["row_losses"] == pytest.approx([every.loss_before] * 2)
    for name, values in ParameterFile.open(expected).tensors().items():
        np.testing.assert_allclose(ParameterFile.open(gradient).tensor(name), values, atol=1e-6)


def test_where_all_measure_on_the_same_data_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent"
    monkeypatch.setenv("SWARM_AGENT_SOCKET", str(path))
    with (
        StandInAgent(path, lambda line: line.welcome()),
        pytest.raises(SwarmRefused, match="opinionData is for runs under `local`") as refusal,
    ):
        callback(nn.Linear(6, 1)).on_train_begin()
    assert "Leave out" in refusal.value.hint
