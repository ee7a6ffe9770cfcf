"""The Solidity types that messages are made of.

A kind knows four things about its values: the 32-byte word that EIP-712 hashes, the JSON form
that travels between peers, the form that the ABI codec takes, and how to come back from both.
All of them refuse a value that does not fit, instead of hashing something else.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from eth_hash.auto import keccak

from contracts.errors import MessageError

# JSON numbers beyond this lose digits in programs that read them as doubles.
_EXACT_IN_JSON: Final = 2**53
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]*")
_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def checksum_address(address: str) -> str:
    """Returns the address with EIP-55 capitals; a mixed-case one must already carry them.

    Raises:
        MessageError: it is not an address, or its capitals show a typing error.
    """
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise MessageError(f"{address!r} is not an address: 0x and 40 hexadecimal digits")
    plain = address[2:].lower()
    marks = keccak(plain.encode()).hex()
    checked = "0x" + "".join(
        letter.upper() if mark > "7" else letter for letter, mark in zip(plain, marks, strict=False)
    )
    if address not in (checked, "0x" + plain, "0x" + plain.upper()):
        raise MessageError(
            f"{address} has capitals that do not fit", hint="check the address for typing errors"
        )
    return checked


class Kind(Protocol):
    """One Solidity type."""

    @property
    def solidity(self) -> str: ...

    def word(self, value: Any) -> bytes:
        """The 32 bytes that stand for the value in an EIP-712 struct hash."""
        ...

    def to_json(self, value: Any) -> Any: ...

    def from_json(self, value: Any) -> Any: ...

    def to_abi(self, value: Any) -> Any: ...

    def from_abi(self, value: Any) -> Any: ...


class Integer:
    """uint8 to uint256, int64."""

    def __init__(self, bits: int, *, signed: bool = False) -> None:
        self.solidity = f"{'int' if signed else 'uint'}{bits}"
        self._least = -(2 ** (bits - 1)) if signed else 0
        self._most = 2 ** (bits - 1) - 1 if signed else 2**bits - 1

    def to_abi(self, value: Any) -> int:
        # bool is an int to Python, but True is not a number of rounds.
        if type(value) is not int or not self._least <= value <= self._most:
            raise MessageError(f"{value!r} is not a {self.solidity}")
        return value

    def from_abi(self, value: Any) -> Any:
        return value

    def word(self, value: Any) -> bytes:
        number = self.to_abi(value)
        return number.to_bytes(32, "big", signed=number < 0)

    def to_json(self, value: Any) -> int | str:
        number = self.to_abi(value)
        return number if abs(number) <= _EXACT_IN_JSON else str(number)

    def from_json(self, value: Any) -> int:
        if isinstance(value, str):
            if not _DECIMAL.fullmatch(value) or abs(number := int(value)) <= _EXACT_IN_JSON:
                raise MessageError(f"{value!r} is not a {self.solidity} beyond 2^53 in decimals")
            return self.to_abi(number)
        if self.to_json(value) != value:
            raise MessageError(f"{value!r} is beyond 2^53: write it as a string of decimals")
        return self.to_abi(value)


class Boolean:
    solidity = "bool"

    def to_abi(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise MessageError(f"{value!r} is not a bool")
        return value

    from_abi = to_json = from_json = to_abi

    def word(self, value: Any) -> bytes:
        return self.to_abi(value).to_bytes(32, "big")


class Binary:
    """bytes, or bytes32 when a length is given. JSON: 0x and lower-case digits."""

    def __init__(self, length: int | None = None) -> None:
        self.solidity = "bytes" if length is None else f"bytes{length}"
        self._length = length

    def to_abi(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or self._length not in (None, len(value)):
            raise MessageError(f"{value!r} is not {self.solidity}")
        return value

    def from_abi(self, value: Any) -> bytes:
        return bytes(value)

    def word(self, value: Any) -> bytes:
        data = self.to_abi(value)
        return keccak(data) if self._length is None else data.ljust(32, b"\0")

    def to_json(self, value: Any) -> str:
        return "0x" + self.to_abi(value).hex()

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise MessageError(f"{value!r} is not {self.solidity}: 0x and lower-case digits")
        return self.to_abi(bytes.fromhex(value[2:]))


class Text:
    """string, in UTF-8."""

    solidity = "string"

    def to_abi(self, value: Any) -> str:
        if not isinstance(value, str):
            raise MessageError(f"{value!r} is not a text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MessageError(f"{value!r} cannot be written in UTF-8") from error
        return value

    from_abi = to_json = from_json = to_abi

    def word(self, value: Any) -> bytes:
        return keccak(self.to_abi(value).encode())


class Address:
    """address. In Python and JSON a text with EIP-55 capitals; all lower case is taken too."""

    solidity = "address"

    def to_abi(self, value: Any) -> str:
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise MessageError(f"{value!r} is not an address: 0x and 40 hexadecimal digits")
        return value

    def word(self, value: Any) -> bytes:
        return b"\0" * 12 + bytes.fromhex(self.to_abi(value)[2:])

    def from_abi(self, value: Any) -> str:
        return checksum_address(value)

    to_json = from_json = from_abi


class Many:
    """A dynamic array; a tuple in Python, a list in JSON."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.solidity = kind.solidity + "[]"

    def _each(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            raise MessageError(f"{value!r} is not a tuple ({self.solidity})")
        return value

    def word(self, value: Any) -> bytes:
        return keccak(b"".join(self.kind.word(each) for each in self._each(value)))

    def to_json(self, value: Any) -> list[Any]:
        return [self.kind.to_json(each) for each in self._each(value)]

    def from_json(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise MessageError(f"{value!r} is not a list ({self.solidity})")
        return tuple(self.kind.from_json(each) for each in value)

    def to_abi(self, value: Any) -> list[Any]:
        return [self.kind.to_abi(each) for each in self._each(value)]

    def from_abi(self, value: Any) -> tuple[Any, ...]:
        return tuple(self.kind.from_abi(each) for each in value)
