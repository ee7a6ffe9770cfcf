"""The model of an assignment: what a party asks for, and what its peers say of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.taskrunner import Mode, State, Status
from tests.chain.machine.refusal import Refused

LONGEST_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Order:
    """An assignment as a party asks for it."""

    party: int
    task: str
    body: bytes
    mode: Mode
    peers: int
    needed: int
    target: int
    ends_at: int  # [unix s]

    def check_end(self, now: int, not_after: int) -> None:
        latest = min(now + LONGEST_S, not_after)
        if not now < self.ends_at <= latest:
            raise Refused("Taskrunner_BadEnd", ends_at=self.ends_at, latest=latest)

    @property
    def fits(self) -> bool:
        """Whether it says what its mode needs, and no more."""
        if self.mode == Mode.TARGET:
            return not self.peers and self.needed <= 1
        return not self.target and (self.mode == Mode.PEERS or not self.peers)


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent said last."""

    status: Status
    at: int  # [unix s]
    description: bytes


@dataclass(slots=True)
class Errand:
    """An assignment; its peers are `parts`, and whoever still takes one of the `places`."""

    number: int
    order: Order
    assigned_at: int
    peers: int
    places: int
    needed: int
    ends_at: int
    parts: set[int]  # registrations
    invited: set[int]  # those of them that are targets
    reports: dict[int, Report] = field(default_factory=dict)
    state: State = State.RUNNING
    ended_at: int = 0

    def count(self, status: Status) -> int:
        return sum(each.status == status for each in self.reports.values())

    def late(self, now: int) -> bool:
        """Whether its time has passed before it came to an end."""
        return self.state == State.RUNNING and now > self.ends_at

    def seen(self, now: int) -> tuple[State, int]:
        """State and end, as they are shown: time needs no transaction."""
        return (State.ERROR, self.ends_at) if self.late(now) else (self.state, self.ended_at)

    def tick(self, now: int) -> None:
        self.state, self.ended_at = self.seen(now)

    def free(self, now: int) -> None:
        if self.state == State.RUNNING:
            self.ended_at = now
        self.state = State.IDLE

    def judge(self, now: int) -> bool:
        """Whether enough peers have just completed it; too few that still could: an error."""
        if self.state != State.RUNNING:
            return False
        if self.count(Status.COMPLETED) >= self.needed:
            self.state, self.ended_at = State.COMPLETE, now
            return True
        if self.peers - self.count(Status.FAILED) < self.needed:
            self.state, self.ended_at = State.ERROR, now
        return False
