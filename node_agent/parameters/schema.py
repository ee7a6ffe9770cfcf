"""What a model's parameters look like: the name, dtype and shape of every tensor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NamedTuple

from blake3 import blake3

from node_agent.errors import ParameterError
from node_agent.parameters.dtypes import DTYPES, FILE_ORDER, FLOATS

METADATA_KEY = "__metadata__"
MAX_DIMENSIONS = 32  # NumPy 1 holds no more
MAX_ELEMENTS = 1 << 48  # a bound for sums and products of sizes, far above any model


class TensorSpec(NamedTuple):
    """Dtype tag as in safetensors (F32, F16, BF16, I64 … BOOL) and shape of one tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.elements * DTYPES[self.dtype].item_size


class Schema(Mapping[str, TensorSpec]):
    """Tensor name to `TensorSpec`; immutable, hashable, in the order of the names."""

    __slots__ = ("_specs",)

    def __init__(self, specs: Mapping[str, TensorSpec]) -> None:
        """Check every entry.

        Raises:
            ParameterError: a name, dtype or shape that no parameter file may hold.
        """
        self._specs = {
            _checked_name(name): checked_spec(name, *specs[name]) for name in sorted(specs)
        }

    @classmethod
    def from_json(cls, value: Any) -> Schema:
        """Read `{"layer.weight": ["F32", [8, 30]], …}`, the form that `to_json` makes."""
        if not isinstance(value, dict):
            raise ParameterError("a schema is a JSON object of name: [dtype, shape]")
        for name, entry in value.items():
            if not (isinstance(entry, list | tuple) and len(entry) == 2):
                raise ParameterError(f"tensor {name!r}: expected [dtype, shape], got {entry!r}")
        return cls({name: TensorSpec(*entry) for name, entry in value.items()})

    def to_json(self) -> dict[str, list[Any]]:
        return {name: [spec.dtype, list(spec.shape)] for name, spec in self.items()}

    def canonical(self) -> bytes:
        """The one JSON text of this schema: sorted names, no white space, UTF-8."""
        return canonical_json(self.to_json())

    def floats(self) -> Schema:
        """The part that has gradients."""
        return Schema({name: spec for name, spec in self.items() if spec.dtype in FLOATS})

    def in_file_order(self) -> list[str]:
        """Names in the order of their data in a file: by dtype, then by name."""
        return sorted(self, key=lambda name: (FILE_ORDER[self[name].dtype], name))

    def difference(self, other: Mapping[str, TensorSpec]) -> str | None:
        """Say in words what differs first in `other`, or None when nothing does."""
        for name in sorted(self.keys() | other.keys()):
            if name not in other:
                return f"tensor {name!r} is missing"
            if name not in self:
                return f"tensor {name!r} is not part of the model"
            if self[name] != other[name]:
                mine, theirs = self[name], other[name]
                return (
                    f"tensor {name!r} is {theirs.dtype} {list(theirs.shape)}, "
                    f"expected {mine.dtype} {list(mine.shape)}"
                )
        return None

    def __getitem__(self, name: str) -> TensorSpec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __hash__(self) -> int:
        return hash(tuple(self._specs.items()))

    def __repr__(self) -> str:
        return f"Schema({self.to_json()!r})"


def schema_hash(schema: Schema) -> bytes:
    """BLAKE3 of the canonical JSON: `schemaHash` of an agreement's terms; 32 bytes."""
    return blake3(schema.canonical()).digest()


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no white space, UTF-8; raises UnicodeEncodeError for lone surrogates."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def checked_spec(name: str, dtype: Any, shape: Any) -> TensorSpec:
    """Make a `TensorSpec` of untrusted values, or raise ParameterError naming the tensor."""
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ParameterError(
            f"tensor {name!r}: dtype {dtype!r} is not allowed",
            hint=f"Use one of {', '.join(DTYPES)}; float64 models are converted to float32 first.",
        )
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise ParameterError(f"tensor {name!r}: the shape is no list of at most 32 numbers")
    for length in shape:
        if type(length) is not int or length < 0:
            raise ParameterError(f"tensor {name!r}: {length!r} is no length of a dimension")
    # Zero times anything is zero: bound the other lengths too, or they overflow in NumPy.
    if prod(max(length, 1) for length in shape) > MAX_ELEMENTS:
        raise ParameterError(f"tensor {name!r}: the shape {list(shape)} is too large")
    return TensorSpec(dtype, tuple(shape))


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or name == METADATA_KEY:
        raise ParameterError(f"{name!r} is not allowed as the name of a tensor")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ParameterError(f"the name {name!r} of a tensor is not valid Unicode") from None
    return name
