"""Tasks that need each other's outcomes, and the taskrunners that have them done."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.taskrunner import Change, Kind, Mode, State, Status
from tests.chain.machine.deeds.choices import Choices, deed
from tests.chain.machine.errands import Order
from tests.chain.machine.stage import STEP_S
from tests.chain.machine.tasks import NO_BODY, Task

# Few names, so that they meet.
TASKS = ("task-0", "task-1", "task-2")
RUNNERS = ("runner-0", "runner-1")
SOON_S, LATE_S = 500, 40 * 86_400
SOME = 20  # acts of a session before somebody leaves


class TaskDeeds(Choices):
    """Written by one party, assigned by another, done by the nodes of all."""

    def body(self, data: st.DataObject) -> bytes:
        return data.draw(st.sampled_from((b"\x01" * 32, b"\x02" * 32, NO_BODY)), "body")

    @deed(often=2)
    def write_a_task(self, data: st.DataObject) -> None:
        """Created, or gone on with: a body is set, it becomes final, it is deleted before that."""
        name = data.draw(st.sampled_from(TASKS), "task")
        task = self.acts.world.board.tasks.get(name)
        if task is None or self.seldom(data, "once more", 8):
            outcome = f"made-{data.draw(st.integers(0, 3), 'outcome')}"
            names = ("", "", *TASKS, "made-0", "made-1")
            prerequisite = data.draw(st.sampled_from(names), "prerequisite")
            kind, author = data.draw(st.sampled_from(Kind), "kind"), self.party(data)
            task = Task(author, int(kind), name, prerequisite, outcome, self.body(data))
            if not self.do(self.acts.create_task(task, int(self.seldom(data, "ahead", 5)))):
                return
        for change in data.draw(st.lists(st.sampled_from(Change), max_size=3), "changes"):
            self.change(data, name, change)

    def change(self, data: st.DataObject, name: str, change: Change) -> None:
        task = self.acts.world.board.tasks.get(name)
        if task is None:
            self.do(self.acts.change_task(self.party(data), name, change, NO_BODY))
            return
        party = self.party(data) if self.seldom(data, "somebody else", 4) else task.author
        mine = change == Change.SET_BODY or self.seldom(data, "another body", 6)
        body = self.body(data) if mine else task.body
        self.do(self.acts.change_task(party, name, change, body))

    @deed(when=lambda self: self.done > SOME)
    def leave_a_task(self, data: st.DataObject) -> None:
        """Its author goes, and so somebody else may delete it, which before he may not."""
        name, party = data.draw(st.sampled_from(TASKS), "task"), self.party(data)
        task = self.acts.world.board.tasks.get(name)
        if task is None:
            task = Task(party, 0, name, "", f"made-{name[-1]}", NO_BODY)
            self.do(self.acts.create_task(task))
        other = next((each for each in self.acts.world.who.members if each != task.author), 0)
        if self.seldom(data, "too early", 3):
            self.do(self.acts.change_task(other, name, Change.DELETE, task.body))
        self.do(self.acts.leave(task.author))
        self.do(self.acts.change_task(other, name, Change.DELETE, task.body))

    @deed()
    def gather(self, data: st.DataObject) -> None:
        """Nodes become agents of a taskrunner, or leave it."""
        name = data.draw(st.sampled_from(RUNNERS), "runner")
        self.make_runner(data, name)
        for registration in data.draw(st.lists(self.registrations(), max_size=3), "agents"):
            itself = not self.seldom(data, "by somebody else", 4)
            runner = self.acts.world.board.runners.get(name)
            if runner and registration in runner.enrolled and data.draw(st.booleans(), "goes"):
                self.do(self.acts.withdraw_agent(name, registration, itself))
            else:
                self.do(self.acts.enroll_agent(name, registration, itself))
        if self.seldom(data, "goes who is not there", 6):
            self.do(self.acts.withdraw_agent(name, self.registration(data)))

    @deed(often=5)
    def have_it_done(self, data: st.DataObject) -> None:
        """Assigns a task, and plays what its peers do about it."""
        name = data.draw(st.sampled_from(RUNNERS), "runner")
        self.make_runner(data, name)
        errand = self.acts.world.board.runners[name].errand if self.known(name) else None
        over = errand and errand.state not in (State.IDLE, State.RUNNING)
        if errand and over and not self.seldom(data, "not free", 6):
            self.do(self.acts.reset(self.party(data), name, errand.number))
        if not self.do(self.acts.assign(name, self.order(data, name))):
            return
        errand = self.acts.world.board.runners[name].errand
        meanwhile = data.draw(st.integers(0, 9), "meanwhile")
        if errand and errand.order.mode == Mode.ALL and meanwhile < 4:
            self.come(data, name)
        if meanwhile < 2:
            self.do(self.acts.assign(name, self.further(data, name)))
        elif meanwhile == 2:
            self.do(self.acts.assign(name, self.order(data, name)))
        elif meanwhile == 3:
            self.free(data, name)
        elif meanwhile < 6:
            self.go(data, name)
        elif meanwhile < 8:
            self.do(self.acts.wait(SOON_S + 1))
            if data.draw(st.booleans(), "end it"):
                self.do(self.acts.expire(name))
        for _ in range(data.draw(st.integers(2, 6), "reports")):
            self.report(data, name)

    @deed(when=lambda self: any(each.errand for each in self.acts.world.board.runners.values()))
    def agents_report(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(RUNNERS), "runner")
        if not self.known(name) and not self.seldom(data, "unknown", 6):
            name = RUNNERS[0]
        for _ in range(data.draw(st.integers(1, 3), "reports")):
            self.report(data, name)
        if self.seldom(data, "ends it", 3):
            self.do(self.acts.expire(name))
        self.free(data, name)

    def known(self, name: str) -> bool:
        return name in self.acts.world.board.runners

    def make_runner(self, data: st.DataObject, name: str) -> None:
        """Makes one with a few agents, where there is none; seldom once more."""
        made = self.known(name)
        if made and not self.seldom(data, "once more", 8):
            return
        if self.do(self.acts.create_runner(self.party(data), name)):
            members = self.members(self.acts.world.who.changes)
            for registration in members[: data.draw(st.integers(1, 4), "how many")]:
                self.do(self.acts.enroll_agent(name, registration))

    def registrations(self) -> st.SearchStrategy[int]:
        return st.integers(0, len(self.acts.world.who.nodes) - 1)

    def a_task(self, data: st.DataObject) -> Task:
        """Mostly one that can be assigned; written by the book where there is none."""
        board = self.acts.world.board
        name = data.draw(st.sampled_from((*TASKS, TASKS[1])), "task")
        if name not in board.tasks and not self.seldom(data, "unknown", 8):
            before = [each for each, task in board.tasks.items() if task.done_at]
            prerequisite = before[0] if before else ""
            if self.seldom(data, "what is not there", 5):
                prerequisite = "made-3"
            task = Task(0, 0, name, prerequisite, f"made-{name[-1]}", b"\x03" * 32)
            self.do(self.acts.create_task(task))
        task_ = self.acts.world.board.tasks.get(name)
        if task_ is None:
            return Task(0, 0, name, "", "", NO_BODY)
        if not task_.final and not self.seldom(data, "not final", 6):
            body = task_.body
            if body == NO_BODY:
                body = b"\x03" * 32
                self.do(self.acts.change_task(task_.author, name, Change.SET_BODY, body))
            self.do(self.acts.change_task(task_.author, name, Change.FINALIZE, body))
        return self.acts.world.board.tasks[name]

    def order(self, data: st.DataObject, name: str) -> Order:
        """What is asked of a taskrunner."""
        runner = self.acts.world.board.runners.get(name)
        task, party = self.a_task(data), self.party(data)
        body = self.body(data) if self.seldom(data, "another body", 12) else task.body
        mode = data.draw(st.sampled_from(Mode), "mode")
        peers = data.draw(st.integers(1, 3), "peers") if mode == Mode.PEERS else 0
        needed = 0 if mode == Mode.TARGET else data.draw(st.integers(0, 2), "needed")
        if self.seldom(data, "too many needed", 10):
            needed += 5
        agents = sorted(runner.enrolled) if runner else []
        target = self.target(data, agents) if mode == Mode.TARGET else 0
        lasts = data.draw(st.sampled_from((*(SOON_S,) * 9, LATE_S)), "lasts")
        ends_at = self.acts.world.now + STEP_S + lasts
        return Order(party, task.name, body, mode, peers, needed, target, ends_at)

    def further(self, data: st.DataObject, name: str) -> Order:
        """One target more for what is running there."""
        runner = self.acts.world.board.runners[name]
        errand = runner.errand
        assert errand
        party, task = errand.order.party, self.acts.world.board.tasks[errand.order.task]
        if self.seldom(data, "somebody else", 5):
            party = self.party(data)
        elif self.seldom(data, "another task", 3):
            task = self.a_task(data)
        idle = sorted(runner.enrolled - errand.parts)
        if self.seldom(data, "who is a peer already", 4):
            idle = sorted(errand.parts)
        ends_at = errand.ends_at + data.draw(st.integers(0, 1), "longer")
        target = self.target(data, idle or sorted(runner.enrolled))
        return Order(party, task.name, task.body, Mode.TARGET, 0, 0, target, ends_at)

    def target(self, data: st.DataObject, agents: list[int]) -> int:
        if agents and not self.seldom(data, "who is no agent", 6):
            return data.draw(st.sampled_from(agents), "target")
        return self.registration(data)

    def report(self, data: st.DataObject, name: str) -> None:
        """Mostly by an agent, about the last assignment."""
        runner = self.acts.world.board.runners.get(name)
        agents = sorted(runner.enrolled) if runner else []
        errand = runner.errand if runner else None
        if errand and not self.seldom(data, "once more", 5):
            silent = [e for e in agents if e not in errand.reports]
            placed = [e for e in silent if e in errand.parts]
            agents = placed or silent or agents
        if agents and not self.seldom(data, "any node", 10):
            registration = data.draw(st.sampled_from(agents), "agent")
        else:
            registration = self.registration(data)
        number = errand.number if errand else 1
        number += self.seldom(data, "another assignment", 15)
        chosen = (Status.ACTIVE, *(Status.COMPLETED,) * 7, *(Status.FAILED,) * 3, Status.NONE)
        status = data.draw(st.sampled_from(chosen), "status")
        itself = not self.seldom(data, "by somebody else", 15)
        self.do(self.acts.report(name, registration, number, status, itself))

    def come(self, data: st.DataObject, name: str) -> None:
        """A node that is not there yet becomes an agent in the middle."""
        there = self.acts.world.board.runners[name].enrolled
        others = [each for each in self.members(self.acts.world.who.changes) if each not in there]
        if others:
            registration = data.draw(st.sampled_from(others), "agent")
            self.do(self.acts.enroll_agent(name, registration))
            self.do(self.acts.report(name, registration, 1, Status.COMPLETED))

    def go(self, data: st.DataObject, name: str) -> None:
        """An agent leaves in the middle; or its node does, and somebody else takes it off."""
        agents = sorted(self.acts.world.board.runners[name].enrolled)
        if not agents:
            return
        registration = data.draw(st.sampled_from(agents), "agent")
        itself = data.draw(st.booleans(), "by itself")
        if not itself and not self.seldom(data, "still there", 4):
            self.do(self.acts.retire(registration))
        if self.seldom(data, "reports without a node", 3):
            self.do(self.acts.report(name, registration, 1, Status.COMPLETED))
        self.do(self.acts.withdraw_agent(name, registration, itself))

    def free(self, data: st.DataObject, name: str) -> None:
        runner = self.acts.world.board.runners.get(name)
        errand = runner.errand if runner else None
        number = errand.number if errand else 1
        own = errand and not self.seldom(data, "somebody else", 4)
        party = errand.order.party if errand and own else None
        number += self.seldom(data, "another assignment", 8)
        self.do(self.acts.reset(self.party(data) if party is None else party, name, number))
