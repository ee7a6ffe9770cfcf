"""Storage numbers to float64 and back, with the same bits on every machine.

Widening is exact but for integers beyond 2**53. Narrowing rounds once, to nearest, ties to even.
Both are elementwise IEEE 754 operations, so neither vector width nor block size can be seen in a
result.
"""

from __future__ import annotations

import numpy as np

from node_agent.parameters.dtypes import DTYPES

# The float64 numbers next to the ends of int64; beyond them the conversion is undefined.
_INTEGER_RANGE = {
    tag: (float(np.iinfo(dtype.storage).min), float(np.iinfo(dtype.storage).max))
    for tag, dtype in DTYPES.items()
    if dtype.storage.kind in "iu" and not dtype.is_float
} | {"I64": (-(2.0**63), np.nextafter(2.0**63, 0.0))}


def widen(tag: str, raw: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` (float64, same length) with the numbers that `raw` stores as dtype `tag`."""
    if tag == "BF16":
        raw = bfloat16_to_float32(raw)
    elif tag == "BOOL":
        raw = raw.view(np.uint8) != 0  # a file may hold any byte; NumPy expects 0 or 1
    np.copyto(out, raw)


def narrow(tag: str, values: np.ndarray) -> np.ndarray:
    """Return float64 `values` in the storage of `tag`; integers are rounded, bool is > 0.5.

    Numbers out of range become infinite, or the largest integer.
    """
    storage = DTYPES[tag].storage
    if tag == "BF16":
        return float64_to_bfloat16(values)
    if tag == "BOOL":
        majority: np.ndarray = values > 0.5
        return majority
    if tag in _INTEGER_RANGE:
        rounded: np.ndarray = np.clip(np.rint(values), *_INTEGER_RANGE[tag])
        return rounded.astype(storage)
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(storage)


def bfloat16_to_float32(bits: np.ndarray) -> np.ndarray:
    """Widen bfloat16 bits (uint16) to float32, exactly: they are the upper half of a float32."""
    wide = bits.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)


def float64_to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Round float64 to the nearest bfloat16, ties to even, and return its bits as uint16.

    Rounding to float32 first and to bfloat16 from there would round twice and miss some ties, so
    the way there rounds to odd: a float32 that is not exact gets its last bit set, which keeps it
    off every tie (Boldo & Melquiond 2008). Too large becomes infinite; a NaN stays a quiet NaN of
    the same sign.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        nearest = values.astype(np.float32)
        back = nearest.astype(np.float64)
        away_from_zero = np.abs(back) > np.abs(values)
        inexact = back != values
    bits = nearest.view(np.uint32) - away_from_zero.astype(np.uint32)
    bits |= inexact.astype(np.uint32)
    quiet_nan = (bits >> np.uint32(16)) | np.uint32(0x0040)
    bits += np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    bits >>= np.uint32(16)
    narrowed: np.ndarray = np.where(np.isnan(values), quiet_nan, bits).astype(np.uint16)
    return narrowed
