"""The number formats that a parameter file may hold, in the order in which it holds them.

The order is that of the safetensors library's own writer: wider numbers first, so that every tensor
is aligned to its item size and all tensors of one dtype form one unbroken section. Checking,
merging and scoring run over sections, not over thousands of small tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class DType:
    """One number format: `tag` in headers, `storage` in memory (bfloat16: its bits in uint16)."""

    tag: str
    storage: np.dtype
    is_float: bool = False

    @property
    def item_size(self) -> int:
        return self.storage.itemsize


_IN_FILE_ORDER = (
    DType("I64", np.dtype("<i8")),
    DType("F32", np.dtype("<f4"), is_float=True),
    DType("I32", np.dtype("<i4")),
    DType("BF16", np.dtype("<u2"), is_float=True),
    DType("F16", np.dtype("<f2"), is_float=True),
    DType("I16", np.dtype("<i2")),
    DType("I8", np.dtype("i1")),
    DType("U8", np.dtype("u1")),
    DType("BOOL", np.dtype("?")),
)

DTYPES: dict[str, DType] = {dtype.tag: dtype for dtype in _IN_FILE_ORDER}
FILE_ORDER: dict[str, int] = {dtype.tag: place for place, dtype in enumerate(_IN_FILE_ORDER)}
FLOATS: frozenset[str] = frozenset(dtype.tag for dtype in _IN_FILE_ORDER if dtype.is_float)
TAG_OF_STORAGE: dict[np.dtype, str] = {
    dtype.storage: dtype.tag for dtype in _IN_FILE_ORDER if dtype.tag != "BF16"
}
