"""One node's measurement of a merge in float32, in a process with the kernels that it is given.

    python -m tests.metering.one_machine numpy|torch PROBLEM.npz

PROBLEM holds inputs x, targets y, base w, updates u and the widths of an MLP; two widths make it a
softmax regression. Prints the losses, the accuracy and the scores as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from metering.contribution import METHODS, Round


def layers(w: np.ndarray, widths: Sequence[int]) -> Iterator[np.ndarray]:
    """Weight matrices of an MLP, each with its biases as the last row."""
    start = 0
    for inputs, outputs in pairwise(widths):
        end = start + (inputs + 1) * outputs
        yield w[start:end].reshape(inputs + 1, outputs)
        start = end


class NumpyModel:
    """Mean cross-entropy and its gradient, written out."""

    def __init__(self, x: np.ndarray, y: np.ndarray, widths: Sequence[int]) -> None:
        self._x, self._y, self._widths = x.astype(np.float32), y, widths

    def _forward(self, w: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        hidden, out = [self._x], self._x
        for matrix in layers(w.astype(np.float32), self._widths):
            out = hidden[-1] @ matrix[:-1] + matrix[-1]
            hidden.append(np.maximum(out, 0))
        shifted = out - out.max(axis=1, keepdims=True)
        return hidden, shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def loss(self, w: np.ndarray) -> float:
        return -float(self._forward(w)[1][np.arange(len(self._y)), self._y].mean())

    def accuracy(self, w: np.ndarray) -> float:
        return float((self._forward(w)[1].argmax(axis=1) == self._y).mean())

    def gradient(self, w: np.ndarray) -> np.ndarray:
        hidden, log_odds = self._forward(w)
        flow = np.exp(log_odds)
        flow[np.arange(len(self._y)), self._y] -= 1
        flow /= np.float32(len(self._y))
        parts = []
        matrices = list(layers(w.astype(np.float32), self._widths))
        for matrix, inputs in zip(reversed(matrices), reversed(hidden[:-1]), strict=True):
            parts.append(np.vstack([inputs.T @ flow, flow.sum(axis=0)]).ravel())
            flow = (flow @ matrix[:-1].T) * (inputs > 0)
        return np.concatenate(parts[::-1]).astype(float)


class TorchModel:
    """The same model in PyTorch."""

    def __init__(self, x: np.ndarray, y: np.ndarray, widths: Sequence[int]) -> None:
        import torch

        self._torch, self._widths = torch, widths
        self._x, self._y = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)

    def _logits(self, w):
        out, start = self._x, 0
        for inputs, outputs in zip(self._widths, self._widths[1:], strict=False):
            end = start + (inputs + 1) * outputs
            matrix = w[start:end].reshape(inputs + 1, outputs)
            if start:
                out = out.relu()
            out, start = self._torch.addmm(matrix[-1], out, matrix[:-1]), end
        return out

    def _float32(self, w: np.ndarray):
        return self._torch.from_numpy(w.astype(np.float32))

    def loss(self, w: np.ndarray) -> float:
        cross_entropy = self._torch.nn.functional.cross_entropy
        return float(cross_entropy(self._logits(self._float32(w)), self._y))

    def accuracy(self, w: np.ndarray) -> float:
        return float((self._logits(self._float32(w)).argmax(dim=1) == self._y).float().mean())

    def gradient(self, w: np.ndarray) -> np.ndarray:
        leaf = self._float32(w).requires_grad_()
        loss = self._torch.nn.functional.cross_entropy(self._logits(leaf), self._y)
        return self._torch.autograd.grad(loss, leaf)[0].numpy().astype(float)


def measured(model: NumpyModel | TorchModel, w: np.ndarray, updates: np.ndarray) -> dict:
    n = len(updates)
    merged = Round(
        (1 / n,) * n,
        list(updates),
        lambda d: model.loss(w + d),
        lambda d: model.gradient(w + d),
        (100,) * n,
    )
    after = w + merged.step(frozenset(range(n)))
    scores = METHODS["aumann-shapley"](merged)
    return {
        "loss_before": model.loss(w),
        "loss_after": model.loss(after),
        "metric": model.accuracy(after),
        "phi": scores.phi.tolist(),
    }


def main(framework: str, path: str) -> None:
    problem = np.load(path)
    kind = {"numpy": NumpyModel, "torch": TorchModel}[framework]
    results = {}
    for name in ("softmax", "mlp"):
        widths = problem[f"{name}_widths"].tolist()
        model = kind(problem["x"], problem["y"], widths)
        results[name] = measured(model, problem[f"{name}_w"], problem[f"{name}_u"])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
