from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from node_agent.callbacks.errors import AgentUnreachable, CallbackError, InvalidParameter
from node_agent.callbacks.hpe import DEFAULT_CONTRACT
from node_agent.errors import ConfigError
from node_agent.exec import environment, run_program
from tests.callbacks.in_its_own_process import ROOT
from tests.callbacks.stand_in import Line, StandInAgent


@pytest.fixture
def pyt(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "node_agent/hpe")
    return import_module("swarmlearning.pyt")


@pytest.fixture
def swci(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "node_agent/hpe")
    return import_module("swarmlearning.swci").Swci("10.0.0.1")


def parameters(**changes: Any) -> dict[str, Any]:
    """All that their documentation lists, at the values that it gives."""
    return {
        "syncFrequency": 128,
        "minPeers": 2,
        "trainingContract": DEFAULT_CONTRACT,
        "useAdaptiveSync": False,
        "adsValData": (torch.ones(4, 3), torch.ones(4, 1)),
        "adsValBatchSize": 2,
        "checkinModelOnTrainEnd": "snapshot",
        "nodeWeightage": 1,
        "mlPlatform": "PYTORCH",
        "mergeMethod": "GeoMedian",
        "totalEpochs": 10,
        "lossFunction": "BCEWithLogitsLoss",
        "lossFunctionArgs": {"reduction": "sum"},
        "metricFunction": None,
        "metricFunctionArgs": None,
        "model": torch.nn.Linear(3, 1),
        "logger": None,
    } | changes


def test_every_documented_parameter_is_taken(pyt: Any) -> None:
    swarm = pyt.SwarmCallback(**parameters())
    assert (swarm.mlPlatform, swarm.ml_platform) == ("PYTORCH", "PYTORCH")
    assert swarm.logger.level == logging.INFO


@pytest.mark.parametrize(
    ("changes", "says", "hint"),
    [
        ({"mlPlatform": "KERAS"}, "mlPlatform is 'KERAS'", "from swarmlearning.tf import"),
        ({"mlPlatform": "JAX"}, "mlPlatform must be one of KERAS", ""),
        ({"useAdaptiveSync": True, "adsValData": None}, "needs adsValData", "validation data"),
        ({"mergemethod": "mean"}, "no parameter 'mergemethod'", "Did you mean mergeMethod?"),
        ({"nodeWeightage": 0}, "nodeWeightage must be", ""),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(
    pyt: Any, changes: dict[str, Any], says: str, hint: str
) -> None:
    with pytest.raises(InvalidParameter, match=says) as refused:
        pyt.SwarmCallback(**parameters(**changes))
    assert hint in refused.value.hint


def test_what_means_nothing_to_the_framework_is_told_once(
    pyt: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL_WAIT_FOR_FULL_QUORUM_SECONDS", "30")
    caplog.set_level(logging.INFO)
    pyt.SwarmCallback(**parameters(hfMode="peft", logger=logging.getLogger("test")))
    assert caplog.messages == [
        "hfMode means nothing to a callback of PYTORCH, and is ignored",
        "SL_WAIT_FOR_FULL_QUORUM_SECONDS is set to '30'; here: quorumGrace in the terms of the run",
    ]


@pytest.mark.parametrize(
    ("outputs", "targets", "expected"),
    [
        (torch.zeros(2, 4), torch.tensor([1, 3]), torch.nn.CrossEntropyLoss()),
        (torch.zeros(2, 4).log_softmax(1), torch.tensor([1, 3]), torch.nn.NLLLoss()),
        (torch.ones(2, 1), torch.ones(2, 1), torch.nn.BCEWithLogitsLoss()),
    ],
)
def test_without_a_loss_the_one_that_suits_the_targets_is_measured(
    pyt: Any, outputs: torch.Tensor, targets: torch.Tensor, expected: Any
) -> None:
    torch.testing.assert_close(pyt.suited_loss(outputs, targets), expected(outputs, targets))


def test_swci_tells_nodes_and_the_state_of_the_run(swci: Any, socket_path: Path) -> None:
    status = {
        "node": "spiffe://a/org/x/node/1",
        "run": "0xab",
        "name": "breast-cancer",
        "state": "training",
        "round": 3,
        "max_rounds": 24,
        "leader": "spiffe://a/org/y/node/1",
        "members": ["spiffe://a/org/x/node/1", "spiffe://a/org/y/node/1"],
        "last": {"loss_after": 0.25},
    }

    def agent(line: Line) -> None:
        assert line.hear() == {"op": "status"}
        line.tell(status)

    with StandInAgent(socket_path, *[agent] * 5):
        assert [node["role"] for node in swci.listNodes()] == ["member", "leader"]
        assert swci.listTrainingContracts() == ["breast-cancer"]
        assert swci.getTrainingContractStatus(DEFAULT_CONTRACT)["round"] == 3
        assert swci.getTrainingContractPerformanceData("breast-cancer") == {"loss_after": 0.25}
        with pytest.raises(CallbackError, match="not in other"):
            swci.getTrainingContractStatus("other")
    assert len(swci.getErrors()) == 1


def test_swci_keeps_contexts_and_refuses_what_belongs_to_the_marketplace(swci: Any) -> None:
    swci.createContext("second", ip="10.0.0.2")
    assert swci.listContexts() == ["default", "second"]
    assert swci.getContextInfo()["port"] == 30304
    swci.switchContext("default")
    assert swci.getContextInfo()["ip"] == "10.0.0.1"
    with pytest.raises(CallbackError, match="no context 'third'"):
        swci.switchContext("third")
    with pytest.raises(CallbackError, match="assignTask cannot be called") as refused:
        swci.assignTask("task", "runner", 2)
    assert "marketplace" in refused.value.hint
    with pytest.raises(AttributeError):
        _ = swci.assignTasks


def test_swci_without_an_agent_says_how_to_start_the_program(
    swci: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWARM_AGENT_SOCKET", raising=False)
    with pytest.raises(AgentUnreachable) as unreachable:
        swci.listNodes()
    assert "swarm-node exec" in unreachable.value.hint


def test_a_program_that_is_executed_finds_the_agent_and_keeps_its_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / "agent.toml").write_text('socket = "here.sock"\n')
    variables = environment(tmp_path, {"SL_RAM_INTENSIVE": "True", "MAX_EPOCHS": "3"})
    assert variables["SWARM_AGENT_SOCKET"] == str(tmp_path / "here.sock")
    assert (variables["SL_RAM_INTENSIVE"], variables["MAX_EPOCHS"]) == ("True", "3")


@pytest.mark.parametrize("command", [[], ["no-such-program"]])
def test_a_program_that_is_not_there_is_refused(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("")
    with pytest.raises(ConfigError, match="no program"):
        run_program(command, tmp_path)
