"""Losses and gradients of a Keras model, by whichever of its backends is in use."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np

from node_agent.callbacks.errors import InvalidParameter


class Backend(Protocol):
    """What Keras has no function of its own for."""

    def loss(self, x: Any, y: Any, weight: Any) -> tuple[float, Any]:
        """Return a batch's mean loss in inference mode, and the outputs."""
        ...

    def gradient(self, x: Any, y: Any, weight: Any, by: Sequence[Any]) -> list[np.ndarray | None]:
        """Return the gradient of that loss by variables; None for those that it does not use."""
        ...

    def assign(self, variable: Any, array: np.ndarray) -> None: ...


def backend_for(model: Any) -> Backend:
    """Return the backend that Keras runs on.

    Raises:
        InvalidParameter: it is one that is not served here.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        return _TensorFlow(model)
    if name == "torch":
        return _Torch(model)
    raise InvalidParameter(
        f"Keras runs on {name}, the swarm callback on tensorflow or torch",
        hint="Set KERAS_BACKEND=tensorflow before Keras is imported.",
    )


def _forward(model: Any, x: Any, y: Any, weight: Any) -> tuple[Any, Any]:
    # Not every model's call has the argument, and Keras offers no other way to ask.
    mode = {"training": False} if getattr(model, "_call_has_training_arg", True) else {}
    outputs = model(x, **mode)
    # Some losses raise where there are no numbers; one site can make a merge overflow, and that
    # must not stop the others. TensorFlow's do not, and its graph cannot branch here.
    if keras.backend.backend() == "torch":
        for output in keras.tree.flatten(outputs):
            if bool(output.isnan().any()):
                return output.sum(), outputs
    return model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weight), outputs


class _TensorFlow:
    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self._tf, self._model = tf, model
        self._variables: list[Any] = []
        self._loss, self._gradient = self._eager_loss, self._eager_gradient
        if not model.run_eagerly:
            self._loss = tf.function(self._eager_loss, reduce_retracing=True)
            self._gradient = tf.function(self._eager_gradient, reduce_retracing=True)

    def loss(self, x: Any, y: Any, weight: Any) -> tuple[float, Any]:
        value, outputs = self._loss(*self._tensors(x, y, weight))
        return float(value), outputs

    def gradient(self, x: Any, y: Any, weight: Any, by: Sequence[Any]) -> list[np.ndarray | None]:
        self._variables = [variable.value for variable in by]
        gradients = self._gradient(*self._tensors(x, y, weight))
        return [None if each is None else np.asarray(each) for each in gradients]

    def assign(self, variable: Any, array: np.ndarray) -> None:
        variable.assign(array)

    def _tensors(self, *parts: Any) -> Any:
        return keras.tree.map_structure(
            lambda part: None if part is None else self._tf.convert_to_tensor(part), parts
        )

    def _eager_loss(self, x: Any, y: Any, weight: Any) -> Any:
        return _forward(self._model, x, y, weight)

    def _eager_gradient(self, x: Any, y: Any, weight: Any) -> Any:
        tf = self._tf
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            value, _ = _forward(self._model, x, y, weight)
        # Embeddings have sparse gradients; those in half precision are summed in single.
        return [
            None if each is None else tf.cast(tf.convert_to_tensor(each), tf.float32)
            for each in tape.gradient(value, self._variables)
        ]


class _Torch:
    def __init__(self, model: Any) -> None:
        import torch

        self._torch, self._model = torch, model

    def loss(self, x: Any, y: Any, weight: Any) -> tuple[float, Any]:
        with self._torch.no_grad():
            value, outputs = _forward(self._model, *self._tensors(x, y, weight))
        return float(value), outputs

    def gradient(self, x: Any, y: Any, weight: Any, by: Sequence[Any]) -> list[np.ndarray | None]:
        with self._torch.enable_grad():
            value, _ = _forward(self._model, *self._tensors(x, y, weight))
            # Not loss.backward(): the script's own .grad must stay as they are.
            parameters = [variable.value for variable in by]
            gradients = self._torch.autograd.grad(value, parameters, allow_unused=True)
        return [
            None if each is None else each.to_dense().float().cpu().numpy() for each in gradients
        ]

    def assign(self, variable: Any, array: np.ndarray) -> None:
        with warnings.catch_warnings():  # it is copied from, never written to
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            variable.assign(array)

    def _tensors(self, *parts: Any) -> Any:
        return keras.tree.map_structure(
            lambda part: None if part is None else keras.ops.convert_to_tensor(part), parts
        )
