"""Handwritten digits in plain PyTorch.

DATA_DIR=… python examples/frameworks/pytorch_script.py     # data: examples/hpe/README.md
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

data_dir, max_epochs = Path(os.environ["DATA_DIR"]), int(os.environ.get("MAX_EPOCHS", "5"))
torch.manual_seed(0)


def tensors(name: str) -> list[torch.Tensor]:
    with np.load(data_dir / f"{name}.npz") as table:
        return [torch.from_numpy(table["x"]), torch.from_numpy(table["y"])]


batches = DataLoader(TensorDataset(*tensors("train")), 32, shuffle=True)
validation = DataLoader(TensorDataset(*tensors("validation")), 128)
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), 0.005)
loss_function = torch.nn.CrossEntropyLoss()

for _ in range(max_epochs):
    for images, labels in batches:
        optimizer.zero_grad()
        loss_function(model(images), labels).backward()
        optimizer.step()

with torch.no_grad():
    right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in validation)
print(f"{right} digits are recognized")
