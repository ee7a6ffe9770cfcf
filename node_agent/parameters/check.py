"""What every node asks of an update before it merges it; all nodes get the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from node_agent.parameters.dtypes import FLOATS
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import Schema

_BLOCK = 1 << 18  # elements
_BF16_EXPONENT = np.uint16(0x7F80)


class Reason(IntEnum):
    """Why an update is left out; the numbers are those of `Attestation.rejects` on chain."""

    HASH = 1
    HEADER = 2
    SCHEMA = 3
    NOT_FINITE = 4
    TOO_FEW_SAMPLES = 5
    UNAVAILABLE = 6


@dataclass(frozen=True, slots=True)
class Reject:
    """The reason as it goes on chain, and in words."""

    reason: Reason
    text: str


def check_update(
    file: ParameterFile, schema: Schema, expected_metadata: Mapping[str, str]
) -> Reject | None:
    """Check that a file is made for this place in this run and can be merged.

    Args:
        file: an update whose root is known to be right.
        schema: that of the run.
        expected_metadata: exactly what its header has to say (kind, run, round, prev, node …).

    Returns:
        None, or the first reason to leave the update out.
    """
    for key in sorted(file.metadata.keys() | expected_metadata.keys()):
        got, expected = file.metadata.get(key), expected_metadata.get(key)
        if got != expected:
            return Reject(Reason.HEADER, f"the header says {key}={got!r}, expected {expected!r}")
    difference = schema.difference(file.schema)
    if difference is not None:
        return Reject(Reason.SCHEMA, difference)
    return _check_numbers(file)


def _check_numbers(file: ParameterFile) -> Reject | None:
    for tag, numbers in file.sections().items():
        if tag not in FLOATS and tag != "BOOL":
            continue
        for start in range(0, len(numbers), _BLOCK):
            valid = _valid(tag, numbers[start : start + _BLOCK])
            if not valid.all():
                name, index = _locate(file.schema, tag, start + int(np.argmin(valid)))
                if tag == "BOOL":
                    return Reject(Reason.SCHEMA, f"tensor {name!r}: element {index} is no bool")
                return Reject(
                    Reason.NOT_FINITE, f"tensor {name!r}: element {index} is not a finite number"
                )
    return None


def _valid(tag: str, numbers: np.ndarray) -> np.ndarray:
    valid: np.ndarray
    if tag == "BOOL":
        valid = numbers.view(np.uint8) <= 1
    elif tag == "BF16":
        valid = (numbers & _BF16_EXPONENT) != _BF16_EXPONENT
    else:
        valid = np.isfinite(numbers)
    return valid


def _locate(schema: Schema, tag: str, index: int) -> tuple[str, int]:
    """Name the tensor that holds element `index` of a section, and the index within it."""
    for name in sorted(name for name in schema if schema[name].dtype == tag):
        if index < schema[name].elements:
            return name, index
        index -= schema[name].elements
    raise IndexError(index)
