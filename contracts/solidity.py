"""Solidity's types as annotations, for the fields of structs (see `contracts.eip712`)."""

from __future__ import annotations

from typing import Annotated

from contracts.kinds import Address, Binary, Boolean, Integer, Text

Bytes32 = Annotated[bytes, Binary(32)]
Bytes = Annotated[bytes, Binary()]
String = Annotated[str, Text()]
Wallet = Annotated[str, Address()]
Bool = Annotated[bool, Boolean()]
Uint8 = Annotated[int, Integer(8)]
Uint16 = Annotated[int, Integer(16)]
Uint32 = Annotated[int, Integer(32)]
Uint48 = Annotated[int, Integer(48)]
Uint64 = Annotated[int, Integer(64)]
Uint120 = Annotated[int, Integer(120)]
Uint128 = Annotated[int, Integer(128)]
Uint256 = Annotated[int, Integer(256)]
Int128 = Annotated[int, Integer(128, signed=True)]
Int64 = Annotated[int, Integer(64, signed=True)]
