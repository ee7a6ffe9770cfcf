"""PyTorch: dropout, a shuffling sampler, Adam, a scheduler, a scaler, three generators, FedProx."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from node_agent.callbacks.pytorch import SwarmCallback
from tests.callbacks.deterministic.killed import (
    BATCH_SIZE,
    DETERMINISTIC,
    FEATURES,
    ROWS,
    SEED,
    WINDOW,
    in_a_batch,
)


def build_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Dropout(0.3),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 1),
    )


def main() -> None:
    torch.set_num_threads(1)
    model = build_model()
    torch.manual_seed(SEED)
    np.random.seed(SEED)
    x = torch.randn(ROWS, FEATURES)
    y = (x.sum(1, keepdim=True) + SEED > 0).float()
    loader = DataLoader(TensorDataset(x, y), BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=2)  # overflows
    generator = torch.Generator().manual_seed(0)
    validation = torch.randn(40, FEATURES, generator=generator)
    swarm = SwarmCallback(
        syncFrequency=WINDOW,
        minPeers=2,
        model=model,
        adsValData=(validation, (validation.sum(1, keepdim=True) > 0).float()),
        proximal=0.01,
        deterministic=DETERMINISTIC,
        state=[optimizer, scheduler, scaler, generator],
    )
    for _ in swarm.epochs(100):
        for inputs, targets in swarm.batches(loader):
            in_a_batch()
            noise = torch.from_numpy(np.random.normal(size=inputs.shape)).float()
            noise += torch.randn(inputs.shape, generator=generator)
            optimizer.zero_grad()
            outputs = model(inputs + 0.1 * noise)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            if swarm.on_batch_end():
                break


if __name__ == "__main__":
    Path(os.environ["STARTED"]).touch()
    main()
