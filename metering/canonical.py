"""Canonical JSON: the one sequence of bytes that stands for a record, so that it can be signed.

ASCII, keys sorted, no spaces. Numbers are whole; beyond 2^53 they are decimals in strings, because
many programs read JSON numbers as doubles. Decimals are strings. A record is a dataclass of whole
numbers, texts, decimals, enumerations, records, and tuples of these; the first key, `format`, says
which. Reading is strict: what does not write back to the very same bytes is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from metering.errors import MeteringError

EXACT_IN_JSON = 2**53

Record = TypeVar("Record")


def to_bytes(record: Any, form: str) -> bytes:
    """Return the bytes of a record; `form` names its format and version.

    Raises:
        MeteringError: it holds something else than records are made of, a float for example.
    """
    return encode({"format": form, **_plain(record)})


def encode(value: Any) -> bytes:
    """Return the bytes of a JSON value, or of a list or record of them."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def combine(encoded: Mapping[str, bytes]) -> bytes:
    """Return the bytes of an object whose values are encoded already."""
    return b"{%b}" % b",".join(b"%b:%b" % (encode(name), encoded[name]) for name in sorted(encoded))


def from_bytes(kind: type[Record], data: bytes, form: str) -> Record:
    """Read what `to_bytes` wrote.

    Raises:
        MeteringError: not JSON, not this format, an unknown or missing field, a value of a wrong
            type, or not in canonical form; the message names the field.
    """
    try:
        value = json.loads(data, object_pairs_hook=_object, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        if isinstance(error, MeteringError):
            raise
        raise MeteringError(f"not canonical JSON: {error}") from error
    found = value.pop("format", None) if isinstance(value, dict) else None
    if found != form:
        raise MeteringError(f"the format is {found!r}, expected {form!r}")
    record = _read(kind, value, "")
    if to_bytes(record, form) != data:
        raise MeteringError(
            "not in canonical form",
            hint="keep the file as it was issued: no editor, no other line ends",
        )
    return record  # type: ignore[no-any-return]  # `_read` goes by the type it is given


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_IN_JSON else str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _names(value.__class__)}
    raise MeteringError(f"{value!r} has no exact form in JSON")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MeteringError("a field is given twice")
    return found


def _no_float(text: str) -> Any:
    raise MeteringError(f"{text} is not a whole number")


def _read(kind: Any, value: Any, where: str) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _unfit(where, value, "a list")
        return tuple(
            _read(get_args(kind)[0], each, f"{where}[{n}]") for n, each in enumerate(value)
        )
    if get_origin(kind) is UnionType:  # X | None
        return None if value is None else _read(get_args(kind)[0], value, where)
    if is_dataclass(kind):
        return _read_record(kind, value, where)
    if kind is int:
        return _read_integer(value, where)
    if not isinstance(value, str):
        raise _unfit(where, value, "a text")
    if kind is str:
        return value
    if kind is Decimal or (isinstance(kind, type) and issubclass(kind, Enum)):
        try:
            return kind(value)
        except (ValueError, InvalidOperation) as error:
            raise _unfit(where, value, f"a {kind.__name__}") from error
    raise TypeError(f"records have no fields of type {kind}")


def _read_record(kind: Any, value: Any, where: str) -> Any:
    hints = _fields(kind)
    if not isinstance(value, dict):
        raise _unfit(where, value, "an object")
    for name in sorted(value.keys() ^ hints.keys()):
        state = "unknown" if name in value else "missing"
        raise MeteringError(f"the field {_inside(where, name)} is {state}")
    return kind(
        **{name: _read(hint, value[name], _inside(where, name)) for name, hint in hints.items()}
    )


@cache
def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _names(kind)}


def _read_integer(value: Any, where: str) -> int:
    if type(value) is int:
        return value
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    # No number here has more digits than 2^256 has; Python itself refuses to read thousands.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 78):
        raise _unfit(where, value, "a whole number")
    return int(value)


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unfit(where: str, value: Any, expected: str) -> MeteringError:
    return MeteringError(f"{where or 'the record'} is {str(value)[:80]!r}, expected {expected}")
