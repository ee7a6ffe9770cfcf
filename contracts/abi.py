"""The contracts' ABIs: calls, answers, events and errors, from the compiled artifacts.

Worked out once for each contract, so that a call costs little more than its encoding.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_hash.auto import keccak

from contracts.errors import ContractReverted, MessageError, NotDeployed
from contracts.kinds import checksum_address
from contracts.reasons import explain

CONTRACTS: Final = (
    "Roles",
    "SwarmToken",
    "Consortium",
    "Council",
    "Stakes",
    "Presence",
    "Clerk",
    "Training",
    "Rewards",
    "Royalties",
    "Taskrunner",
    "Registry",
)
_PLAIN_REVERT: Final = keccak(b"Error(string)")[:4]
_PANIC: Final = keccak(b"Panic(uint256)")[:4]


def snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _solidity(entry: Mapping[str, Any]) -> str:
    """A parameter's type, structs written out as tuples."""
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_solidity(each) for each in entry["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _plain(value: Any, solidity: str) -> Any:
    """The codec's value as the rest of the package has it. Structs are left as they are."""
    if solidity == "address":
        return checksum_address(value)
    if solidity == "address[]":
        return tuple(checksum_address(each) for each in value)
    return value


@dataclass(frozen=True, slots=True)
class Parameters:
    """A list of parameters: names in snake_case, types as the codec takes them."""

    names: tuple[str, ...]
    types: tuple[str, ...]

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]]) -> Parameters:
        return cls(
            tuple(snake_case(each.get("name", "")) for each in entries),
            tuple(_solidity(each) for each in entries),
        )

    def decode(self, data: bytes) -> tuple[Any, ...]:
        values = decode(self.types, data)
        return tuple(_plain(each, kind) for each, kind in zip(values, self.types, strict=True))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a contract."""

    name: str
    selector: bytes
    inputs: Parameters
    outputs: Parameters

    def encode(self, arguments: Sequence[Any]) -> bytes:
        try:
            return self.selector + encode(self.inputs.types, arguments)
        except EncodingError as error:
            raise MessageError(f"{self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class EventType:
    """An event of a contract; `indexed` are in the topics, `data` in the log's data."""

    name: str
    topic: bytes
    indexed: Parameters
    data: Parameters

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        values = dict(zip(self.data.names, self.data.decode(data), strict=True))
        for name, kind, topic in zip(
            self.indexed.names, self.indexed.types, topics[1:], strict=True
        ):
            values[name] = _plain(decode([kind], topic)[0], kind)
        return values


@dataclass(frozen=True, slots=True)
class Interface:
    """What can be asked of a contract and what it can answer."""

    name: str
    bytecode: bytes
    constructor: Parameters
    functions: Mapping[str, Function]
    events: Mapping[bytes, EventType]
    errors: Mapping[bytes, tuple[str, Parameters]]

    def creation(self, *arguments: Any) -> bytes:
        """The data of the transaction that deploys the contract."""
        return self.bytecode + encode(self.constructor.types, arguments)


def _signature(name: str, parameters: Parameters) -> bytes:
    return keccak(f"{name}({','.join(parameters.types)})".encode())


@functools.cache
def interface(name: str) -> Interface:
    """Reads contracts/artifacts/<name>.json.

    Raises:
        NotDeployed: there is no such artifact.
    """
    file = resources.files("contracts") / "artifacts" / f"{name}.json"
    try:
        artifact = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotDeployed(
            f"the compiled contract {name} is missing", hint="run `make contracts`"
        ) from error
    constructor = Parameters((), ())
    functions: dict[str, Function] = {}
    events: dict[bytes, EventType] = {}
    errors: dict[bytes, tuple[str, Parameters]] = {}
    for entry in artifact["abi"]:
        inputs = Parameters.of(entry.get("inputs", ()))
        if entry["type"] == "constructor":
            constructor = inputs
        elif entry["type"] == "function":
            selector = _signature(entry["name"], inputs)[:4]
            outputs = Parameters.of(entry["outputs"])
            functions[entry["name"]] = Function(entry["name"], selector, inputs, outputs)
        elif entry["type"] == "event":
            topic = _signature(entry["name"], inputs)
            events[topic] = EventType(
                entry["name"],
                topic,
                Parameters.of([each for each in entry["inputs"] if each["indexed"]]),
                Parameters.of([each for each in entry["inputs"] if not each["indexed"]]),
            )
        elif entry["type"] == "error":
            errors[_signature(entry["name"], inputs)[:4]] = (entry["name"], inputs)
    bytecode = bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
    return Interface(name, bytecode, constructor, functions, events, errors)


def called(contract: str, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
    """Returns which function of a contract a transaction calls, and with what; None: none of its.

    Raises:
        MessageError: the arguments are not those of that function.
    """
    for function in interface(contract).functions.values():
        if data[:4] == function.selector:
            try:
                return function.name, function.inputs.decode(data[4:])
            except DecodingError as error:
                raise MessageError(f"these are no arguments of {function.name}: {error}") from error
    return None


@functools.cache
def all_errors() -> Mapping[bytes, tuple[str, Parameters]]:
    """The errors of all contracts: one may pass on what another that it called raised."""
    return {key: value for name in CONTRACTS for key, value in interface(name).errors.items()}


@functools.cache
def all_events() -> Mapping[bytes, EventType]:
    return {key: value for name in CONTRACTS for key, value in interface(name).events.items()}


def reverted(data: bytes) -> ContractReverted:
    """Returns the typed error for what a contract reverted with."""
    selector, arguments = data[:4], data[4:]
    try:
        if selector == _PLAIN_REVERT:
            (text,) = decode(["string"], arguments)
            return ContractReverted("Error", {"message": text}, f"the contract refused: {text}")
        if selector == _PANIC:
            (code,) = decode(["uint256"], arguments)
            return ContractReverted(
                "Panic", {"code": code}, f"the contract failed, panic {code:#x}"
            )
        name, parameters = all_errors()[selector]
        values = dict(zip(parameters.names, parameters.decode(arguments), strict=True))
    except (KeyError, DecodingError, UnicodeDecodeError):
        shown = "0x" + data.hex()
        return ContractReverted(
            "Unknown", {"data": shown}, f"the contract refused and gave {shown} as its reason"
        )
    sentence, hint = explain(name, values)
    return ContractReverted(name, values, sentence, hint=hint)


def reverted_answer(message: str, data: Any) -> ContractReverted | None:
    """Makes the typed error of a JSON-RPC error that is a revert; None for any other."""
    if isinstance(data, Mapping):  # some clients wrap it once more
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
        try:
            return reverted(bytes.fromhex(data[2:]))
        except ValueError:
            return None
    if "revert" in message.lower():
        return ContractReverted("Unknown", {}, f"the contract refused: {message}")
    return None
