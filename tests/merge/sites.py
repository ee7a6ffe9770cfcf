"""Updates of sites for these tests, and merging them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from node_agent.merge.registry import merge
from node_agent.merge.rules import BUILT_IN, Outcome
from node_agent.parameters.format import ParameterFile
from tests.parameters.models import saved

MERGED = {"format": "swarm-1", "kind": "merged", "run": "0x07", "round": "1"}
BASE = {"format": "swarm-1", "kind": "initial"}
NAMES = [rule.name for rule in BUILT_IN]
NEED_BASE = {rule.name for rule in BUILT_IN if rule.needs_base}
KEEP_STATE = {rule.name for rule in BUILT_IN if rule.state_schema}


def spiffe_id(number: int) -> str:
    return f"spiffe://clinics.example/org/org-{number:02}/node/one"


def site(
    folder: Path, number: int, tensors: Mapping[str, np.ndarray] | np.ndarray, bfloat16=()
) -> ParameterFile:
    """The update of one site; a bare array becomes the float32 tensor `w`."""
    if isinstance(tensors, np.ndarray):
        tensors = {"w": tensors.astype(np.float32)}
    header = {"kind": "update", "node": spiffe_id(number)}
    return saved(folder / f"site-{number}", dict(tensors), header, bfloat16)


def base_of(folder: Path, tensors: Mapping[str, np.ndarray] | np.ndarray) -> ParameterFile:
    if isinstance(tensors, np.ndarray):
        tensors = {"w": tensors.astype(np.float32)}
    return saved(folder / "base", dict(tensors), BASE)


def merged(
    rule: str | int, files: Sequence[ParameterFile], weights: Sequence[int], folder: Path, **options
) -> tuple[ParameterFile, Outcome]:
    options.setdefault("state_path", folder / "merged-state")
    outcome = merge(rule, files, weights, folder / "merged", MERGED, **options)
    file = ParameterFile.open(folder / "merged")
    assert (file.root, file.size) == (outcome.written.root, outcome.written.size)
    return file, outcome


def merged_w(rule: str, updates, weights, folder: Path, base=None, **options) -> np.ndarray:
    """Merge rows of numbers and return the row."""
    files = [site(folder, number, row) for number, row in enumerate(updates)]
    if base is not None:
        options["base"] = base_of(folder, base)
    return merged(rule, files, weights, folder, **options)[0].tensor("w").astype(np.float64)
