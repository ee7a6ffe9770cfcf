"""The loss and the metric of a PyTorch script, by name as in HPE Swarm Learning, or functions."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch

from node_agent.callbacks.errors import EvaluationError, InvalidParameter


class Loss:
    """A loss whose mean over a data set does not depend on how the data are cut into batches."""

    def __init__(self, function: str | Callable[..., Any], args: Mapping[str, Any] | None) -> None:
        self._function = _made("lossFunction", function, args, torch.nn, suffix="Loss")
        self._reduction = getattr(self._function, "reduction", "mean")

    def to(self, device: torch.device) -> None:
        if isinstance(self._function, torch.nn.Module):
            self._function.to(device)  # it may hold class weights

    def batch_mean(self, outputs: Any, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch, a scalar; reduction='sum' is divided by its samples.

        Of outputs that are no numbers it is none either, though some losses would raise: one site
        can make a merge overflow, and that must not stop the others.
        """
        if isinstance(outputs, torch.Tensor) and bool(outputs.isnan().any()):
            return outputs.sum() * math.nan
        value: torch.Tensor = self._function(outputs, targets)
        if self._reduction == "sum":
            return value / len(targets)
        return value.mean() if value.dim() else value


def suited_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss that programs without one are measured by.

    Cross entropy for targets that are classes, of logits or log-probabilities alike; binary cross
    entropy on logits for targets between 0 and 1.
    """
    if not targets.is_floating_point():
        return torch.nn.functional.cross_entropy(outputs, targets)
    shaped = targets.reshape(outputs.shape)
    return torch.nn.functional.binary_cross_entropy_with_logits(outputs, shaped)


class Metric(Protocol):
    """Shown, never paid for: fed batch by batch, then read."""

    def start(self) -> None: ...

    def add(self, outputs: Any, targets: torch.Tensor) -> None: ...

    def value(self) -> float: ...


def metric_of(function: str | Callable[..., Any] | None, args: Mapping[str, Any] | None) -> Metric:
    """Make a metric of the name of a torchmetrics class, a function (outputs, targets), or None."""
    if function is None:
        return _NoMetric()
    if isinstance(function, str):
        try:
            import torchmetrics
        except ImportError as error:
            raise InvalidParameter(
                f"metricFunction {function!r} is a name in torchmetrics, which is not installed",
                hint="pip install torchmetrics, or pass a function (outputs, targets) -> float.",
            ) from error
        return _TorchMetric(_made("metricFunction", function, args, torchmetrics))
    return _FunctionMetric(_made("metricFunction", function, args, None))


class _NoMetric:
    def start(self) -> None:
        pass

    def add(self, outputs: Any, targets: torch.Tensor) -> None:
        pass

    def value(self) -> float:
        return 0.0


class _TorchMetric:
    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def start(self) -> None:
        self._metric.reset()

    def add(self, outputs: Any, targets: torch.Tensor) -> None:
        self._metric.to(targets.device).update(outputs, targets)

    def value(self) -> float:
        return _one_number(self._metric.compute())


class _FunctionMetric:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.start()

    def start(self) -> None:
        self._outputs: list[torch.Tensor] = []
        self._targets: list[torch.Tensor] = []

    def add(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self._outputs.append(outputs.cpu())
        self._targets.append(targets.cpu())

    def value(self) -> float:
        return _one_number(self._function(torch.cat(self._outputs), torch.cat(self._targets)))


def _one_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise EvaluationError(
            f"metricFunction gives no single number: {value!r}",
            hint="Choose an average in metricFunctionArgs, for example average='macro'.",
        ) from error


def _made(
    parameter: str,
    function: str | Callable[..., Any],
    args: Mapping[str, Any] | None,
    namespace: Any,
    suffix: str = "",
) -> Callable[..., Any]:
    """Look up a class and make an instance of it; functions are taken as they are."""
    if not isinstance(function, str):
        if not callable(function):
            raise InvalidParameter(f"{parameter} must be a name or a function, not {function!r}")
        if args:
            raise InvalidParameter(
                f"{parameter}Args only go with a name; {parameter} is a function",
                hint="Bind them with functools.partial.",
            )
        return function
    found = getattr(namespace, function, None)
    if not isinstance(found, type):
        known = [
            name
            for name in dir(namespace)
            if name.endswith(suffix) and isinstance(getattr(namespace, name, None), type)
        ]
        nearest = difflib.get_close_matches(function, known, n=1)
        raise InvalidParameter(
            f"{parameter} {function!r} is no class in {namespace.__name__}",
            hint=f"Did you mean {nearest[0]}?" if nearest else f"Known are {', '.join(known)}.",
        )
    try:
        made: Callable[..., Any] = found(**(args or {}))
    except (TypeError, ValueError) as error:
        raise InvalidParameter(f"{parameter}Args do not fit {function}: {error}") from error
    return made
