"""A PyTorch script with everything that a restart has to get right; run by test_resume.py.

Dropout, a shuffling sampler, Adam, a scheduler, noise from three generators, FedProx: a number that
is drawn once too often, or a momentum that is lost, changes the last bytes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from node_agent.callbacks.pytorch import SwarmCallback


def build_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Dropout(0.3),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 1),
    )


def main() -> None:
    seed, batch_s = int(os.environ["SEED"]), float(os.environ["BATCH_S"])
    torch.set_num_threads(1)
    model = build_model()
    torch.manual_seed(seed)
    np.random.seed(seed)
    x = torch.randn(60, 6)
    y = (x.sum(1, keepdim=True) + seed > 0).float()
    loader = DataLoader(TensorDataset(x, y), 8, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.9)
    generator = torch.Generator().manual_seed(0)
    validation = torch.randn(40, 6, generator=generator)
    swarm = SwarmCallback(
        syncFrequency=5,
        minPeers=2,
        model=model,
        adsValData=(validation, (validation.sum(1, keepdim=True) > 0).float()),
        proximal=0.01,
        deterministic=True,
        state=[optimizer, scheduler, generator],
    )
    for _ in swarm.epochs(100):
        for inputs, targets in swarm.batches(loader):
            time.sleep(batch_s)  # so that the test can kill it in the middle of a window
            noise = torch.from_numpy(np.random.normal(size=inputs.shape)).float()
            noise += torch.randn(inputs.shape, generator=generator)
            optimizer.zero_grad()
            outputs = model(inputs + 0.1 * noise)
            torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets).backward()
            optimizer.step()
            scheduler.step()
            if swarm.on_batch_end():
                break


if __name__ == "__main__":
    Path(os.environ["STARTED"]).touch()
    main()
