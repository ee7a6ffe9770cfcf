"""Tasks: Taskrunner."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(Event):
    task: bytes
    agreement: bytes
    author: int
    kind: int  # `contracts.taskrunner.Kind`
    name: str
    prerequisite: str
    outcome: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBodySet(Event):
    task: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinalized(Event):
    task: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeleted(Event):
    task: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeMade(Event):
    """A task was completed for the first time."""

    agreement: bytes
    task: bytes
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskrunnerCreated(Event):
    taskrunner: bytes
    agreement: bytes
    party: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEnrolled(Event):
    taskrunner: bytes
    registration: int
    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWithdrawn(Event):
    taskrunner: bytes
    registration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAssigned(Event):
    taskrunner: bytes
    number: int
    task: bytes
    party: int
    mode: int  # `contracts.taskrunner.Mode`
    peers: int
    needed: int
    ends_at: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTargeted(Event):
    """A registration was made a peer by name."""

    taskrunner: bytes
    number: int
    registration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReported(Event):
    taskrunner: bytes
    number: int
    registration: int
    status: int  # `contracts.taskrunner.Status`
    description: bytes  # BLAKE3


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded(Event):
    """An assignment is complete, or in error."""

    taskrunner: bytes
    number: int
    state: int  # `contracts.taskrunner.State`


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskrunnerReset(Event):
    taskrunner: bytes
    number: int
    party: int
