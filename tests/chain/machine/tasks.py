"""The model of tasks: who writes them, when they are final, what they need and make."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from contracts.taskrunner import Change
from tests.chain.machine.errands import Order, Report
from tests.chain.machine.membership import Membership
from tests.chain.machine.refusal import Refused
from tests.chain.machine.runners import Runner

NO_BODY = bytes(32)


@dataclass(slots=True)
class Task:
    """What is to be done, known by its name and by that of what it makes."""

    author: int
    kind: int
    name: str
    prerequisite: str
    outcome: str
    body: bytes
    final: bool = False
    done_at: int = 0  # [unix s] since when its outcome exists


@dataclass(slots=True)
class Board:
    """The Taskrunner, as far as one agreement knows it. `by` is the wallet that signs."""

    tasks: dict[str, Task] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    nonces: Counter[int] = field(default_factory=Counter)

    def named(self, name: str) -> Task | None:
        """The task of that name, or the one that makes what is called so."""
        made = (each for each in self.tasks.values() if each.outcome == name)
        return self.tasks.get(name) or next(made, None)

    def create(self, who: Membership, now: int, task: Task, by: str, nonce: int) -> None:
        for name in (task.name, task.outcome):
            if self.named(name):
                raise Refused("Taskrunner_NameTaken", name=name)
        self._spend(who, now, task.author, by, nonce)
        self.tasks[task.name] = task

    def change(
        self, who: Membership, now: int, party: int, name: str, change: Change, body: bytes, by: str
    ) -> None:
        task = self._task(name)
        if task.final:
            raise Refused("Taskrunner_IsFinal")
        orphaned = change == Change.DELETE and task.author in who.out
        if party != task.author and not orphaned:
            raise Refused("Taskrunner_NotTheAuthor", author=task.author, party=party)
        if change != Change.SET_BODY and body != task.body:
            raise Refused("Taskrunner_WrongBody", expected=task.body, got=body)
        if change != Change.DELETE and body == NO_BODY:
            raise Refused("Taskrunner_NoBody")
        self._spend(who, now, party, by, self.nonces[party])
        if change == Change.SET_BODY:
            task.body = body
        elif change == Change.FINALIZE:
            task.final = True
        else:
            del self.tasks[name]

    def create_runner(self, who: Membership, now: int, party: int, name: str, by: str) -> None:
        if name in self.runners:
            raise Refused("Taskrunner_NameTaken", name=name)
        self._spend(who, now, party, by, self.nonces[party])
        self.runners[name] = Runner()

    def assign(self, who: Membership, now: int, name: str, order: Order, by: str) -> None:
        runner = self.runner(name)
        task = self._task(order.task)
        if not task.final:
            raise Refused("Taskrunner_NotFinal")
        if order.body != task.body:
            raise Refused("Taskrunner_WrongBody", expected=task.body, got=order.body)
        if task.prerequisite:
            before = self.named(task.prerequisite)
            if before is None or not before.done_at:
                raise Refused("Taskrunner_PrerequisiteMissing", prerequisite=task.prerequisite)
        if not who.in_force(now):
            raise Refused("Taskrunner_NotInForce")
        order.check_end(now, who.signed.not_after)
        self._spend(who, now, order.party, by, self.nonces[order.party])
        runner.begin(who, now, order)

    def reset(self, who: Membership, now: int, party: int, name: str, number: int, by: str) -> None:
        runner = self.runner(name)
        errand = runner.to_reset(now, party, number)
        self._spend(who, now, party, by, self.nonces[party])
        errand.free(now)

    def withdraw(
        self, who: Membership, now: int, name: str, registration: int, itself: bool
    ) -> None:
        runner = self.runner(name)
        if runner.withdraw(who, now, registration, itself):
            self._done(now, runner)

    def report(
        self,
        who: Membership,
        name: str,
        registration: int,
        number: int,
        said: Report,
        itself: bool,
    ) -> None:
        runner = self.runner(name)
        if runner.report(who, registration, number, said, itself):
            self._done(said.at, runner)

    def runner(self, name: str) -> Runner:
        if name not in self.runners:
            raise Refused("Taskrunner_UnknownTaskrunner")
        return self.runners[name]

    def _done(self, now: int, runner: Runner) -> None:
        """The first time that a task is completed, what it makes comes to exist."""
        assert runner.errand
        task = self.tasks[runner.errand.order.task]
        task.done_at = task.done_at or now

    def _task(self, name: str) -> Task:
        if name not in self.tasks:
            raise Refused("Taskrunner_UnknownTask")
        return self.tasks[name]

    def _spend(self, who: Membership, now: int, party: int, by: str, nonce: int) -> None:
        """Takes a message of a party that is in, once."""
        expected = self.nonces[party]
        if nonce != expected:
            raise Refused("Taskrunner_WrongNonce", expected=expected, got=nonce)
        if party in who.out:
            raise Refused("Taskrunner_PartyIsOut", party=party)
        who.wallets.check(now, party, by, "Taskrunner_NotTheParty")
        self.nonces[party] += 1
