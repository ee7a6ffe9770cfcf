"""Train a classifier of breast tumors on the data of one site.

A plain PyTorch script. The lines marked `# swarm` are all that swarm learning changes; README.md
shows them as a diff.

    DATA_DIR=… MODEL_DIR=… python -m examples.breast_cancer.train --seed 0
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from examples.breast_cancer.model import accuracy, build_model, read_table, save_model
from node_agent.callbacks.pytorch import SwarmCallback  # swarm

BATCH_SIZE, LEARNING_RATE, MOMENTUM = 16, 0.01, 0.9


def train(data_dir: Path, max_epochs: int, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    training = TensorDataset(*read_table(data_dir / "train.safetensors"))
    val = read_table(data_dir / "validation.safetensors")
    order = torch.Generator().manual_seed(seed)
    batches = DataLoader(training, BATCH_SIZE, shuffle=True, generator=order)

    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM)
    loss_function = torch.nn.BCEWithLogitsLoss()

    terms = {"syncFrequency": 8, "minPeers": int(os.environ.get("MIN_PEERS", "2"))}  # swarm
    swarm = SwarmCallback(**terms, model=model, adsValData=val, metricFunction=accuracy)  # swarm
    for _ in swarm.epochs(max_epochs):  # swarm
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss_function(model(inputs), targets).backward()
            optimizer.step()
            swarm.on_batch_end()  # swarm

    with torch.no_grad():
        print(f"validation accuracy {accuracy(model(val[0]), val[1]):.4f}")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.breast_cancer.train")
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    data_dir = Path(os.environ.get("DATA_DIR", "."))
    model_dir = Path(os.environ.get("MODEL_DIR", "."))
    max_epochs = int(os.environ.get("MAX_EPOCHS", "100"))

    torch.set_num_threads(1)  # a small model is quicker so, and gives the same numbers every time
    model = train(data_dir, max_epochs, seed)
    model_dir.mkdir(parents=True, exist_ok=True)
    save_model(model, model_dir / "model.safetensors")


if __name__ == "__main__":
    main()
