"""The data of an example, dealt out to the sites of a swarm."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.hpe.data import prepare, read
from node_agent.parameters.format import write
from scripts.local_swarm import Site


def agreed_validation(kind: str, folder: Path) -> Path:
    """Make the data in `folder`; return the agreed validation set's file."""
    prepare(kind, folder, seed=0)
    inputs, targets = read(folder, "validation")
    path = folder / "validation.safetensors"
    write(path, {"inputs": inputs, "targets": targets}, {"format": "swarm-1", "kind": "data"})
    return path


def deal(folder: Path, site: Site, part: int, parts: int) -> Path:
    """Give a site every `parts`-th row of the training data, and all the rest as it is."""
    data = site.folder / "data"
    data.mkdir()
    x, y = read(folder, "train")
    np.savez(data / "train.npz", x=x[part::parts], y=y[part::parts])
    for name in ("validation.npz", "trunk.npz"):
        if (folder / name).is_file():
            (data / name).write_bytes((folder / name).read_bytes())
    return data
