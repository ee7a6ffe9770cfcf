"""Swarm learning for scikit-learn: linear models and multi-layer perceptrons.

    model.partial_fit(x[:64], y[:64], classes=[0, 1])      # from here on its shapes are known
    swarm = SwarmCallback(syncFrequency=8, minPeers=2, model=model, adsValData=validation)
    for epoch in swarm.epochs(max_epochs):
        for inputs, targets in batches:
            swarm.partial_fit(inputs, targets)

A model with `warm_start=True` and a small `max_iter` uses `swarm.fit(x, y)` in place of
`partial_fit`. Numbers are float64 in the model and float32 on their way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import is_classifier

from node_agent.callbacks import base
from node_agent.callbacks.arrays import Arrays, ArrayTrainee
from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.settings import settings_of
from node_agent.parameters.format import Written
from node_agent.parameters.schema import Schema

OWN = ("model", "adsValData", "lossFunction", "metricFunction", "logger")
ATTRIBUTES = ("coef_", "intercept_", "coefs_", "intercepts_")

Scorer = Callable[[Any, Any, Any], float]  # (model, x, y) -> number


class SwarmCallback(base.SwarmCallback):
    """Joins a loop of `partial_fit` or of warm `fit` to the swarm.

    Args:
        syncFrequency: batches between syncs; the terms of the run fix it.
        minPeers: organizations needed to seal a round; the terms of the run fix it.
        trainingContract: name or id of the run; None for whatever run the agent is set to.
        model: an estimator that has been fitted once, with all classes, so that its shapes are
            known. What travels are its coef_ and intercept_, or coefs_ and intercepts_.
        adsValData: (x, y), what losses are measured on; None for the run's agreed data set.
        lossFunction: (model, x, y) -> mean loss, not below zero. By default log loss, hinge loss
            for classifiers without probabilities, mean squared error for regressors.
        metricFunction: (model, x, y) -> number; by default the model's own score.
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
        model: Any = None,
        adsValData: tuple[Any, Any] | None = None,
        lossFunction: Scorer | None = None,
        metricFunction: Scorer | None = None,
        logger: logging.Logger | None = None,
        **common: Any,
    ) -> None:
        common["trainingContract"] = trainingContract
        settings = settings_of(syncFrequency, minPeers, common, own=OWN)
        if not hasattr(model, "fit"):
            raise InvalidParameter(f"model must be an estimator of scikit-learn, not {model!r}")
        for name, value in (("lossFunction", lossFunction), ("metricFunction", metricFunction)):
            if value is not None and not callable(value):
                raise InvalidParameter(f"{name} must be a function (model, x, y), not {value!r}")
        self._model = model
        trainee = SklearnTrainee(model, adsValData, lossFunction, metricFunction)
        super().__init__(settings, trainee, logger)

    def partial_fit(self, x: Any, y: Any) -> bool:
        """Train on a batch and count it; returns `finished`."""
        self._model.partial_fit(x, y)
        return self.on_batch_end(logs={"size": len(y)})

    def fit(self, x: Any, y: Any) -> bool:
        """Train on from where the model is, with `warm_start=True`; returns `finished`."""
        self._model.fit(x, y)
        return self.on_batch_end(logs={"size": len(y)})


class SklearnTrainee(ArrayTrainee):
    """An estimator; scikit-learn tells no gradients, so its losses alone are measured."""

    framework = "sklearn"
    gradients = False
    own_opinion = False

    def __init__(
        self,
        model: Any,
        validation: tuple[Any, Any] | None,
        loss: Scorer | None,
        metric: Scorer | None,
    ) -> None:
        self._model, self._validation = model, validation
        self._loss, self._metric = loss or default_loss, metric or type(model).score

    def attach(self) -> Schema:
        if getattr(self._model, "average", False):
            raise ModelError(
                "a model with average=... trains other numbers than it predicts with",
                hint="Build it with average=False: the swarm averages anyway.",
            )
        return super().attach()

    def tensors(self) -> Arrays:
        return {name: array.astype(np.float32) for name, array in self._arrays().items()}

    def assign(self, tensors: Arrays) -> None:
        arrays = self._arrays()
        for name, array in tensors.items():
            arrays[name][...] = array  # in place: an optimizer holds on to them

    def _arrays(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for attribute in ATTRIBUTES:
            value = getattr(self._model, attribute, None)
            if isinstance(value, np.ndarray):
                found[attribute] = value
            elif isinstance(value, list):
                found |= {f"{attribute}.{place}": array for place, array in enumerate(value)}
        if not found:
            raise ModelError(
                f"{type(self._model).__name__} has no {' or '.join(ATTRIBUTES)}",
                hint="Fit it once on a few samples of every class, before training begins: "
                "model.partial_fit(x[:64], y[:64], classes=...).",
            )
        return found

    @property
    def has_validation(self) -> bool:
        return self._validation is not None

    def read_validation(self, tensors: Arrays) -> None:
        if tensors.keys() != {"inputs", "targets"}:
            return super().read_validation(tensors)
        targets = tensors["targets"]
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]  # as a model with one output has them
        self._validation = np.array(tensors["inputs"]), np.array(targets)
        return None

    def measure(self, *, with_metric: bool) -> tuple[float, float]:
        assert self._validation is not None, "use_agreed_validation comes first"
        loss = float(self._loss(self._model, *self._validation))
        return loss, float(self._metric(self._model, *self._validation)) if with_metric else 0.0


def default_loss(model: Any, x: Any, y: Any) -> float:
    """Return the mean loss that suits the estimator; never below zero."""
    if not is_classifier(model):
        return float(metrics.mean_squared_error(y, model.predict(x)))
    if hasattr(model, "predict_proba"):
        return float(metrics.log_loss(y, model.predict_proba(x), labels=model.classes_))
    return float(metrics.hinge_loss(y, model.decision_function(x), labels=model.classes_))


def save_parameters(model: Any, path: Path) -> Written:
    """Write what travels of a model: the initial parameters that an agreement names."""
    return SklearnTrainee(model, None, None, None).write(
        path, {"format": "swarm-1", "kind": "initial"}
    )
