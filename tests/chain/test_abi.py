"""The Python face knows everything that the compiled contracts can say."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing

import pytest

from contracts import events
from contracts.abi import CONTRACTS, all_errors, all_events, interface, reverted, reverted_answer
from contracts.contract import Contract
from contracts.deployment import Contracts
from contracts.eip712 import camel_case
from contracts.errors import NotDeployed
from contracts.reasons import explain, explained
from contracts.roles import Roles

# Done by contracts among themselves, or by wallets: nobody here calls them.
NOT_CALLED = {"eip712Domain", "DOMAIN_SEPARATOR", "permit", "transferFrom"}
NOT_CALLED_OF = {
    "Consortium": {"carry"},
    "Clerk": {
        "adopt",
        "createRun",
        "count",
        "strike",
        "pardon",
        "sealRows",
        "addRows",
        "settleRows",
    },
    "Registry": {"setAuthority", "isConsumingScheduledOp"},
    "Rewards": {"open", "settle", "settleParts", "close"},
    "SwarmToken": {"setAuthority", "isConsumingScheduledOp"},
}
WRAPPERS = [
    kind
    for kind in typing.get_type_hints(Contracts, include_extras=True).values()
    if isinstance(kind, type) and issubclass(kind, Contract) and kind is not Roles
]


def test_every_event_has_a_record_with_its_values() -> None:
    where = {field.name for field in dataclasses.fields(events.Event)}
    for event in all_events().values():
        if event.name == "EIP712DomainChanged":  # of a base contract, never raised
            continue
        names = {field.name for field in dataclasses.fields(events.TYPES[event.name])} - where
        expected = {*event.indexed.names, *event.data.names}
        if "from" in expected:  # a keyword in Python: an address, or a time
            expected = expected - {"from"} | names & {"sender", "since"}
        assert names == expected, event.name


def test_every_error_is_explained_with_its_values() -> None:
    names = {name for name, _ in all_errors().values()}
    assert names <= explained()
    assert not {name for name in explained() - names if not name.startswith("ECDSA")}
    for name, parameters in all_errors().values():
        sentence, _ = explain(name, dict.fromkeys(parameters.names, 7))
        assert "{" not in sentence
        assert sentence != name


@pytest.mark.parametrize("contract", WRAPPERS)
def test_every_function_has_a_method(contract: type[Contract]) -> None:
    methods = {camel_case(name) for name in dir(contract)} | {"ANSWER_GAS"}
    functions = interface(contract.NAME).functions.keys() - NOT_CALLED
    assert functions - methods == NOT_CALLED_OF.get(contract.NAME, set())


def test_every_function_of_the_roles_that_has_a_method_is_there() -> None:
    methods = {camel_case(name) for name in vars(Roles) if name.islower() and name[0] != "_"}
    assert methods <= interface("Roles").functions.keys()


def test_plain_reverts_and_panics_are_told_apart() -> None:
    text = reverted(
        bytes.fromhex("08c379a0" + "20".zfill(64) + "02".zfill(64) + b"no".hex().ljust(64, "0"))
    )
    assert (text.name, text.values) == ("Error", {"message": "no"})
    panic = reverted(bytes.fromhex("4e487b71" + "11".zfill(64)))
    assert (panic.name, panic.values) == ("Panic", {"code": 0x11})


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x08\xc3\x79\xa0", b"\xde\xad\xbe\xef\x00"])
def test_a_reason_that_cannot_be_read_is_shown_as_it_is(data: bytes) -> None:
    error = reverted(data)
    assert (error.name, error.values) == ("Unknown", {"data": "0x" + data.hex()})


def test_answers_of_other_clients_are_understood() -> None:
    data = "0x4e487b71" + "11".zfill(64)
    for message, wrapped in [("execution reverted", data), ("VM error", {"data": data})]:
        error = reverted_answer(message, wrapped)
        assert error is not None
        assert error.name == "Panic"
    silent = reverted_answer("evm: execution reverted", None)
    assert silent is not None
    assert silent.name == "Unknown"
    assert reverted_answer("nonce too low", None) is None
    assert reverted_answer("odd", "0xzzzzzzzzzz") is None


def test_who_only_signs_does_not_pay_for_web3() -> None:
    program = "import sys, contracts.messages, contracts.keys; print('web3' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_every_contract_can_be_deployed() -> None:
    for name in CONTRACTS:
        assert len(interface(name).bytecode) > 1_000
    with pytest.raises(NotDeployed, match="missing"):
        interface("Nonesuch")
