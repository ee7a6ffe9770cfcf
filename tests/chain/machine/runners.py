"""The model of taskrunners: agents that come and go, and the assignment that they are at."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.taskrunner import Mode, State, Status
from tests.chain.machine.errands import Errand, Order, Report
from tests.chain.machine.membership import Membership
from tests.chain.machine.refusal import Refused


@dataclass(slots=True)
class Runner:
    """One taskrunner; what an act returns is whether it made the task's outcome."""

    agents: dict[int, bool] = field(default_factory=dict)  # registration: still enrolled
    errand: Errand | None = None

    @property
    def enrolled(self) -> set[int]:
        return {each for each, there in self.agents.items() if there}

    def enroll(self, who: Membership, registration: int, itself: bool) -> None:
        if registration in self.enrolled:
            raise Refused("Taskrunner_AlreadyEnrolled", registration=registration)
        _check_member(who, registration)
        _check_key(registration, itself)
        self.agents[registration] = True

    def withdraw(self, who: Membership, now: int, registration: int, itself: bool) -> bool:
        """What it has not completed, it failed."""
        if registration not in self.enrolled:
            raise Refused("Taskrunner_NotEnrolled", registration=registration)
        if who.belongs(registration, who.changes):
            _check_key(registration, itself)
        self.agents[registration] = False
        errand = self.errand
        if errand is None:
            return False
        errand.tick(now)
        said = errand.reports.get(registration)
        unfinished = said is None or said.status == Status.ACTIVE
        if errand.state != State.IDLE and unfinished and registration in errand.parts:
            errand.reports[registration] = Report(Status.FAILED, now, bytes(32))
        elif said is None and registration not in errand.invited:
            errand.parts.discard(registration)
        return errand.judge(now)

    def begin(self, who: Membership, now: int, order: Order) -> None:
        errand = self.errand
        if errand is not None:
            errand.tick(now)
            if errand.state == State.RUNNING:
                self._extend(who, errand, order)
                return
            if errand.state != State.IDLE:
                raise Refused("Taskrunner_WrongState", state=errand.state)
        places = order.peers if order.mode == Mode.PEERS else 0
        peers = {Mode.PEERS: places, Mode.ALL: len(self.enrolled), Mode.TARGET: 1}[order.mode]
        needed = order.needed or peers
        if not order.fits or not peers or needed > peers:
            raise Refused("Taskrunner_BadPeers", peers=order.peers, needed=order.needed)
        invited = {self._target(who, order)} if order.mode == Mode.TARGET else set()
        parts = self.enrolled if order.mode == Mode.ALL else set(invited)
        number = errand.number + 1 if errand else 1
        self.errand = Errand(
            number, order, now, peers, places, needed, order.ends_at, parts, invited
        )

    def _extend(self, who: Membership, errand: Errand, order: Order) -> None:
        """One target more, of what the same party has running."""
        if order.mode != Mode.TARGET or order.party != errand.order.party:
            raise Refused("Taskrunner_StillRunning", ends_at=errand.ends_at)
        if order.task != errand.order.task:
            raise Refused("Taskrunner_OtherTask")
        if order.target in errand.parts:
            raise Refused("Taskrunner_AlreadyAPeer", registration=order.target)
        if not order.fits:
            raise Refused("Taskrunner_BadPeers", peers=order.peers, needed=order.needed)
        target = self._target(who, order)
        errand.parts.add(target)
        errand.invited.add(target)
        errand.peers += 1
        errand.needed += 1
        errand.ends_at = max(errand.ends_at, order.ends_at)

    def _target(self, who: Membership, order: Order) -> int:
        if order.target not in self.enrolled:
            raise Refused("Taskrunner_NotEnrolled", registration=order.target)
        _check_member(who, order.target)
        return order.target

    def report(
        self, who: Membership, registration: int, number: int, said: Report, itself: bool
    ) -> bool:
        errand = self.errand
        if errand:
            errand.tick(said.at)
        if errand is None or errand.state == State.IDLE:
            raise Refused("Taskrunner_WrongState", state=State.IDLE)
        if number != errand.number:
            raise Refused("Taskrunner_WrongNumber", expected=errand.number, got=number)
        if said.status == Status.NONE:
            raise Refused("Taskrunner_BadStatus", status=Status.NONE)
        if registration not in self.enrolled:
            raise Refused("Taskrunner_NotEnrolled", registration=registration)
        _check_member(who, registration)
        _check_key(registration, itself)
        before = errand.reports.get(registration)
        if registration not in errand.parts:
            if errand.state != State.RUNNING or not errand.places:
                raise Refused("Taskrunner_NoPlace", registration=registration)
            errand.places -= 1
            errand.parts.add(registration)
        elif before and before.status != Status.ACTIVE:
            raise Refused(
                "Taskrunner_AlreadyReported", registration=registration, status=before.status
            )
        errand.reports[registration] = said
        return errand.judge(said.at)

    def expire(self, now: int) -> None:
        errand = self.errand
        if errand is None or errand.state != State.RUNNING:
            state = errand.state if errand else State.IDLE
            raise Refused("Taskrunner_WrongState", state=state)
        if not errand.late(now):
            raise Refused("Taskrunner_StillRunning", ends_at=errand.ends_at)
        errand.tick(now)

    def to_reset(self, now: int, party: int, number: int) -> Errand:
        errand = self.errand
        if errand:
            errand.tick(now)
        if errand is None or errand.state == State.IDLE:
            raise Refused("Taskrunner_WrongState", state=State.IDLE)
        if number != errand.number:
            raise Refused("Taskrunner_WrongNumber", expected=errand.number, got=number)
        if errand.state == State.RUNNING and party != errand.order.party:
            raise Refused("Taskrunner_StillRunning", ends_at=errand.ends_at)
        return errand


def _check_member(who: Membership, registration: int) -> None:
    if not who.belongs(registration, who.changes):
        raise Refused("Taskrunner_NotAMember", registration=registration)


def _check_key(registration: int, itself: bool) -> None:
    if not itself:
        raise Refused("Taskrunner_NotTheKey", registration=registration)
