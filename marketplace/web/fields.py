"""Kinds of values that requests are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.errors import MessageError
from contracts.messages import checksum_address

_SIGNATURE_BYTES = 65


def _signature(value: object) -> bytes:
    try:
        data = bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError as error:
        raise ValueError("a signature is 0x and hexadecimal digits") from error
    if len(data) != _SIGNATURE_BYTES:
        raise ValueError("a signature has 65 bytes")
    # Some wallets write 0 and 1 where the contracts want 27 and 28.
    return data[:64] + bytes([data[64] + 27]) if data[64] < 27 else data


def _address(value: object) -> str:
    try:
        return checksum_address(str(value))
    except MessageError as error:
        raise ValueError(str(error)) from error


Signature = Annotated[
    bytes,
    BeforeValidator(_signature),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^0x[0-9a-f]{130}$",
            "description": "65 bytes: r, s, v",
            "example": "0x" + "1b" * _SIGNATURE_BYTES,
        }
    ),
]
Address = Annotated[
    str,
    BeforeValidator(_address),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^0x[0-9a-f]{40}$",
            "description": "0x and 40 hexadecimal digits; if in both cases, EIP-55 decides",
            "example": "0x" + "11" * 20,
        }
    ),
]
Hash = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]
Identifier = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Time = Annotated[int, Field(ge=0, lt=2**53, description="unix seconds")]
Line = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]+$")]
SpiffeId = Annotated[str, Field(max_length=2048, pattern=r"^spiffe://[a-z0-9._/-]+$")]
Label = Annotated[str, Field(pattern="^[a-z0-9-]{1,63}$")]
