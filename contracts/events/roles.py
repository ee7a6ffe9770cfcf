"""Who may mint and publish, and what was published: Roles, Registry."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLabel(Event):
    role_id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGranted(Event):
    role_id: int
    account: str
    delay: int  # [s]
    since: int  # [unix s]
    new_member: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRevoked(Event):
    role_id: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAdminChanged(Event):
    role_id: int
    admin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGuardianChanged(Event):
    role_id: int
    guardian: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrantDelayChanged(Event):
    role_id: int
    delay: int  # [s]
    since: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetClosed(Event):
    target: str
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFunctionRoleUpdated(Event):
    target: str
    selector: bytes
    role_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAdminDelayUpdated(Event):
    target: str
    delay: int  # [s]
    since: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationScheduled(Event):
    """A call was announced; it can be made from `schedule` on."""

    operation_id: bytes
    nonce: int
    schedule: int  # [unix s] from when on it can be done
    caller: str
    target: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationExecuted(Event):
    operation_id: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCanceled(Event):
    operation_id: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityUpdated(Event):
    """A contract asks another manager of roles."""

    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPublished(Event):
    index: int
    name: str
    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRetired(Event):
    index: int
    reason: str
