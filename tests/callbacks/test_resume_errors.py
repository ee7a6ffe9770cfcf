"""Where a restart cannot be exact, the script is told so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.pytorch import SwarmCallback
from node_agent.callbacks.pytorch_resume import TorchResume
from node_agent.callbacks.resume import Resume
from node_agent.callbacks.resume_files import Windows, digest
from node_agent.callbacks.sklearn_resume import SklearnResume
from node_agent.parameters.format import write
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X.sum(1) > 0).astype(int)


def test_a_loop_whose_place_in_the_epoch_nobody_knows_is_refused(
    socket_path: Path, tmp_path: Path
) -> None:
    model = torch.nn.Linear(3, 1)
    start = tmp_path / "start"

    def agent(line: Line) -> None:
        line.welcome(directory=str(tmp_path), terms=WELCOME["terms"] | {"syncFrequency": 1})
        line.hear()
        line.ask({"do": "write", "path": str(start), "metadata": {}})
        line.ask(load(start))

    with StandInAgent(socket_path, agent):
        data = (torch.ones(4, 3), torch.ones(4, 1))
        swarm = SwarmCallback(1, 2, model=model, adsValData=data, deterministic=True)
        swarm.on_train_begin()
        model(data[0]).sum().backward()
        with pytest.raises(ModelError, match="which of the epoch's batches") as refused:
            swarm.on_batch_end()
    assert "swarm.batches" in refused.value.hint


def test_what_has_no_state_to_keep_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="whose state cannot be kept"):
        Resume([object()])


def test_other_objects_than_before_are_refused(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 1)
    TorchResume([model, model]).joined(tmp_path)
    again = TorchResume([model])
    again.joined(tmp_path)
    with pytest.raises(ModelError, match="2 objects was kept, but state has 1"):
        again.loaded("")


def test_the_file_of_another_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "00000000.safetensors", {}, {"format": "swarm-1", "kind": "resume"})
    with pytest.raises(ModelError, match="another version"):
        Windows(tmp_path).back_to("")


def test_an_epoch_that_has_become_shorter_is_refused(tmp_path: Path) -> None:
    first = Resume()
    first.joined(tmp_path)
    first.loaded("a")
    assert list(first.batches([1, 2, 3])) == [1, 2, 3]
    first.syncing("a")
    second = Resume()
    second.joined(tmp_path)
    second.loaded("b")
    with pytest.raises(ModelError, match="fewer batches than the 3"):
        list(second.batches([1, 2]))


def weights(model: Any) -> list[np.ndarray]:
    """What travels of it, as it is in the model."""
    if hasattr(model, "coefs_"):
        return [*model.coefs_, *model.intercepts_]
    return [model.coef_, model.intercept_]


def test_an_estimator_with_a_state_that_nobody_can_see_is_refused(tmp_path: Path) -> None:
    model = SGDClassifier().fit(X, Y)
    model.helper = object()
    with pytest.raises(ModelError, match=r"SGDClassifier\.helper is a object"):
        SklearnResume(model).joined(tmp_path)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SGDClassifier(learning_rate="adaptive", eta0=0.1),
        lambda: MLPClassifier((4,), random_state=np.random.RandomState(1)),
        lambda: MLPRegressor(hidden_layer_sizes=(4,), solver="sgd"),
    ],
)
def test_an_estimator_takes_up_its_counters_solver_and_random_state(
    build: Any, tmp_path: Path
) -> None:
    def begun() -> Any:
        model = build()
        classes = (
            {"classes": [0, 1]} if hasattr(model, "predict_proba") or "SGD" in str(model) else {}
        )
        return model.partial_fit(X[:8], Y[:8], **classes)

    np.random.seed(0)
    model = begun()
    resume = SklearnResume(model)
    resume.joined(tmp_path)
    resume.loaded("a")
    for rows in resume.batches([slice(0, 20), slice(20, 40)]):
        model.partial_fit(X[rows], Y[rows])
    resume.syncing("a")

    again = begun()
    second = SklearnResume(again)
    second.joined(tmp_path)
    second.loaded("b")
    assert again.t_ == model.t_
    for mine, theirs in zip(weights(again), weights(model), strict=True):
        mine[...] = theirs  # as the merge does
    state = np.random.get_state()
    model.partial_fit(X, Y)
    np.random.set_state(state)
    again.partial_fit(X, Y)
    assert digest(weights(again)) == digest(weights(model))


def test_arrays_of_every_kind_come_back(tmp_path: Path) -> None:
    tree = {
        "empty": np.zeros((0, 3)),
        "scalar": np.array(1.5, np.float32),
        "words": np.array(["a", "bcd"]),
        "mask": np.array([[True], [False]]),
        "number": np.uint32(7),
        3: (None, 2**127, [1.5, "é"]),
    }
    windows = Windows(tmp_path)
    windows.save("", tree)
    found = Windows(tmp_path).back_to("")
    assert digest(found) == digest(tree)
    assert found["empty"].shape == (0, 3)
    assert found["words"].tolist() == ["a", "bcd"]
    assert found[3] == (None, 2**127, [1.5, "é"])
