"""Losses and gradients at other models than the one in training, which is left without a trace."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from node_agent.callbacks.measure import GRADIENT_METADATA, Measured
from node_agent.callbacks.pytorch_data import Batch, ValidationData
from node_agent.callbacks.pytorch_functions import Loss, Metric
from node_agent.callbacks.pytorch_model import TorchModel, write_tensors
from node_agent.parameters.format import ParameterFile


class Evaluator:
    """Measures parameter files on the validation data, in eval mode, with the script's loss."""

    def __init__(self, model: TorchModel, data: ValidationData, loss: Loss, metric: Metric) -> None:
        self._model = model
        self._data = data
        self._loss = loss
        self._metric = metric

    def evaluate(
        self,
        base_path: Path,
        merged_path: Path,
        points: tuple[tuple[float, float], ...] = (),
        gradient_path: Path | None = None,
    ) -> Measured:
        """Measure base W and merged W + D, and write sum_k q_k dL/dW(W + s_k D) for points (s, q).

        Everything that is a float moves along the way from W to W + D, running statistics
        included; integers and booleans are those of W + D. The gradient is by parameters only,
        float32, of their names and shapes. It is zero, so that nobody is paid for the round, when
        the losses or the gradient are no numbers.

        Raises:
            ModelError: a file does not fit the model.
            EvaluationError: the data or the metric are of no use.
        """
        base = self._model.tensors_of(ParameterFile.open(base_path))
        same = base_path == merged_path
        merged = base if same else self._model.tensors_of(ParameterFile.open(merged_path))
        with self._undisturbed():
            self._model.load_state(base)
            loss_before, samples, metric = self._measure(with_metric=same)
            loss_after = loss_before
            if not same:
                self._model.load_state(merged)
                loss_after, samples, metric = self._measure(with_metric=True)
            if gradient_path is not None:
                gradient = self._gradient(base, merged, points, samples)
                sums = (loss_before, loss_after, *(float(part.sum()) for part in gradient.values()))
                if not all(map(math.isfinite, sums)):
                    gradient = {name: torch.zeros_like(part) for name, part in gradient.items()}
                write_tensors(gradient_path, gradient, GRADIENT_METADATA)
        return Measured(loss_before, loss_after, metric)

    def _measure(self, *, with_metric: bool) -> tuple[float, int, float]:
        """Return the mean loss, the number of samples and the metric of the model as it is."""
        total, samples = 0.0, 0
        self._metric.start()
        with torch.no_grad():
            for inputs, targets in self._data.batches(self._model.device):
                outputs = self._forward(inputs)
                total += float(self._loss.batch_mean(outputs, targets)) * len(targets)
                samples += len(targets)
                if with_metric:
                    self._metric.add(outputs, targets)
        # Metrics need not bear a model whose outputs are no numbers.
        metric = self._metric.value() if with_metric and math.isfinite(total) else 0.0
        return total / samples, samples, metric

    def _gradient(
        self,
        base: Mapping[str, torch.Tensor],
        merged: Mapping[str, torch.Tensor],
        points: tuple[tuple[float, float], ...],
        samples: int,
    ) -> dict[str, torch.Tensor]:
        targets = {
            name: parameter
            for name, parameter in self._model.gradient_targets().items()
            if parameter.is_floating_point()
        }
        sums = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in targets.items()}
        for place, weight in points:
            self._model.load_state(_between(base, merged, place))
            for batch in self._data.batches(self._model.device):
                gradients = self._backward(batch, list(targets.values()))
                share = weight * len(batch[1]) / samples
                for total, gradient in zip(sums.values(), gradients, strict=True):
                    if gradient is not None:
                        total.add_(
                            gradient.to_dense() if gradient.is_sparse else gradient, alpha=share
                        )
        return sums

    def _backward(
        self, batch: Batch, parameters: list[torch.nn.Parameter]
    ) -> tuple[torch.Tensor | None, ...]:
        inputs, targets = batch
        with torch.enable_grad():
            loss = self._loss.batch_mean(self._forward(inputs), targets)
            # Not loss.backward(): the script's own .grad must stay as they are.
            return torch.autograd.grad(loss, parameters, allow_unused=True)

    def _forward(self, inputs: object) -> torch.Tensor:
        module = self._model.module
        outputs: torch.Tensor
        if isinstance(inputs, dict):
            outputs = module(**inputs)
        else:
            outputs = module(*inputs) if isinstance(inputs, tuple) else module(inputs)
        return outputs

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Eval mode, full precision and fixed randomness inside; outside nothing has happened."""
        module, device = self._model.module, self._model.device
        state = {name: value.clone() for name, value in self._model.state().items()}
        modes = [(part, part.training) for part in module.modules()]
        frozen = [p for p in self._model.gradient_targets().values() if not p.requires_grad]
        self._loss.to(device)
        with _own_randomness(device), torch.autocast(device.type, enabled=False):
            try:
                for parameter in frozen:  # since training began; others may still move it
                    parameter.requires_grad_(True)
                module.eval()
                yield
            finally:
                self._model.load_state(state)
                for parameter in frozen:
                    parameter.requires_grad_(False)
                module.train(modes[0][1])
                for part, training in modes:
                    part.training = training


def _between(
    base: Mapping[str, torch.Tensor], merged: Mapping[str, torch.Tensor], place: float
) -> dict[str, torch.Tensor]:
    return {
        name: torch.lerp(base[name], value, place) if value.is_floating_point() else value
        for name, value in merged.items()
    }


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Give every evaluation the same random numbers, and the script back its own generators.

    Even a DataLoader that does not shuffle draws from the global generator.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    on_gpu = device.type == "cuda"
    try:
        with torch.random.fork_rng(devices=[device] if on_gpu else []):
            torch.default_generator.manual_seed(0)
            if on_gpu:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(0)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
