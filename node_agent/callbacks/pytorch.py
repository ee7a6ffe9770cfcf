"""Swarm learning for a PyTorch training loop.

    swarm = SwarmCallback(syncFrequency=8, minPeers=2, model=model, adsValData=validation)
    for epoch in swarm.epochs(max_epochs):
        for inputs, targets in batches:
            ...                              # forward, backward, optimizer.step()
            swarm.on_batch_end()

or with the hooks that programs for HPE Swarm Learning call: `on_train_begin()`, `on_batch_end()`,
`on_epoch_end(epoch)`, `on_train_end()`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from node_agent.callbacks import base
from node_agent.callbacks.errors import InvalidParameter, SwarmRefused
from node_agent.callbacks.measure import Measured
from node_agent.callbacks.pytorch_data import ValidationData
from node_agent.callbacks.pytorch_evaluation import Evaluator
from node_agent.callbacks.pytorch_functions import Loss, Metric, metric_of
from node_agent.callbacks.pytorch_local import LocalOptions
from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.callbacks.pytorch_resume import Resume
from node_agent.callbacks.settings import settings_of
from node_agent.parameters.format import ParameterFile, Written
from node_agent.parameters.schema import Schema

OWN = (
    "model",
    "adsValData",
    "adsValBatchSize",
    "opinionData",
    "lossFunction",
    "lossFunctionArgs",
    "metricFunction",
    "metricFunctionArgs",
    "proximal",
    "scaffold",
    "deterministic",
    "state",
    "logger",
)


class SwarmCallback(base.SwarmCallback):
    """The callback of HPE Swarm Learning's parameters and hooks, for a raw PyTorch loop.

    Args:
        syncFrequency: batches between syncs; the terms of the run fix it.
        minPeers: organizations needed to seal a round; the terms of the run fix it.
        trainingContract: name or id of the run; None for whatever run the agent is set to.
        model: the `torch.nn.Module` in training. Everything in its state_dict travels, except
            parameters that are frozen when training begins.
        adsValData: what losses are measured on: a DataLoader, a Dataset, a pair of tensors
            (inputs, targets), or a list of such pairs; None for the run's agreed data set.
        adsValBatchSize: for data that are not in batches yet.
        opinionData: in a run under `local`, what others are judged by, where that is not
            adsValData: best all rows that this site holds, those it trains on included. Progress
            is still measured on adsValData. In the same forms; it must not be augmented.
        lossFunction: name of a class in torch.nn, or a function (outputs, targets) -> tensor.
        lossFunctionArgs: for the class. With reduction='sum' the reported loss is still the mean
            over the data set.
        metricFunction: name of a class in torchmetrics, or a function (outputs, targets) -> float
            over the whole data set; None for no metric.
        metricFunctionArgs: for the class.
        proximal: μ of FedProx, which holds this site's steps near the common model; 0 for none.
        scaffold: correct this site's steps for its data's being unlike the others'; with SGD.
        deterministic: keep what a killed and restarted script needs to end with the same bytes.
            The loop takes its epochs from `epochs` and its batches from `batches`.
        state: for that, optimizer, scheduler, scaler and generators.
        logger: instead of the logger `swarm`, which writes to stdout.
        **common: see `node_agent.callbacks.settings.COMMON`; what is unknown is refused, with a
            hint that names the nearest parameter.

    Raises:
        InvalidParameter: a parameter is unknown, missing or makes no sense.
    """

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str | None = None,
        *,
        model: torch.nn.Module | None = None,
        adsValData: Any = None,
        adsValBatchSize: int | None = None,
        opinionData: Any = None,
        lossFunction: str | Callable[..., Any] = "BCEWithLogitsLoss",
        lossFunctionArgs: Mapping[str, Any] | None = None,
        metricFunction: str | Callable[..., Any] | None = None,
        metricFunctionArgs: Mapping[str, Any] | None = None,
        proximal: float = 0.0,
        scaffold: bool = False,
        deterministic: bool = False,
        state: Sequence[Any] = (),
        logger: logging.Logger | None = None,
        **common: Any,
    ) -> None:
        common["trainingContract"] = trainingContract
        settings = settings_of(syncFrequency, minPeers, common, own=OWN)
        if not isinstance(model, torch.nn.Module):
            raise InvalidParameter(
                f"model must be the torch.nn.Module in training, not {model!r}",
                hint="Pass model=...: PyTorch does not tell a callback which model it is for.",
            )
        loss = Loss(lossFunction, lossFunctionArgs)
        metric = metric_of(metricFunction, metricFunctionArgs)
        torch_model = TorchModel(model)
        local = LocalOptions(torch_model, proximal, scaffold)
        trainee = TorchTrainee(
            torch_model, adsValData, adsValBatchSize, loss, metric, local, opinionData
        )
        super().__init__(settings, trainee, logger)
        self._resume = Resume([*state, local]) if deterministic and not self._loopback else None
        self._keeper = self._resume

    def batches(self, loader: Iterable[Any]) -> Iterator[Any]:
        """Go through an epoch's batches; a restarted deterministic script leaves out those done."""
        return iter(loader) if self._resume is None else self._resume.batches(loader)


class TorchTrainee:
    """A PyTorch model, its validation data, loss and metric: what runs the agent's errands."""

    framework = "pytorch"
    gradients = True

    def __init__(
        self,
        model: TorchModel,
        validation: Any,
        batch_size: int | None,
        loss: Loss,
        metric: Metric,
        local: LocalOptions | None = None,
        opinion: Any = None,
    ) -> None:
        self._model = model
        self._local = local or LocalOptions(model, 0, False)
        self._loss, self._metric = loss, metric
        self._batch_size = batch_size
        self._evaluator = (
            None if validation is None else self._on(ValidationData.of(validation, batch_size))
        )
        self.own_opinion = opinion is not None
        self._opinion = (
            Evaluator(model, ValidationData.of(opinion, batch_size), loss, metric_of(None, None))
            if self.own_opinion
            else None
        )

    def attach(self) -> Schema:
        self._local.attach()
        return self._model.attach()

    def detach(self) -> None:
        self._local.detach()
        self._model.detach()

    def take_batch_samples(self) -> int:
        return self._model.take_batch_samples()

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        return self._model.write(path, metadata)

    def load(self, parameters: ParameterFile) -> None:
        self._local.before_load()
        self._model.load(parameters)
        self._local.after_load()

    def evaluate(
        self,
        base: Path,
        merged: Path,
        points: tuple[tuple[float, float], ...],
        gradient_path: Path | None,
    ) -> Measured:
        assert self._evaluator is not None, "use_agreed_validation comes first"
        if self._opinion is None:
            return self._evaluator.evaluate(base, merged, points, gradient_path)
        measured = self._evaluator.evaluate(base, merged)
        own = self._opinion.evaluate(base, merged, points, gradient_path)
        return replace(measured, row_losses=(own.loss_before, own.loss_after))

    def use_agreed_validation(self, path: Path | None) -> None:
        """Measure on the run's agreed data, unless the script brought its own.

        Raises:
            SwarmRefused: there are neither.
        """
        if self._evaluator is not None:
            return
        if path is None:
            raise SwarmRefused(
                "adsValData is missing, and the run has no agreed validation set",
                hint="Pass adsValData=...: every merge is measured before it is accepted.",
            )
        self._evaluator = self._on(self._agreed(path))

    def _agreed(self, path: Path) -> ValidationData:
        return ValidationData.from_file(path, self._batch_size)

    def _on(self, data: ValidationData) -> Evaluator:
        return Evaluator(self._model, data, self._loss, self._metric)
