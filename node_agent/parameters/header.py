"""The header of a parameter file: one JSON text per content, and a reader that trusts nothing.

A file is the safetensors layout in one canonical form:

    8 bytes   length of the header, little-endian
    header    JSON, sorted keys, no white space, UTF-8, padded with spaces to a multiple of 8 bytes
    data      the tensors in file order (see `dtypes`), C-contiguous, little-endian, without gaps

so equal content means equal bytes, and any reader of safetensors can read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from node_agent.errors import ParameterError
from node_agent.parameters.dtypes import DTYPES
from node_agent.parameters.schema import (
    METADATA_KEY,
    Schema,
    TensorSpec,
    canonical_json,
    checked_spec,
)

PREFIX_SIZE = 8
HEADER_LIMIT = 16 << 20  # bytes; about a hundred thousand tensors
_TENSOR_KEYS = {"data_offsets", "dtype", "shape"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says; `offsets` are [begin, end) in bytes from `data_start`."""

    metadata: Mapping[str, str]
    schema: Schema
    offsets: Mapping[str, tuple[int, int]]
    data_start: int
    data_size: int


def lay_out(schema: Schema) -> tuple[dict[str, tuple[int, int]], int]:
    """Return the place of every tensor in file order, and the size of all; bytes."""
    offsets, end = {}, 0
    for name in schema.in_file_order():
        begin, end = end, end + schema[name].size
        offsets[name] = (begin, end)
    return offsets, end


def encode(schema: Schema, metadata: Mapping[str, str]) -> bytes:
    """Return the first bytes of a file: length and padded header."""
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ParameterError(f"metadata {key!r}: {value!r} must be text")
    offsets, _ = lay_out(schema)
    entries: dict[str, Any] = {
        name: {"data_offsets": offsets[name], "dtype": spec.dtype, "shape": spec.shape}
        for name, spec in schema.items()
    }
    try:
        text = canonical_json({METADATA_KEY: dict(metadata), **entries})
    except UnicodeEncodeError:
        raise ParameterError("the metadata are not valid Unicode") from None
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:
        raise ParameterError(f"the header takes {len(text)} bytes, more than {HEADER_LIMIT}")
    return len(text).to_bytes(PREFIX_SIZE, "little") + text


def decode(buffer: bytes | memoryview, file_size: int) -> Header:
    """Read the header at the start of `buffer`, which belongs to a file of `file_size` bytes.

    Raises:
        ParameterError: says what is wrong and where, for all that `encode` cannot have made.
    """
    length = header_length(buffer, file_size)
    raw = bytes(buffer[PREFIX_SIZE : PREFIX_SIZE + length])
    entries = _json_object(raw)
    metadata = _metadata(entries.pop(METADATA_KEY, None))
    specs: dict[str, TensorSpec] = {}
    claimed: dict[str, tuple[int, int]] = {}
    for name, entry in entries.items():
        specs[name], claimed[name] = _tensor(name, entry)
    schema = Schema(specs)
    offsets, data_size = lay_out(schema)
    _check_places(offsets, claimed)
    data_start = PREFIX_SIZE + length
    if file_size != data_start + data_size:
        what = "is truncated" if file_size < data_start + data_size else "has trailing bytes"
        raise ParameterError(
            f"the file {what}: its header describes {data_start + data_size} bytes, "
            f"it has {file_size}"
        )
    if encode(schema, metadata)[PREFIX_SIZE:] != raw:
        raise ParameterError(
            "the header is not in canonical form",
            hint="Write files with node_agent.parameters.format.write.",
        )
    return Header(metadata, schema, offsets, data_start, data_size)


def header_length(buffer: bytes | memoryview, file_size: int) -> int:
    """Return the length that the first 8 bytes give, once it is known to be plausible."""
    if file_size < PREFIX_SIZE or len(buffer) < PREFIX_SIZE:
        raise ParameterError(f"the file is truncated: {file_size} bytes hold no header length")
    length = int.from_bytes(buffer[:PREFIX_SIZE], "little")
    if length > HEADER_LIMIT:
        raise ParameterError(f"the header claims {length} bytes, more than {HEADER_LIMIT}")
    if PREFIX_SIZE + length > file_size:
        raise ParameterError(
            f"the file is truncated: the header claims {length} bytes, the file has {file_size}"
        )
    return length


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        raise ParameterError(f"the header is not UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"the header is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ParameterError("the header is not a JSON object")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ParameterError(f"the header has {key!r} twice")
            seen.add(key)
    return value


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ParameterError(f"the header has no object {METADATA_KEY!r}")
    for key, entry in value.items():
        if not isinstance(entry, str):
            raise ParameterError(f"metadata {key!r} is not text")
    return value


def _tensor(name: str, entry: Any) -> tuple[TensorSpec, tuple[int, int]]:
    if not isinstance(entry, dict) or entry.keys() != _TENSOR_KEYS:
        raise ParameterError(f"tensor {name!r}: expected exactly {sorted(_TENSOR_KEYS)}")
    spec = checked_spec(name, entry["dtype"], entry["shape"])
    place = entry["data_offsets"]
    if not isinstance(place, list) or len(place) != 2 or any(type(at) is not int for at in place):
        raise ParameterError(f"tensor {name!r}: data_offsets are not two whole numbers")
    begin, end = place
    if not 0 <= begin <= end:
        raise ParameterError(f"tensor {name!r}: data_offsets {place} run backwards")
    if end - begin != spec.size:
        raise ParameterError(
            f"tensor {name!r}: {spec.elements} × {DTYPES[spec.dtype].item_size} bytes expected, "
            f"data_offsets span {end - begin}"
        )
    return spec, (begin, end)


def _check_places(
    offsets: Mapping[str, tuple[int, int]], claimed: Mapping[str, tuple[int, int]]
) -> None:
    by_place = sorted(claimed, key=lambda name: claimed[name])
    for before, after in pairwise(by_place):
        if claimed[after][0] < claimed[before][1]:
            raise ParameterError(f"tensors {before!r} and {after!r} overlap")
    for name, place in offsets.items():
        if claimed[name] != place:
            raise ParameterError(
                f"tensor {name!r}: its data belong at {list(place)}, not at {list(claimed[name])}"
            )
