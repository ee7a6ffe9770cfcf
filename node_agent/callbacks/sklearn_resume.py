"""The deterministic option for scikit-learn: everything of an estimator that training changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from node_agent.callbacks.errors import ModelError
from node_agent.callbacks.resume import Resume

ATTRIBUTES = ("coef_", "intercept_", "coefs_", "intercepts_")
"""What travels of an estimator."""

# Made by the first partial_fit out of parameters and classes, and never trained.
_CONSTANT = ("_loss_function_", "loss_function_", "_label_binarizer")
_OPTIMIZERS = "sklearn.neural_network._stochastic_optimizers"


class SklearnResume(Resume):
    """As `Resume`; with the counters, the solver and the random state of an estimator.

    Parameters stay what the script has set, but for a `RandomState` among them.
    """

    def __init__(self, model: Any, state: Sequence[Any] = ()) -> None:
        super().__init__(state)
        self._model = model

    def _kept(self) -> Any:
        constant = {*self._model.get_params(deep=False), *ATTRIBUTES, *_CONSTANT}
        return {
            "objects": super()._kept(),
            "estimator": {
                name: _told(f"{type(self._model).__name__}.{name}", value)
                for name, value in vars(self._model).items()
                if name not in constant or isinstance(value, np.random.RandomState)
            },
        }

    def _take_up(self, kept: Any) -> None:
        super()._take_up(kept["objects"])
        for name, value in kept["estimator"].items():
            _put(self._model, name, value)


def _told(name: str, value: Any) -> Any:
    """Return the value as a tree of arrays, numbers and text.

    Raises:
        ModelError: it is something whose numbers nobody can see.
    """
    if isinstance(value, np.random.RandomState):
        return {"random_state": value.get_state()}
    if type(value).__module__ == _OPTIMIZERS:
        return {"optimizer": vars(value)}
    if isinstance(value, list | tuple):
        return [_told(f"{name}[{place}]", each) for place, each in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str | np.ndarray | np.generic):
        return value
    raise ModelError(
        f"{name} is a {type(value).__name__}, whose state cannot be kept for a restart",
        hint="deterministic is for linear models and multi-layer perceptrons; leave it out, and "
        "a killed script goes on from the swarm's model.",
    )


def _put(owner: Any, name: str, value: Any) -> None:
    if not isinstance(value, dict):
        setattr(owner, name, value)
        return
    [(kind, state)] = value.items()
    its: Any = getattr(owner, name, None)
    if its is None:
        raise ModelError(
            f"the estimator has no {name} to take up what was kept",
            hint="Build and fit it once, as before the first start, before the callback.",
        )
    if kind == "random_state":  # in place: it may be shared
        its.set_state(state)
    else:
        vars(its).update(state)
