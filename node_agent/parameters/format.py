"""Parameter files on disk: written whole under their final name, read as a memory map.

    written = write(path, {"weight": array, …}, {"format": "swarm-1", "kind": "initial"})
    file = ParameterFile.open(path)
    file.tensors()["weight"]          # a read-only view, nothing is copied

NumPy has no bfloat16: such a tensor is handed over, and comes back, as its bits in uint16, and is
named in `bfloat16`.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from blake3 import blake3

from node_agent.errors import ParameterError
from node_agent.parameters import header
from node_agent.parameters.dtypes import DTYPES, FILE_ORDER, TAG_OF_STORAGE
from node_agent.parameters.schema import Schema, TensorSpec


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: `root` is the BLAKE3 of the whole file (32 bytes), `size` is in bytes."""

    root: bytes
    size: int


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
    *,
    bfloat16: Collection[str] = (),
) -> Written:
    """Write a parameter file; the same tensors and metadata give the same bytes, in any order.

    Args:
        path: appears, or is replaced, only once the file is complete. It is not flushed to the
            disk: what a power failure tears no longer fits its root and is fetched or made again.
        tensors: name to array of any shape, strides and byte order; float32, float16, int8 to
            int64, uint8, bool, or uint16 with the bits of a bfloat16.
        metadata: text to text.
        bfloat16: names of the tensors that are bfloat16.

    Raises:
        ParameterError: a name, dtype or metadata that the format does not have.
    """
    schema = schema_of(tensors, bfloat16=bfloat16)
    head = header.encode(schema, metadata)
    hasher = blake3(max_threads=blake3.AUTO)
    with replacing(path) as out:
        for chunk in _chunks(head, schema, tensors):
            hasher.update(chunk)
            out.write(chunk)
        return Written(hasher.digest(), out.tell())


def schema_of(tensors: Mapping[str, np.ndarray], *, bfloat16: Collection[str] = ()) -> Schema:
    """Return the schema that a file of these tensors has."""
    for name in bfloat16:
        if name not in tensors or tensors[name].dtype != np.uint16:
            raise ParameterError(f"tensor {name!r}: bfloat16 is handed over as its bits in uint16")
    specs = {}
    for name, array in tensors.items():
        tag = "BF16" if name in bfloat16 else _tag(name, array.dtype)
        specs[name] = TensorSpec(tag, array.shape)
    return Schema(specs)


class ParameterFile:
    """A parameter file, mapped into memory and checked; its arrays are read-only views.

    The map lives as long as the file object or one of its arrays does.
    """

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.size = len(mapped)
        self._mapped = mapped
        with memoryview(mapped) as view:
            self._header = header.decode(view, self.size)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ParameterFile:
        """Map a file and check its header.

        Raises:
            ParameterError: the file is not in canonical form; the message says what and where.
            OSError: it cannot be read.
        """
        path = Path(path)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise ParameterError("the file is truncated: it is empty")
            return cls(path, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._header.metadata

    @property
    def schema(self) -> Schema:
        return self._header.schema

    @cached_property
    def root(self) -> bytes:
        """BLAKE3 of the file, 32 bytes; reads all of it the first time."""
        with memoryview(self._mapped) as view:
            return blake3(view, max_threads=blake3.AUTO).digest()

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors by name, in sorted order; bfloat16 as uint16 bits (see `schema`)."""
        return {name: self.tensor(name) for name in self.schema}

    def tensor(self, name: str) -> np.ndarray:
        spec = self.schema[name]
        begin, _ = self._header.offsets[name]
        return self._view(spec.dtype, begin, spec.elements).reshape(spec.shape)

    def sections(self) -> dict[str, np.ndarray]:
        """Dtype tag to all numbers of that dtype, one after the other; flat, aligned, no copy."""
        return {
            tag: self._view(tag, begin, (end - begin) // DTYPES[tag].item_size)
            for tag, (begin, end) in section_places(self.schema).items()
        }

    def _view(self, tag: str, begin: int, count: int) -> np.ndarray:
        if count == 0:
            return np.empty(0, DTYPES[tag].storage)
        start = self._header.data_start + begin
        return np.frombuffer(self._mapped, DTYPES[tag].storage, count, start)


def section_places(schema: Schema) -> dict[str, tuple[int, int]]:
    """Dtype tag to the place of its section, [begin, end) in bytes from the start of the data."""
    sizes: dict[str, int] = {}
    for spec in schema.values():
        sizes[spec.dtype] = sizes.get(spec.dtype, 0) + spec.size
    places, end = {}, 0
    for tag in sorted(sizes, key=FILE_ORDER.__getitem__):
        begin, end = end, end + sizes[tag]
        places[tag] = (begin, end)
    return places


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write to a temporary file beside `path`, which takes its name when the block succeeds."""
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:64]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as out:
            yield out
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _tag(name: str, dtype: np.dtype) -> str:
    tag = TAG_OF_STORAGE.get(dtype.newbyteorder("<"))
    if tag is not None:
        return tag
    hints = {
        "float64": "Convert it to float32: updates travel and merge in the model's own precision.",
        "uint16": "If these are the bits of a bfloat16 tensor, name it in bfloat16=.",
    }
    raise ParameterError(
        f"tensor {name!r}: dtype {dtype} is not allowed",
        hint=hints.get(dtype.name, f"Allowed are {', '.join(DTYPES)}."),
    )


def _chunks(
    head: bytes, schema: Schema, tensors: Mapping[str, np.ndarray]
) -> Iterator[bytes | memoryview]:
    yield head
    for name in schema.in_file_order():
        array = np.asarray(tensors[name], DTYPES[schema[name].dtype].storage, order="C")
        if array.size:
            yield array.reshape(-1).view(np.uint8).data
