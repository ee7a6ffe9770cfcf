"""Handwritten digits in PyTorch, with the hooks that HPE Swarm Learning's interface has."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_model
from swarmlearning.pyt import SwarmCallback
from torch.utils.data import DataLoader, TensorDataset

from examples.hpe.data import read

BATCH_SIZE = 32


def loader(folder: Path, name: str, *, shuffle: bool) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Batches of images (n × 64) and labels."""
    x, y = (torch.from_numpy(part) for part in read(folder, name))
    return DataLoader(TensorDataset(x, y), BATCH_SIZE, shuffle=shuffle)


def build_model() -> torch.nn.Module:
    """64 pixels in, logits of ten digits out; the same at every site."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(64, 32), torch.nn.BatchNorm1d(32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )


def main() -> None:
    data_dir = Path(os.getenv("DATA_DIR", "/platform/data"))
    model_dir = Path(os.getenv("MODEL_DIR", "/platform/model"))
    max_epochs = int(os.getenv("MAX_EPOCHS", "5"))
    min_peers = int(os.getenv("MIN_PEERS", "2"))

    training = loader(data_dir, "train", shuffle=True)
    validation = loader(data_dir, "validation", shuffle=False)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    swarm = SwarmCallback(
        syncFrequency=16,
        minPeers=min_peers,
        useAdaptiveSync=False,
        adsValData=validation,
        adsValBatchSize=BATCH_SIZE,
        model=model,
        totalEpochs=max_epochs,
        lossFunction="CrossEntropyLoss",
        lossFunctionArgs={"reduction": "sum"},
        metricFunction="Accuracy",
        metricFunctionArgs={"task": "multiclass", "num_classes": 10},
    )
    swarm.on_train_begin()
    for epoch in range(max_epochs):
        model.train()
        for images, labels in training:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            swarm.on_batch_end()
        swarm.on_epoch_end(epoch)
    swarm.on_train_end()

    model.eval()
    with torch.no_grad():
        right = sum(int((model(x).argmax(1) == y).sum()) for x, y in validation)
    print(f"validation accuracy {right / len(validation.dataset):.4f}")  # type: ignore[arg-type]  # it has a length
    model_dir.mkdir(parents=True, exist_ok=True)
    save_model(model, model_dir / "digits.safetensors")


if __name__ == "__main__":
    main()
