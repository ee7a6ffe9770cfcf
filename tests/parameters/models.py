"""Models for these tests: arrays of every dtype, and files made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from node_agent.parameters.dtypes import DTYPES
from node_agent.parameters.format import ParameterFile, write

INITIAL = {"format": "swarm-1", "kind": "initial"}


def every_dtype(seed: int = 0, length: int = 7) -> dict[str, np.ndarray]:
    """One tensor of `length` numbers of each dtype, named after its tag; BF16 as finite bits."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for tag, dtype in DTYPES.items():
        if tag == "BF16":
            floats = rng.standard_normal(length).astype(np.float32)
            tensors[tag] = (floats.view(np.uint32) >> 16).astype(np.uint16)
        elif dtype.is_float:
            tensors[tag] = rng.standard_normal(length).astype(dtype.storage)
        elif tag == "BOOL":
            tensors[tag] = rng.random(length) < 0.5
        else:
            limits = np.iinfo(dtype.storage)
            low, high = max(limits.min, -(10**6)), min(limits.max, 10**6)
            tensors[tag] = rng.integers(low, high, length).astype(dtype.storage)
    return tensors


def floats(seed: int, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def saved(
    path: Path,
    tensors: dict[str, np.ndarray],
    metadata: dict[str, str] = INITIAL,
    bfloat16: Iterable[str] = (),
) -> ParameterFile:
    """Write and open."""
    write(path, tensors, metadata, bfloat16=list(bfloat16))
    return ParameterFile.open(path)
