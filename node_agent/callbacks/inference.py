"""Uses a kept model where it was trained: `swarm-node predict` and `swarm-node serve` run this.

The program that is named builds the model, as it does for training; the numbers come from the file.
It runs in a process of its own, since it imports the framework:

    python -m node_agent.callbacks.inference predict --file F --program train:build --input x.csv
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from node_agent.callbacks.errors import CallbackError, ModelError
from node_agent.parameters.format import ParameterFile

Inputs = Mapping[str, np.ndarray]
"""Arrays by the name the model takes them under; "" is its only, unnamed input."""
Predict = Callable[[Inputs], np.ndarray]

TARGETS = "targets"  # in an agreed validation set, beside "inputs": nothing to predict from


class Loadable(Protocol):
    """What the callbacks make of a model."""

    def attach(self) -> object: ...

    def load(self, parameters: ParameterFile) -> None: ...


def load(program: str, file: ParameterFile) -> Predict:
    """Build a model, give it the file's numbers, and return what predicts with it.

    Args:
        program: "module:function"; the function takes nothing and returns a torch.nn.Module, a
            Keras model, a fitted scikit-learn estimator, or something with `attach`, `load` (as
            `arrays.ArrayTrainee` has) and `predict`.
        file: of the very model.

    Raises:
        CallbackError: there is no such program, or what it returns is none of these.
        ModelError: the file does not fit the model; names the tensor.
    """
    model = _function(program)()
    for fits, adapt in ((_is_torch, _torch), (_is_keras, _keras), (_is_sklearn, _sklearn)):
        if fits(model):
            return adapt(model, file)
    if all(callable(getattr(model, name, None)) for name in ("attach", "load", "predict")):
        model.attach()
        model.load(file)
        return lambda inputs: np.asarray(model.predict(_only(inputs)))
    raise CallbackError(
        f"{program} returned a {type(model).__name__}, which is no model that can be used here",
        hint="return a torch.nn.Module, a Keras model, a fitted scikit-learn estimator, or an "
        "ArrayTrainee with predict(x)",
    )


def _function(program: str) -> Callable[[], Any]:
    module, _, name = program.partition(":")
    if not module or not name:
        raise CallbackError(
            f"{program!r} names no function", hint="write it as module:function, like train:build"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise CallbackError(
            f"cannot import {module}: {error}", hint="run this where the program lies"
        ) from error
    except AttributeError as error:
        raise CallbackError(f"{module} has no {name}") from error
    if not callable(found):
        raise CallbackError(f"{program} is no function")
    return found  # type: ignore[no-any-return]  # whatever the user wrote: its result is looked at


def _is_torch(model: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_keras(model: object) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _is_sklearn(model: object) -> bool:
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator)


def _torch(model: Any, file: ParameterFile) -> Predict:
    import torch

    from node_agent.callbacks.pytorch_model import TorchModel

    _fill(TorchModel(model), file)
    model.eval()

    def predict(inputs: Inputs) -> np.ndarray:
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in inputs.items()}
        with torch.inference_mode():
            answer = model(tensors[""]) if "" in tensors else model(**tensors)
        answer = getattr(answer, "logits", answer)  # as the models of transformers answer
        return np.asarray(answer.float().numpy(), np.float32)

    return predict


def _keras(model: Any, file: ParameterFile) -> Predict:
    from node_agent.callbacks.keras_model import KerasTrainee

    trainee = KerasTrainee(None, None, None)
    trainee.model = model
    _fill(trainee, file)
    return lambda inputs: np.asarray(model.predict(inputs.get("", dict(inputs)), verbose=0))


def _sklearn(model: Any, file: ParameterFile) -> Predict:
    from node_agent.callbacks.sklearn import SklearnTrainee

    _fill(SklearnTrainee(model, None, None, None), file)
    predict = getattr(model, "predict_proba", model.predict)
    return lambda inputs: np.asarray(predict(_only(inputs)))


def _fill(model: Loadable, file: ParameterFile) -> None:
    model.attach()
    model.load(file)


def _only(inputs: Inputs) -> np.ndarray:
    if "" not in inputs:
        raise ModelError(
            f"the model takes one array, not {', '.join(sorted(inputs))}",
            hint="give a .npy or .csv file, or one array named inputs",
        )
    return inputs[""]


def main() -> None:
    from node_agent.callbacks.inference_cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
