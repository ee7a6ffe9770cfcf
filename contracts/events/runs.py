"""Runs and rounds: Training and its clerk."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCreated(Event):
    run_id: bytes
    agreement: bytes
    name: str
    generation: int
    prev: bytes
    continues: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOpened(Event):
    """A round is open: a new one, or (right after `Reopened`) the same once more."""

    run_id: bytes
    round: int
    prev: bytes
    snapshot_version: int
    active: int  # set of parties; see `contracts.parties`


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(Event):
    """A round was recorded; `next` is the `prev` of the one it opened, zero if it was the last."""

    run_id: bytes
    round: int
    merged_root: bytes
    prev: bytes
    next: bytes
    term: int
    roster_root: bytes
    loss_before: int  # [1e-9]
    loss_after: int  # [1e-9]
    metric: int  # [1e-9]
    shares: bytes
    rejects: bytes
    signers: tuple[int, ...]  # registrations
    credited: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """Local metering: all rows of a round that will ever count are in."""

    run_id: bytes
    round: int
    gain: int  # [1e-9] of round 0: the median loss
    best: int  # [1e-9] highest sum of gains so far
    credited: int  # [wei]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounted(Event):
    """Local metering: this row counts for its organization."""

    run_id: bytes
    round: int
    party: int
    registration: int
    loss_before: int  # [1e-9]
    loss_after: int  # [1e-9]
    metric: int  # [1e-9]
    shares: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Event):
    run_id: bytes
    round: int
    prev: bytes
    snapshot_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck(Event):
    run_id: bytes
    round: int
    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined(Event):
    run_id: bytes
    party: int
    until: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pardoned(Event):
    run_id: bytes
    party: int
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """Local metering: no round follows, but the last is not settled yet."""

    run_id: bytes
    rounds: int
    ending: int  # `contracts.training.Ending`


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """A run is over, and its pool closed."""

    run_id: bytes
    rounds: int
    ending: int  # `contracts.training.Ending`
