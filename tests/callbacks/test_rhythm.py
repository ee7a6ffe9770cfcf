from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from node_agent.callbacks.errors import (
    AgentUnreachable,
    CallbackError,
    InvalidParameter,
    SwarmRefused,
)
from node_agent.callbacks.pytorch import SwarmCallback
from node_agent.parameters.format import ParameterFile, write
from tests.callbacks.stand_in import RUN, Line, StandInAgent, load, stop


@pytest.fixture
def model() -> torch.nn.Module:
    return torch.nn.Linear(3, 1)


def filled(path: Path, value: float) -> Path:
    tensors = {"weight": np.full((1, 3), value, np.float32), "bias": np.full(1, value, np.float32)}
    write(path, tensors, {"format": "swarm-1", "kind": "merged"})
    return path


def callback(model: torch.nn.Module, **parameters: Any) -> SwarmCallback:
    data = (torch.ones(4, 3), torch.ones(4, 1))
    settings: dict[str, Any] = {"syncFrequency": 2, "minPeers": 2, "adsValData": data}
    return SwarmCallback(**settings | {"model": model} | parameters)


def train_batch(model: torch.nn.Module, samples: int = 5) -> None:
    model(torch.ones(samples, 3)).sum().backward()


def value_of(model: torch.nn.Module) -> float:
    values = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert bool((values == values[0]).all())
    return float(values[0])


def test_a_script_starts_from_the_common_start_and_syncs_after_every_syncfrequency_batches(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    start, merged, update = (tmp_path / name for name in ("start", "merged", "update"))

    def agent(line: Line) -> None:
        line.welcome()
        assert line.hear()["schema"] == {"bias": ["F32", [1]], "weight": ["F32", [1, 3]]}
        same = {"base": str(filled(start, 1.0)), "merged": str(start)}
        measured = line.ask({"do": "evaluate", **same, "points": [], "gradient": None})
        assert measured["op"] == "evaluated"
        assert measured["loss_before"] == measured["loss_after"] == pytest.approx(0.01815, rel=1e-3)
        assert line.ask(load(start, 0, "aa")) == {"op": "loaded"}
        for round_, base in ((1, "aa"), (2, "bb")):
            sync = line.hear()
            assert (sync["op"], sync["base"], sync["steps"]) == ("sync", base, 2)
            assert sync["samples"] == 10
            written = line.ask({"do": "write", "path": str(update), "metadata": {"round": "1"}})
            file = ParameterFile.open(update)
            assert written == {"op": "written", "root": file.root.hex(), "size": file.size}
            assert file.metadata == {"round": "1"}
            assert line.ask(load(filled(merged, 2.0), round_, "bb")) == {"op": "loaded"}

    with StandInAgent(socket_path, agent):
        swarm = callback(model)
        swarm.on_train_begin(logs={"as": "Keras"})
        assert value_of(model) == 1.0
        for _ in range(4):
            train_batch(model)
            assert swarm.on_batch_end(3, {"accuracy": 0.9}) is False
        assert (value_of(model), swarm.round) == (2.0, 2)


def test_a_run_may_change_the_number_of_batches_from_round_to_round(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        start = load(filled(tmp_path / "start", 1.0))
        line.hear()
        line.ask(start | {"syncFrequency": 5})
        assert line.hear()["steps"] == 5
        line.ask(start | {"round": 1})
        assert line.hear()["steps"] == 5
        line.ask(stop(None))

    with StandInAgent(socket_path, agent):
        swarm = callback(model)
        swarm.on_train_begin()
        assert [swarm.on_batch_end() for _ in range(10)] == [False] * 9 + [True]


def test_the_updates_file_holds_what_was_trained(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0))
        line.hear()
        line.ask({"do": "write", "path": str(tmp_path / "update"), "metadata": {}})
        line.tell(stop(None))
        line.hear()

    with StandInAgent(socket_path, agent):
        swarm = callback(model)
        swarm.on_train_begin()
        for _ in range(2):
            with torch.no_grad():
                model.weight.add_(0.25)
            swarm.on_batch_end()
    update = ParameterFile.open(tmp_path / "update").tensors()
    np.testing.assert_array_equal(update["weight"], np.full((1, 3), 1.5, np.float32))
    np.testing.assert_array_equal(update["bias"], np.ones(1, np.float32))


def test_a_loop_can_stop_when_the_run_is_over_and_one_that_trains_on_gets_the_final_model_back(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module, capsys: pytest.CaptureFixture[str]
) -> None:
    final = filled(tmp_path / "final", 9.0)

    def agent(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0))
        line.hear()
        assert line.ask(stop(final, 24)) == {"op": "loaded"}

    with StandInAgent(socket_path, agent) as stand_in:
        swarm = callback(model)
        swarm.on_train_begin()
        stopped = [swarm.on_batch_end() for _ in range(5)]
        assert stopped == [False, True, True, True, True]
        assert swarm.on_epoch_end(0) is True
        assert value_of(model) == 9.0
        with torch.no_grad():
            model.weight.zero_()
        final.unlink()
        swarm.on_train_end()
    assert (value_of(model), swarm.finished, swarm.round) == (9.0, True, 24)
    assert stand_in.operations == ["hello", "begin", "loaded", "sync", "loaded"]


def test_epochs_call_the_hooks_and_end_with_the_run(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0))
        assert (line.hear()["epochs"], line.ask(load(tmp_path / "start", 1))["op"]) == (
            0.0,
            "loaded",
        )
        assert line.hear()["epochs"] == 1.333
        line.ask(stop(filled(tmp_path / "final", 9.0)))

    caplog.set_level(logging.INFO)
    seen = []
    with StandInAgent(socket_path, agent):
        swarm = callback(model, logger=logging.getLogger("test"))
        for epoch in swarm.epochs(10):
            for _ in range(3):
                seen.append(epoch)
                train_batch(model)
                swarm.on_batch_end()
            with torch.no_grad():
                model.weight.zero_()
    assert seen == [0, 0, 0, 1, 1, 1]
    assert value_of(model) == 9.0
    assert "epochs 0.0 of 10" in caplog.text


def test_a_script_that_ends_first_waits_for_the_final_model(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0), base="aa")
        end = line.hear()
        assert (end["op"], end["base"], end["checkin"]) == ("end", "aa", "active")
        line.tell({"do": "wait", "message": "1 of 3 nodes trains on"})
        line.ask(load(filled(tmp_path / "merged", 2.0), 1, "bb"))
        assert line.hear()["base"] == "bb"
        line.ask(stop(filled(tmp_path / "final", 9.0)))

    log = logging.getLogger("test")
    caplog.set_level(logging.INFO)
    with StandInAgent(socket_path, agent):
        swarm = callback(model, checkinModelOnTrainEnd="active", logger=log)
        swarm.on_train_begin()
        swarm.on_train_end()
        swarm.on_train_end()
    assert value_of(model) == 9.0
    said = "All peers and Swarm training rounds finished. Final Swarm model was loaded."
    assert caplog.messages[-1] == said


def test_an_agent_that_dies_in_a_sync_is_waited_for_and_the_sync_goes_on(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    def dies(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0), base="aa")
        line.hear()
        line.ask({"do": "write", "path": str(tmp_path / "update"), "metadata": {}})

    def resumes(line: Line) -> None:
        line.welcome(round=1)
        assert line.hear()["base"] == "aa"
        line.ask(load(filled(tmp_path / "merged", 2.0), 1, "bb"))

    with StandInAgent(socket_path, dies, resumes) as stand_in:
        swarm = callback(model)
        swarm.on_train_begin()
        swarm.on_batch_end()
        swarm.on_batch_end()
    assert value_of(model) == 2.0
    again = ["hello", "sync", "loaded"]
    assert stand_in.operations == ["hello", "begin", "loaded", "sync", "written", *again]


def test_a_script_may_join_a_run_that_is_over(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        line.hear()
        line.ask(stop(filled(tmp_path / "final", 9.0)))

    with StandInAgent(socket_path, agent):
        swarm = callback(model)
        swarm.on_train_begin()
        assert swarm.on_batch_end() is True
        swarm.on_train_end()
    assert value_of(model) == 9.0


def test_a_script_that_differs_from_the_terms_does_not_start(
    socket_path: Path, model: torch.nn.Module
) -> None:
    with (
        StandInAgent(socket_path, lambda line: line.welcome()) as stand_in,
        pytest.raises(SwarmRefused, match=r"syncFrequency is 4 .* say 2"),
    ):
        callback(model, syncFrequency=4).on_train_begin()
    claims = {"minPeers": 2, "syncFrequency": 4, "mergeMethod": None, "nodeWeightage": 1}
    assert stand_in.heard[0]["claims"] == claims


def test_the_agreed_validation_set_is_used_when_the_script_brings_none(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module
) -> None:
    agreed = tmp_path / "validation"
    arrays = {"inputs": np.ones((4, 3), np.float32), "targets": np.ones((4, 1), np.float32)}
    write(agreed, arrays, {})

    def agent(line: Line) -> None:
        line.welcome(validation=str(agreed))
        line.hear()
        start = str(filled(tmp_path / "start", 1.0))
        ask = {"do": "evaluate", "base": start, "merged": start, "points": [], "gradient": None}
        assert line.ask(ask)["loss_after"] == pytest.approx(0.01815, rel=1e-3)
        line.ask(stop(None))

    with StandInAgent(socket_path, agent):
        callback(model, adsValData=None, trainingContract=RUN).on_train_begin()


def test_without_any_validation_data_a_script_does_not_start(
    socket_path: Path, model: torch.nn.Module
) -> None:
    with (
        StandInAgent(socket_path, lambda line: line.welcome()),
        pytest.raises(SwarmRefused, match="adsValData is missing"),
    ):
        callback(model, adsValData=None).on_train_begin()


def test_one_line_per_round_tells_the_user_how_it_goes(
    socket_path: Path, tmp_path: Path, model: torch.nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    def agent(line: Line) -> None:
        line.welcome()
        line.load(filled(tmp_path / "start", 1.0))
        line.hear()
        line.tell({"do": "wait", "message": "2 of 3 nodes have committed"})
        line.ask(load(tmp_path / "start", 1))

    caplog.set_level(logging.INFO)
    with StandInAgent(socket_path, agent):
        swarm = callback(model, totalEpochs=10, logger=logging.getLogger("test"))
        swarm.on_train_begin()
        joined = len(caplog.messages)
        swarm.on_batch_end()
        swarm.on_batch_end()
    [line] = caplog.messages[joined:]
    assert line.startswith("round 1: loss 0.5000, metric 0.9000, epochs 0.0 of 10, waited")


def test_in_loopback_only_the_parameters_are_checked(
    monkeypatch: pytest.MonkeyPatch, model: torch.nn.Module
) -> None:
    monkeypatch.setenv("SWARM_LOOPBACK", "True")
    monkeypatch.delenv("SWARM_AGENT_SOCKET", raising=False)
    with pytest.raises(InvalidParameter):
        callback(model, syncFrequency=0)
    before = value_of_all(model)
    swarm = callback(model, adsValData=None)
    swarm.on_train_begin()
    assert [swarm.on_batch_end() for _ in range(5)] == [False] * 5
    swarm.on_epoch_end(0)
    swarm.on_train_end()
    assert not swarm.finished
    assert value_of_all(model) == before


def value_of_all(model: torch.nn.Module) -> list[float]:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()


def test_a_missing_socket_variable_is_explained(
    monkeypatch: pytest.MonkeyPatch, model: torch.nn.Module
) -> None:
    monkeypatch.delenv("SWARM_AGENT_SOCKET", raising=False)
    monkeypatch.delenv("SWARM_LOOPBACK", raising=False)
    with pytest.raises(AgentUnreachable, match="SWARM_AGENT_SOCKET is not set") as error:
        callback(model).on_train_begin()
    assert "SWARM_LOOPBACK" in error.value.hint


def test_a_batch_before_the_common_start_is_an_error(
    socket_path: Path, model: torch.nn.Module
) -> None:
    with pytest.raises(CallbackError, match="before on_train_begin"):
        callback(model).on_batch_end()


def test_the_base_needs_no_training_framework() -> None:
    check = "import sys, node_agent.callbacks.base; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
