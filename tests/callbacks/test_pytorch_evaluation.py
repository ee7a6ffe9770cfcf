from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from node_agent.callbacks.errors import EvaluationError
from node_agent.callbacks.measure import WORST_LOSS, Measured
from node_agent.callbacks.pytorch_data import ValidationData
from node_agent.callbacks.pytorch_evaluation import Evaluator
from node_agent.callbacks.pytorch_functions import Loss, metric_of
from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.parameters.format import ParameterFile, write
from tests.callbacks.test_pytorch_model import state_bytes

# Gauss-Legendre on [0, 1], five points.
POINTS = tuple(
    ((1 + float(x)) / 2, float(w) / 2)
    for x, w in zip(*np.polynomial.legendre.leggauss(5), strict=True)
)
GENERATOR = np.random.default_rng(3)
INPUTS = GENERATOR.standard_normal((85, 6)).astype(np.float32)
LABELS = (INPUTS[:, :1] + GENERATOR.standard_normal((85, 1)) > 0).astype(np.float32)
FILES = itertools.count()


def evaluator(module: nn.Module, data: Any = None, **options: Any) -> Evaluator:
    loss = Loss(options.pop("loss", "BCEWithLogitsLoss"), options.pop("loss_args", None))
    metric = metric_of(options.pop("metric", None), options.pop("metric_args", None))
    data = (torch.tensor(INPUTS), torch.tensor(LABELS)) if data is None else data
    return Evaluator(
        TorchModel(module), ValidationData.of(data, options.get("batch")), loss, metric
    )


def saved(module: nn.Module, folder: Path) -> Path:
    path = folder / f"{next(FILES)}.safetensors"
    TorchModel(module).write(path, {})
    return path


def logistic(weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy of a logistic regression and its gradient, by the formula, in float64."""
    x = np.hstack([INPUTS.astype(np.float64), np.ones((len(INPUTS), 1))])
    y = LABELS[:, 0].astype(np.float64)
    z = x @ weights
    loss = np.mean(np.logaddexp(0, z) - y * z)
    return float(loss), x.T @ (1 / (1 + np.exp(-z)) - y) / len(y)


def test_losses_and_gradient_are_those_of_the_formula(tmp_path: Path) -> None:
    base, merged = nn.Linear(6, 1), nn.Linear(6, 1)
    w, v = (
        np.append(m.weight.detach().numpy()[0], m.bias.detach().numpy()).astype(np.float64)
        for m in (base, merged)
    )
    gradient = tmp_path / "gradient"
    accuracy = evaluator(nn.Linear(6, 1), metric=share_right, batch=10)
    measured = accuracy.evaluate(saved(base, tmp_path), saved(merged, tmp_path), POINTS, gradient)

    assert measured.loss_before == pytest.approx(logistic(w)[0], rel=1e-6)
    assert measured.loss_after == pytest.approx(logistic(v)[0], rel=1e-6)
    z = INPUTS @ v[:6] + v[6]
    assert measured.metric == pytest.approx(np.mean((z > 0) == (LABELS[:, 0] > 0)))
    expected = sum(q * logistic(w + s * (v - w))[1] for s, q in POINTS)
    file = ParameterFile.open(gradient)
    assert file.metadata == {"format": "swarm-1", "kind": "gradient"}
    tensors = file.tensors()
    np.testing.assert_allclose(tensors["weight"][0], expected[:6], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(tensors["bias"], expected[6:], rtol=1e-5, atol=1e-7)


def share_right(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    assert len(targets) == 85, "a function sees the whole data set at once"
    return float(((outputs > 0) == (targets > 0.5)).float().mean())


class Sequence(nn.Module):
    """Recurrent layers keep a list of their weights beside the weights themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(2, 5, batch_first=True)
        self.head = nn.Linear(5, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(inputs.reshape(-1, 3, 2))[0][:, -1])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 1)
        self.second.weight = self.first.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(inputs)))))


def deep() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))


def weighted() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), nn.Linear(4, 1))


@pytest.mark.parametrize("build", [deep, Sequence, Tied, weighted])
def test_the_gradient_along_the_way_adds_up_to_the_fall_of_the_loss(
    tmp_path: Path, build: Callable[[], nn.Module]
) -> None:
    base, merged = build(), build()
    gradient = tmp_path / "gradient"
    measured = evaluator(build()).evaluate(
        saved(base, tmp_path), saved(merged, tmp_path), POINTS, gradient
    )
    ways = {
        name: (after - before).detach().numpy()
        for (name, before), after in zip(base.named_parameters(), merged.parameters(), strict=True)
    }
    tensors = ParameterFile.open(gradient).tensors()
    assert tensors.keys() == ways.keys()
    along = sum(float(np.vdot(tensors[name], way)) for name, way in ways.items())
    assert along == pytest.approx(measured.loss_after - measured.loss_before, rel=2e-3)


def test_the_model_in_training_is_left_without_a_trace(tmp_path: Path) -> None:
    module = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1)
    )
    module[2].eval()  # scripts may keep parts of a model in eval mode
    module[0].bias.requires_grad_(False)
    module(torch.randn(9, 6)).sum().backward()
    loader = DataLoader(
        TensorDataset(torch.tensor(INPUTS), torch.tensor(LABELS)), batch_size=20, shuffle=True
    )
    measuring = evaluator(module, loader)
    with torch.no_grad():
        module[0].weight[0, 0], module[1].running_mean[0] = -0.0, 1e-42
    start, other = saved(module, tmp_path), saved(nn.Sequential(*fresh(module)), tmp_path)

    def trace() -> list[Any]:
        return [
            state_bytes(module),
            [None if p.grad is None else p.grad.numpy().tobytes() for p in module.parameters()],
            [p.requires_grad for p in module.parameters()],
            [part.training for part in module.modules()],
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
            np.random.get_state()[1].tobytes(),
            torch.is_grad_enabled(),
        ]

    before = trace()
    first = measuring.evaluate(start, other, POINTS, tmp_path / "gradient")
    assert trace() == before
    assert measuring.evaluate(start, other, POINTS, tmp_path / "again") == first
    assert (tmp_path / "again").read_bytes() == (tmp_path / "gradient").read_bytes()


def fresh(module: nn.Sequential) -> list[nn.Module]:
    linear = nn.Linear(6, 8)
    normal = nn.BatchNorm1d(8)
    normal(torch.randn(30, 8))
    return [linear, normal, nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1)]


def test_a_failing_evaluation_leaves_no_trace_either(tmp_path: Path) -> None:
    module = nn.Linear(6, 1)
    before = state_bytes(module)
    wrong = (torch.tensor(INPUTS), torch.zeros(85, 2))
    with pytest.raises(ValueError, match="Target size"):
        evaluator(module, wrong).evaluate(saved(nn.Linear(6, 1), tmp_path), saved(module, tmp_path))
    assert state_bytes(module) == before
    assert module.training


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("batch", [85, 20, 1])
def test_the_loss_is_the_mean_over_the_data_set_however_it_is_cut(
    tmp_path: Path, reduction: str, batch: int
) -> None:
    module = nn.Linear(6, 1)
    path = saved(module, tmp_path)
    whole = nn.functional.binary_cross_entropy_with_logits(
        module(torch.tensor(INPUTS)), torch.tensor(LABELS)
    ).item()
    measuring = evaluator(module, loss_args={"reduction": reduction}, batch=batch)
    assert measuring.evaluate(path, path).loss_after == pytest.approx(whole, rel=1e-6)


def test_running_statistics_are_those_of_the_file(tmp_path: Path) -> None:
    module, merged = nn.BatchNorm1d(6), nn.BatchNorm1d(6)
    merged.running_mean.fill_(3.0)
    measured = evaluator(module, loss="MSELoss", data=(torch.zeros(4, 6), torch.zeros(4, 6)))
    result = measured.evaluate(saved(module, tmp_path), saved(merged, tmp_path))
    assert (result.loss_before, result.loss_after) == (0.0, pytest.approx(9.0, rel=1e-4))


def test_a_merge_that_is_the_base_is_measured_once(tmp_path: Path) -> None:
    calls = []
    module = nn.Linear(6, 1)
    module.register_forward_hook(lambda *_: calls.append(1))
    path = saved(module, tmp_path)
    measured = evaluator(module, metric=share_right).evaluate(path, path)
    assert measured.loss_before == measured.loss_after
    assert 0 < measured.metric < 1
    assert len(calls) == 1


def test_a_merge_that_is_no_good_is_reported_as_the_worst_and_pays_nobody(tmp_path: Path) -> None:
    module = nn.Linear(6, 1)
    tensors = {"weight": np.full((1, 6), 3e38, np.float32), "bias": np.zeros(1, np.float32)}
    poisoned = tmp_path / "poisoned"
    write(poisoned, tensors, {})
    measured = evaluator(module, metric=share_right).evaluate(
        saved(module, tmp_path), poisoned, POINTS, tmp_path / "gradient"
    )
    report = measured.to_json()
    assert report["loss_before"] < 2
    assert (report["loss_after"], report["metric"]) == (WORST_LOSS, 0.0)
    gradient = ParameterFile.open(tmp_path / "gradient").tensors()
    assert not any(part.any() for part in gradient.values())


def test_a_loss_that_raises_where_there_are_no_numbers_stops_nobody(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    nothing = {"0.weight": np.full((1, 6), np.nan, np.float32), "0.bias": np.zeros(1, np.float32)}
    write(tmp_path / "merged", nothing, {})
    measured = evaluator(module, loss="BCELoss").evaluate(
        saved(module, tmp_path), tmp_path / "merged", POINTS, tmp_path / "gradient"
    )
    assert measured.to_json()["loss_after"] == WORST_LOSS


@pytest.mark.parametrize("loss", [math.nan, math.inf, 2e9])
def test_a_loss_beyond_the_contracts_numbers_is_the_worst(loss: float) -> None:
    assert Measured(0.5, loss, math.nan).to_json() == {
        "loss_before": 0.5,
        "loss_after": WORST_LOSS,
        "metric": 0.0,
    }


def test_a_loss_below_zero_is_refused() -> None:
    with pytest.raises(EvaluationError, match="below zero"):
        Measured(0.5, -0.1, 0.0).to_json()


def test_bfloat16_models_are_measured_and_get_a_float32_gradient(tmp_path: Path) -> None:
    base, merged = nn.Linear(6, 1).bfloat16(), nn.Linear(6, 1).bfloat16()
    data = (torch.tensor(INPUTS).bfloat16(), torch.tensor(LABELS).bfloat16())
    measuring = evaluator(nn.Linear(6, 1).bfloat16(), data)
    gradient = tmp_path / "gradient"
    measured = measuring.evaluate(saved(base, tmp_path), saved(merged, tmp_path), POINTS, gradient)
    assert 0 < measured.loss_after < 3
    assert ParameterFile.open(gradient).schema.to_json()["weight"] == ["F32", [1, 6]]


def test_metrics_of_torchmetrics_go_by_their_names(tmp_path: Path) -> None:
    pytest.importorskip("torchmetrics")
    module = nn.Linear(6, 1)
    path = saved(module, tmp_path)
    options = {"metric": "Accuracy", "metric_args": {"task": "binary"}}
    named = evaluator(module, batch=20, **options).evaluate(path, path)
    assert named.metric == pytest.approx(
        evaluator(module, metric=share_right).evaluate(path, path).metric
    )


def test_a_measurement_passes_over_the_data_once_for_each_model_and_each_point(
    tmp_path: Path,
) -> None:
    module = nn.Linear(6, 1)
    measuring = evaluator(module)
    base, merged = saved(module, tmp_path), saved(module, tmp_path)
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    module.register_forward_hook(count)
    measuring.evaluate(base, merged)
    a_model = passes / 2
    passes = 0
    measuring.evaluate(base, merged, POINTS[:3], tmp_path / "gradient")
    assert passes == (2 + 3) * a_model
