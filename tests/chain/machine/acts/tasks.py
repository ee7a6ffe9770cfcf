"""Tasks and taskrunners: to the contracts and the model at once; who signs is decided here."""

from __future__ import annotations

from contracts import messages as m
from contracts.keys import Signer
from contracts.taskrunner import Change, Status, Taskrunner
from tests.chain.machine.errands import Order, Report
from tests.chain.machine.stage import ALWAYS, STEP_S, Stage, key, named_id
from tests.chain.machine.tasks import Task


class TaskActs(Stage):
    """What organizations sign, and what the keys of nodes post."""

    @property
    def taskrunner(self) -> Taskrunner:
        return self.contracts.taskrunner

    def _nonce(self, party: int) -> int:
        return self.world.board.nonces[party]

    async def create_task(self, task: Task, ahead: int = 0) -> bool:
        party, nonce = task.author, self._nonce(task.author) + ahead
        asked = m.TaskRequest(
            self.world.id, party, task.kind, task.name, task.prerequisite, task.outcome,
            task.body, nonce, ALWAYS,
        )  # fmt: skip
        signature, by = self.signed(self.taskrunner.domain, asked, party), self.wallet(party)
        return await self.step(
            "create task",
            lambda trial: trial.board.create(trial.who, trial.now, task, by, nonce),
            lambda: self.taskrunner.create_task(asked, signature, signer=self.poster),
        )

    async def change_task(self, party: int, name: str, change: Change, body: bytes) -> bool:
        asked = m.TaskChange(
            self.world.id, party, name, int(change), body, self._nonce(party), ALWAYS
        )
        signature, by = self.signed(self.taskrunner.domain, asked, party), self.wallet(party)
        return await self.step(
            f"{change.name.lower().replace('_', ' ')} of a task",
            lambda trial: trial.board.change(trial.who, trial.now, party, name, change, body, by),
            lambda: self.taskrunner.change_task(asked, signature, signer=self.poster),
        )

    async def create_runner(self, party: int, name: str) -> bool:
        asked = m.TaskrunnerRequest(self.world.id, party, name, self._nonce(party), ALWAYS)
        signature, by = self.signed(self.taskrunner.domain, asked, party), self.wallet(party)
        return await self.step(
            "create taskrunner",
            lambda trial: trial.board.create_runner(trial.who, trial.now, party, name, by),
            lambda: self.taskrunner.create_taskrunner(asked, signature, signer=self.poster),
        )

    async def assign(self, name: str, order: Order) -> bool:
        party = order.party
        asked = m.Assignment(
            self.world.id, party, name, order.task, order.body, int(order.mode), order.peers,
            order.needed, order.target, order.ends_at, self._nonce(party), ALWAYS,
        )  # fmt: skip
        signature, by = self.signed(self.taskrunner.domain, asked, party), self.wallet(party)
        return await self.step(
            f"assign to {order.mode.name.lower()}",
            lambda trial: trial.board.assign(trial.who, trial.now, name, order, by),
            lambda: self.taskrunner.assign(asked, signature, signer=self.poster),
        )

    async def reset(self, party: int, name: str, number: int) -> bool:
        asked = m.ResetRequest(self.world.id, party, name, number, self._nonce(party), ALWAYS)
        signature, by = self.signed(self.taskrunner.domain, asked, party), self.wallet(party)
        return await self.step(
            "reset taskrunner",
            lambda trial: trial.board.reset(trial.who, trial.now, party, name, number, by),
            lambda: self.taskrunner.reset(asked, signature, signer=self.poster),
        )

    async def enroll_agent(self, name: str, registration: int, itself: bool = True) -> bool:
        runner_id, signer = named_id(self.world.id, name), self._agent(registration, itself)
        return await self.step(
            "enroll agent",
            lambda trial: trial.board.runner(name).enroll(trial.who, registration, itself),
            lambda: self.taskrunner.enroll(runner_id, registration, signer=signer),
        )

    async def withdraw_agent(self, name: str, registration: int, itself: bool = True) -> bool:
        runner_id, signer = named_id(self.world.id, name), self._agent(registration, itself)
        return await self.step(
            "withdraw agent" if itself else "take off agent",
            lambda trial: trial.board.withdraw(trial.who, trial.now, name, registration, itself),
            lambda: self.taskrunner.withdraw(runner_id, registration, signer=signer),
        )

    async def report(
        self, name: str, registration: int, number: int, status: Status, itself: bool = True
    ) -> bool:
        runner_id, signer = named_id(self.world.id, name), self._agent(registration, itself)
        said = Report(status, self.world.now + STEP_S, bytes([number, registration]) * 16)
        return await self.step(
            "report",
            lambda trial: trial.board.report(trial.who, name, registration, number, said, itself),
            lambda: self.taskrunner.report(
                runner_id, number, registration, status, said.description, signer=signer
            ),
        )

    async def expire(self, name: str) -> bool:
        runner_id = named_id(self.world.id, name)
        return await self.step(
            "expire",
            lambda trial: trial.board.runner(name).expire(trial.now),
            lambda: self.taskrunner.expire(runner_id, signer=self.poster),
        )

    def _agent(self, registration: int, itself: bool) -> Signer:
        return key("node", self.world.who.nodes[registration].key) if itself else self.poster
