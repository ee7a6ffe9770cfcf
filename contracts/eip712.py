"""EIP-712: structs, their hashes, and signatures over them.

A struct is a frozen dataclass that derives from `Struct` and annotates each field with its
Solidity type; names in snake_case stand for the same names in camelCase. What has to be known
about a struct is worked out once: a hash is then a handful of keccak calls, because digests and
recovered signers are on the path of every round.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

import coincurve
from eth_hash.auto import keccak

from contracts.errors import MessageError, SignatureError
from contracts.keys import Signer, address_of
from contracts.kinds import Address, Integer, Kind, Many

DOMAIN_NAME: Final = "Swarm Learning"
DOMAIN_VERSION: Final = "1"
_DOMAIN_MEMBERS: Final = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
)
_DOMAIN_TYPE: Final = f"EIP712Domain({','.join(' '.join(member) for member in _DOMAIN_MEMBERS)})"
# Half the order of secp256k1: the contracts refuse the other half, where signatures have twins.
_HIGHEST_S: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Struct:
    """Base of the dataclasses that mirror Solidity structs."""

    __slots__ = ()


_S = TypeVar("_S", bound=Struct)
_FIELDS: Final[dict[type[Struct], tuple[Field, ...]]] = {}
_TYPE_HASHES: Final[dict[type[Struct], bytes]] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one contract on one chain."""

    chain_id: int
    contract: str


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    kind: Kind


class Nested:
    """A struct inside another."""

    def __init__(self, struct: type[Struct]) -> None:
        self.struct = struct
        self.solidity = struct.__name__

    def _checked(self, value: Any) -> Struct:
        if type(value) is not self.struct:
            raise MessageError(f"{value!r} is not {self.solidity}")
        return value

    def word(self, value: Any) -> bytes:
        return struct_hash(self._checked(value))

    def to_json(self, value: Any) -> dict[str, Any]:
        return to_json(self._checked(value))

    def from_json(self, value: Any) -> Struct:
        return from_json(self.struct, value)

    def to_abi(self, value: Any) -> tuple[Any, ...]:
        return to_abi(self._checked(value))

    def from_abi(self, value: Any) -> Struct:
        return from_abi(self.struct, value)


def camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _kind(annotation: Any) -> Kind:
    for extra in getattr(annotation, "__metadata__", ()):
        if hasattr(extra, "solidity"):
            return typing.cast(Kind, extra)
    if typing.get_origin(annotation) is tuple:
        return Many(_kind(typing.get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return Nested(annotation)
    raise TypeError(f"{annotation!r} does not name a Solidity type")


def fields(struct: type[Struct]) -> tuple[Field, ...]:
    """The struct's fields in the order of the Solidity definition."""
    known = _FIELDS.get(struct)
    if known is None:
        hints = typing.get_type_hints(struct, include_extras=True)
        names = [field.name for field in dataclasses.fields(typing.cast(Any, struct))]
        known = tuple(Field(name, camel_case(name), _kind(hints[name])) for name in names)
        _FIELDS[struct] = known
    return known


def _definitions(struct: type[Struct]) -> dict[str, tuple[tuple[str, str], ...]]:
    """(type, name) of every member of the struct and of those it refers to, by their names."""
    found = {struct.__name__: tuple((each.kind.solidity, each.label) for each in fields(struct))}
    for each in fields(struct):
        kind = each.kind.kind if isinstance(each.kind, Many) else each.kind
        if isinstance(kind, Nested):
            found |= _definitions(kind.struct)
    return found


def type_string(struct: type[Struct]) -> str:
    """EIP-712 encodeType: the struct, then those it refers to in alphabetical order."""
    found = _definitions(struct)
    first = struct.__name__
    return "".join(
        f"{name}({','.join(' '.join(member) for member in found[name])})"
        for name in (first, *sorted(found.keys() - {first}))
    )


def type_hash(struct: type[Struct]) -> bytes:
    known = _TYPE_HASHES.get(struct)
    if known is None:
        known = _TYPE_HASHES[struct] = keccak(type_string(struct).encode())
    return known


def struct_hash(message: Struct) -> bytes:
    """EIP-712 hashStruct, 32 bytes.

    Raises:
        MessageError: a field does not fit its type; the message names it.
    """
    struct = type(message)
    words = [type_hash(struct)]
    for each in fields(struct):
        try:
            words.append(each.kind.word(getattr(message, each.name)))
        except MessageError as error:
            raise _placed(error, struct, each.name) from error
    return keccak(b"".join(words))


def _placed(error: MessageError, struct: type[Struct], name: str) -> MessageError:
    return MessageError(f"{struct.__name__}.{name}: {error}", hint=error.hint)


@lru_cache(maxsize=256)
def domain_separator(domain: Domain) -> bytes:
    words = (
        keccak(_DOMAIN_TYPE.encode()),
        keccak(DOMAIN_NAME.encode()),
        keccak(DOMAIN_VERSION.encode()),
        Integer(256).word(domain.chain_id),
        Address().word(domain.contract),
    )
    return keccak(b"".join(words))


def digest(domain: Domain, message: Struct) -> bytes:
    """The 32 bytes that are signed."""
    return keccak(b"\x19\x01" + domain_separator(domain) + struct_hash(message))


def sign(domain: Domain, message: Struct, signer: Signer) -> bytes:
    """Returns r, s, v in 65 bytes, v being 27 or 28."""
    return signer.sign(digest(domain, message))


def recover_digest(signed: bytes, signature: bytes) -> str:
    """Returns the address whose key signed the 32 bytes, with EIP-55 capitals.

    Raises:
        SignatureError: not a signature that OpenZeppelin's ECDSA accepts.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureError("a signature has 65 bytes, the last of them 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HIGHEST_S:
        raise SignatureError("the signature's s is in the upper half")
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, signed, hasher=None)
    except ValueError as error:
        raise SignatureError("the bytes are no signature of any key") from error
    return address_of(key)


def recover(domain: Domain, message: Struct, signature: bytes) -> str:
    """Returns the address whose key signed exactly this message for this domain.

    A message or domain that differs in anything gives the address of nobody in particular: the
    caller compares. Raises `SignatureError` as `recover_digest` does.
    """
    return recover_digest(digest(domain, message), signature)


def to_json(message: Struct) -> dict[str, Any]:
    """Returns the one JSON form of a message.

    Names in snake_case; bytes as 0x and lower-case digits; integers beyond 2^53 as decimals.
    """
    return {
        each.name: each.kind.to_json(getattr(message, each.name)) for each in fields(type(message))
    }


def from_json(struct: type[_S], value: Any) -> _S:
    """Reads what `to_json` wrote, and nothing else.

    Raises:
        MessageError: unknown or missing keys, a wrong type, a value out of range.
    """
    if not isinstance(value, Mapping):
        raise MessageError(f"{struct.__name__}: {value!r} is not an object")
    members = fields(struct)
    names = {each.name for each in members}
    if missing := sorted(names - value.keys()):
        raise MessageError(f"{struct.__name__}: missing {', '.join(missing)}")
    if unknown := sorted(map(str, value.keys() - names)):
        raise MessageError(f"{struct.__name__}: unknown {', '.join(unknown)}")
    found: dict[str, Any] = {}
    for each in members:
        try:
            found[each.name] = each.kind.from_json(value[each.name])
        except MessageError as error:
            raise _placed(error, struct, each.name) from error
    return struct(**found)


def to_abi(message: Struct) -> tuple[Any, ...]:
    """The nested tuple that the ABI codec takes."""
    return tuple(each.kind.to_abi(getattr(message, each.name)) for each in fields(type(message)))


def from_abi(struct: type[_S], values: Any) -> _S:
    """Reads the nested tuple that the ABI codec gives."""
    members = fields(struct)
    return struct(
        **{
            each.name: each.kind.from_abi(value)
            for each, value in zip(members, values, strict=True)
        }
    )


def typed_data(domain: Domain, message: Struct) -> dict[str, Any]:
    """Returns the JSON that a wallet takes in eth_signTypedData_v4."""
    definitions = {"EIP712Domain": _DOMAIN_MEMBERS} | _definitions(type(message))
    types = {
        name: [{"name": label, "type": solidity} for solidity, label in members]
        for name, members in definitions.items()
    }
    return {
        "types": types,
        "primaryType": type(message).__name__,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": _wallet_form(message),
    }


def _wallet_form(message: Struct) -> dict[str, Any]:
    def form(kind: Kind, value: Any) -> Any:
        if isinstance(kind, Nested):
            return _wallet_form(value)
        if isinstance(kind, Many):
            return [form(kind.kind, each) for each in value]
        return kind.to_json(value)

    return {
        each.label: form(each.kind, getattr(message, each.name)) for each in fields(type(message))
    }
