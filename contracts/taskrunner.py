"""Tasks of an agreement, and the taskrunners that have them done, on chain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import (
    Assignment,
    ResetRequest,
    Struct,
    TaskChange,
    TaskRequest,
    TaskrunnerRequest,
    from_abi,
    to_abi,
)
from contracts.solidity import Bool, Bytes32, String, Uint8, Uint16, Uint32, Uint64


class Kind(IntEnum):
    """What a task is."""

    RUN_SWARM = 0
    MAKE_USER_CONTAINER = 1
    PULL_IMAGE = 2
    MAKE_SWARM_USER_CONTENT = 3


class Change(IntEnum):
    """What is done to a task."""

    SET_BODY = 0
    FINALIZE = 1
    DELETE = 2


class Mode(IntEnum):
    """Whom an assignment takes up as its peers."""

    PEERS = 0  # the first so many that report
    ALL = 1  # all agents that were enrolled when it was assigned
    TARGET = 2  # one registration


class State(IntEnum):
    """Of a taskrunner."""

    NONE = 0
    IDLE = 1
    RUNNING = 2
    COMPLETE = 3
    ERROR = 4


class Status(IntEnum):
    """How far an agent is with an assignment."""

    NONE = 0
    ACTIVE = 1
    COMPLETED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Task(Struct):
    """What is to be done; the body itself is an artifact off chain."""

    agreement: Bytes32
    body: Bytes32  # BLAKE3
    author: Uint16
    kind: Uint8  # Kind
    is_final: Bool
    done_at: Uint64  # [unix s] since when its outcome exists; zero while it does not
    name: String
    prerequisite: String
    outcome: String


@dataclass(frozen=True, slots=True)
class Progress(Struct):
    """An assignment in numbers."""

    number: Uint32  # counts the assignments of a taskrunner
    state: Uint8  # State
    mode: Uint8  # Mode
    party: Uint16  # that assigned it
    peers: Uint16
    places: Uint16  # among the peers, for whoever comes first
    needed: Uint16
    active: Uint16
    completed: Uint16
    failed: Uint16
    ends_at: Uint64  # [unix s]


@dataclass(frozen=True, slots=True)
class Runner(Struct):
    """A taskrunner and its last assignment."""

    agreement: Bytes32
    name: String
    agents: Uint16  # enrolled now
    task: Bytes32  # zero before the first assignment
    assigned_at: Uint64  # [unix s]
    ended_at: Uint64  # [unix s] zero while running
    progress: Progress


@dataclass(frozen=True, slots=True)
class Agent(Struct):
    """An agent of a taskrunner, and how far it is with the last assignment."""

    registration: Uint16
    enrolled: Bool  # False: it withdrew
    peer: Bool  # of the last assignment; False for who could still take a place
    status: Uint8  # Status
    reported_at: Uint64  # [unix s]
    description: Bytes32  # BLAKE3 of what it said about it


class Taskrunner(Contract):
    """Tasks and assignments. See ITaskrunner.sol for what each function requires.

    Organizations sign; `enroll`, `withdraw` and `report` are posted by the node's own key.
    """

    NAME = "Taskrunner"

    async def create_task(
        self, request: TaskRequest, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("createTask", to_abi(request), wallet_signature, signer=signer)

    async def change_task(
        self, change: TaskChange, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("changeTask", to_abi(change), wallet_signature, signer=signer)

    async def create_taskrunner(
        self, request: TaskrunnerRequest, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write(
            "createTaskrunner", to_abi(request), wallet_signature, signer=signer
        )

    async def assign(
        self, assignment: Assignment, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("assign", to_abi(assignment), wallet_signature, signer=signer)

    async def reset(
        self, request: ResetRequest, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("reset", to_abi(request), wallet_signature, signer=signer)

    async def enroll(self, taskrunner: bytes, registration: int, *, signer: Signer) -> Receipt:
        return await self._write("enroll", taskrunner, registration, signer=signer)

    async def withdraw(self, taskrunner: bytes, registration: int, *, signer: Signer) -> Receipt:
        return await self._write("withdraw", taskrunner, registration, signer=signer)

    async def report(
        self,
        taskrunner: bytes,
        number: int,
        registration: int,
        status: Status,
        description: bytes,
        *,
        signer: Signer,
    ) -> Receipt:
        """Reports how far a node is with an assignment; `description` is a BLAKE3 hash."""
        return await self._write(
            "report", taskrunner, number, registration, int(status), description, signer=signer
        )

    async def expire(self, taskrunner: bytes, *, signer: Signer) -> Receipt:
        """Says that an assignment's time has passed."""
        return await self._write("expire", taskrunner, signer=signer)

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def nonce(self, agreement: bytes, party: int) -> int:
        """Returns the nonce of the party's next message."""
        return int(await self._read_one("nonce", agreement, party))

    async def id_of(self, agreement: bytes, name: str) -> bytes:
        """Returns the id of a task, outcome or taskrunner of that name, there or not."""
        return bytes(await self._read_one("idOf", agreement, name))

    async def task(self, task: bytes) -> Task:
        return from_abi(Task, await self._read_one("task", task))

    async def tasks(self, agreement: bytes) -> tuple[bytes, ...]:
        """Returns the ids, in no certain order."""
        return tuple(bytes(each) for each in await self._read_one("tasks", agreement))

    async def named(self, agreement: bytes, name: str) -> bytes:
        """Returns the task that has this name, or whose outcome has; else 32 zero bytes."""
        return bytes(await self._read_one("named", agreement, name))

    async def taskrunner(self, taskrunner: bytes) -> Runner:
        return from_abi(Runner, await self._read_one("taskrunner", taskrunner))

    async def taskrunners(self, agreement: bytes) -> tuple[bytes, ...]:
        """Returns the ids in order of creation."""
        return tuple(bytes(each) for each in await self._read_one("taskrunners", agreement))

    async def agents(self, taskrunner: bytes) -> tuple[Agent, ...]:
        """Returns them in order of their first enrollment."""
        listed = await self._read_one("agents", taskrunner)
        return tuple(from_abi(Agent, each) for each in listed)

    async def agent(self, taskrunner: bytes, registration: int) -> Agent:
        return from_abi(Agent, await self._read_one("agent", taskrunner, registration))
