"""What an auditor of a run of this example brings along: how to measure, and how to train.

    export DATA_DIR=… SITES="clinic-a=us clinic-b=asia"
    swarm-market audit RUN --rpc URL --artifacts NODE --measure examples.breast_cancer.audit:measure

and `--retrain examples.breast_cancer.audit:train`. `DATA_DIR` is what
`python -m examples.breast_cancer.data` wrote; `SITES` says which organization had which data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from examples.breast_cancer.baselines import (
    ROUNDS,
    SYNC_FREQUENCY,
    LocalTraining,
    site_table,
)
from examples.breast_cancer.baselines import measure as loss_and_accuracy
from examples.breast_cancer.model import accuracy, build_model, load_model, read_table
from node_agent.callbacks.measure import Measured
from node_agent.callbacks.pytorch_data import ValidationData
from node_agent.callbacks.pytorch_evaluation import Evaluator
from node_agent.callbacks.pytorch_functions import Loss, metric_of
from node_agent.callbacks.pytorch_model import TorchModel
from node_agent.merge.mean import merge
from node_agent.parameters.format import ParameterFile


def measure(
    base: Path, merged: Path, points: Sequence[tuple[float, float]], gradient: Path | None
) -> Measured:
    """Losses and gradient on the agreed validation set, as a training process measures them."""
    return _evaluator().evaluate(base, merged, tuple(points), gradient)


def train(organizations: frozenset[str]) -> float:
    """Loss on the test set of a model that these organizations train together."""
    folder = _data()
    start = folder / "initial.safetensors"
    tables = [site_table(folder, _site(name)) for name in sorted(organizations)]
    sites = [LocalTraining(start, table, seed=0) for table in tables]
    with tempfile.TemporaryDirectory() as temporary:
        merged = start
        for _ in range(ROUNDS if sites else 0):
            updates = [Path(temporary) / f"update-{n}" for n in range(len(sites))]
            for site, update in zip(sites, updates, strict=True):
                site.run(SYNC_FREQUENCY)
                TorchModel(site.model).write(update, {})
            merged = Path(temporary) / "merged"
            merge([ParameterFile.open(each) for each in updates], [1] * len(updates), merged, {})
            for site in sites:
                TorchModel(site.model).load(ParameterFile.open(merged))
        return loss_and_accuracy(load_model(merged), read_table(folder / "test.safetensors"))[0]


@cache
def _evaluator() -> Evaluator:
    torch.set_num_threads(1)
    model = TorchModel(build_model())
    model.attach()
    data = ValidationData.of(read_table(_data() / "validation.safetensors"), None)
    return Evaluator(model, data, Loss("BCEWithLogitsLoss", None), metric_of(accuracy, None))


def _data() -> Path:
    return Path(os.environ.get("DATA_DIR", "."))


def _site(organization: str) -> str:
    known = dict(pair.split("=") for pair in os.environ.get("SITES", "").split())
    return known.get(organization, organization)
