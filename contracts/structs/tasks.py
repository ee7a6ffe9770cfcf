"""What organizations sign for the Taskrunner. All fields named nonce: `Taskrunner.nonce`."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.eip712 import Struct
from contracts.solidity import Bytes32, String, Uint8, Uint16, Uint32, Uint64, Uint256


@dataclass(frozen=True, slots=True)
class TaskRequest(Struct):
    """Creates a task; signed by its author's wallet."""

    agreement: Bytes32
    party: Uint16  # its author
    kind: Uint8  # `contracts.taskrunner.Kind`
    name: String
    prerequisite: String  # name of the task, or outcome, that comes before; empty: none
    outcome: String  # what it makes
    body: Bytes32  # BLAKE3; zero while there is none
    nonce: Uint256
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class TaskChange(Struct):
    """Changes a task that is not final; signed by its author's wallet."""

    agreement: Bytes32
    party: Uint16
    name: String
    change: Uint8  # `contracts.taskrunner.Change`
    body: Bytes32  # of SetBody the new one, otherwise the one that the task has
    nonce: Uint256
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class TaskrunnerRequest(Struct):
    """Creates a taskrunner; signed by a party's wallet."""

    agreement: Bytes32
    party: Uint16
    name: String
    nonce: Uint256
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Assignment(Struct):
    """Has a task done; signed by a party's wallet."""

    agreement: Bytes32
    party: Uint16
    taskrunner: String
    task: String
    body: Bytes32  # of the task: what runs is what was signed
    mode: Uint8  # `contracts.taskrunner.Mode`
    peers: Uint16  # of Mode.PEERS, how many; otherwise zero
    needed: Uint16  # of them that have to complete it; zero: all
    target: Uint16  # of Mode.TARGET, the registration; otherwise zero
    ends_at: Uint64  # [unix s]
    nonce: Uint256
    deadline: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class ResetRequest(Struct):
    """Makes a taskrunner free for its next assignment; signed by a party's wallet."""

    agreement: Bytes32
    party: Uint16
    taskrunner: String
    number: Uint32  # of the assignment that is meant
    nonce: Uint256
    deadline: Uint64  # [unix s]
