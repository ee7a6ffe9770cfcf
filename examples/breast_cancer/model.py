"""The classifier, and how its data and parameters are read and saved."""

from __future__ import annotations

from pathlib import Path

import torch

from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.parameters.format import ParameterFile

Table = tuple[torch.Tensor, torch.Tensor]


def build_model() -> torch.nn.Module:
    """30 features in, one logit out: above zero means malignant."""
    return torch.nn.Sequential(torch.nn.Linear(30, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))


def accuracy(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Share of samples on the right side."""
    return float(((outputs > 0) == (targets > 0.5)).double().mean())


def read_table(path: Path) -> Table:
    """Read inputs (n × 30) and targets (n × 1), float32."""
    tensors = ParameterFile.open(path).tensors()
    return torch.tensor(tensors["inputs"]), torch.tensor(tensors["targets"])


def load_model(path: Path) -> torch.nn.Module:
    model = build_model()
    TorchModel(model).load(ParameterFile.open(path))
    return model


def save_model(model: torch.nn.Module, path: Path) -> None:
    TorchModel(model).write(path, {"format": "swarm-1", "kind": "model"})
