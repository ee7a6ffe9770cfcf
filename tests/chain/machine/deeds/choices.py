"""What there is to choose from: mostly what is allowed, sometimes what is not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from contracts.training import State
from metering.split.local import local_row
from metering.split.rows import Row, equal_row, metered_row
from tests.chain.machine.acts import Acts
from tests.chain.machine.local import NO_DATA, LocalRun
from tests.chain.machine.runs import EQUAL, Measured, Run
from tests.chain.machine.theater import Theater

T = TypeVar("T")
Deed = Callable[[Any, st.DataObject], None]
TARGET_E9 = 100_000_000
# Below the ceiling and above it, down and up again, and what cannot be divided.
SOME_LOSSES_E9 = (650_000_000, 500_000_001, 420_000_000, 300_000_001, 600_000_000, 800_000_000)
LOSSES_E9 = (*SOME_LOSSES_E9, TARGET_E9 - 1, TARGET_E9)
# No party, twice the same one, the wrong order: a row that any metering refuses.
BAD_ROWS: tuple[Row, ...] = (((0, 10_001),), ((9, 1),), ((1, 9), (0, 1)))


def deed(when: Callable[[Any], bool] = lambda _: True, often: int = 1) -> Callable[[Deed], Deed]:
    """Marks a method as something that sessions do: when it makes sense, so often for one time."""

    def mark(method: Deed) -> Deed:
        method.__dict__.update(when=when, often=often)
        return method

    return mark


class Choices(RuleBasedStateMachine):
    """A session on one agreement. The class variables are set by who runs it.

    Attributes:
        theater: where it is played.
        runner: of the loop that the theater lives in.
        variant: of the agreement.
        reached: counts what was done, refused and led to.
        acts: what can be done.
        done: how many acts there were: what ends everything has to wait.
    """

    theater: ClassVar[Theater]
    runner: ClassVar[asyncio.Runner]
    variant: ClassVar[str]
    reached: ClassVar[Counter[str]] = Counter()

    acts: Acts
    done: int = 0

    @initialize()
    def begin(self) -> None:
        self.acts = self.runner.run(self.theater.stage(self.variant))
        self.acts.reached = self.reached

    def do(self, act: Coroutine[Any, Any, T]) -> T:
        self.done += 1
        return self.runner.run(act)

    @staticmethod
    def seldom(data: st.DataObject, what: str, one_in: int) -> bool:
        return data.draw(st.integers(1, one_in), what) == one_in

    def pick_run(self, data: st.DataObject, *wanted: State) -> bytes:
        """A run in one of these states, where there is one; sometimes any."""
        runs = self.acts.world.runs
        fitting = [each for each, run in runs.items() if run.state in wanted]
        lax = not fitting or self.seldom(data, "any run", 8)
        return data.draw(st.sampled_from(list(runs) if lax else fitting), "run")

    def party(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(self.acts.world.who.parties), "party")

    def registration(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.acts.world.who.nodes) - 1), "registration")

    def members(self, version: int) -> tuple[int, ...]:
        """The registrations in a snapshot."""
        who = self.acts.world.who
        return tuple(each for each in range(len(who.nodes)) if who.belongs(each, version))

    def signers(self, data: st.DataObject, run: Run) -> tuple[int, ...]:
        """Registrations of the round's snapshot; all of them, mostly."""
        inside = self.members(run.version)
        kind = data.draw(st.integers(0, 7), "signers")
        if kind < 4 or not inside:
            return inside
        if kind < 6:  # one more would be a quorum, or just is
            return inside[: max(1, run.quorum - (kind == 4))]
        everybody = range(len(self.acts.world.who.nodes))
        if kind == 6:  # who is gone signs too
            return tuple(everybody)
        chosen: Sequence[int] = everybody if data.draw(st.booleans(), "any") else inside
        return tuple(sorted(data.draw(st.sets(st.sampled_from(chosen)), "some")))

    def voters(self, data: st.DataObject, but: int | None = None) -> tuple[int, ...]:
        who = self.acts.world.who
        kind = data.draw(st.integers(0, 7), "voters")
        if kind < 6:
            return tuple(each for each in who.members if each != but)
        if kind == 6:  # whoever has no vote votes too
            return tuple(who.parties)
        return tuple(sorted(data.draw(st.sets(st.sampled_from(who.parties)), "some")))

    def row(self, data: st.DataObject, run: Run) -> Row:
        """A row of one's own choice, or by the metering; in round 0, none."""
        kind = data.draw(st.integers(0, 11), "row")
        if kind == 11 or (kind == 10 and not run.round):
            return data.draw(st.sampled_from(BAD_ROWS), "bad row")
        if kind == 9:  # pays who may not be counted
            return equal_row(sorted(self.acts.world.who.parties))
        if not run.round or kind == 8 or not run.active:
            return ()
        roster = sorted(run.active)
        if run.terms.metering == EQUAL and kind > 2:
            return equal_row(roster)
        return metered_row({each: data.draw(st.integers(0, 9), "score") for each in roster})

    def measured(self, data: st.DataObject, row: Row) -> Measured:
        before, after = (data.draw(st.sampled_from(LOSSES_E9), "loss") for _ in range(2))
        return Measured(before, after, data.draw(st.integers(-3, 95), "metric"), row)

    def rows(
        self, data: st.DataObject, round_: int, roster: Sequence[int], signers: Sequence[int]
    ) -> dict[int, Measured]:
        """What these registrations say of the round under local metering."""
        rows = {}
        for each in signers:
            party = self.acts.world.who.nodes[each].party
            row: Row = ()
            if round_ and roster:
                own = party if party in roster else roster[0]
                scores = {p: float(data.draw(st.integers(0, 5), "score")) for p in roster}
                row = local_row(own, roster, scores)
                if self.seldom(data, "bad row", 8):
                    row = tuple((p, bips + 1) for p, bips in row)
                if party not in roster and not all(bips == 0 for _, bips in row[:1]):
                    row = tuple((p, 0) for p in roster)
            said = self.measured(data, row)
            if self.seldom(data, "no data", 10):
                said = Measured(said.loss_before, NO_DATA, said.metric, row)
            rows[each] = said
        return rows

    def late(self, data: st.DataObject, run: LocalRun) -> dict[int, Measured]:
        """Rows for the round that waits: of some that are missing, and some that are not."""
        if run.book is None:
            return {}
        who = self.acts.world.who
        members = self.members(run.book.version)
        missing = [each for each in members if who.nodes[each].party not in run.book.rows]
        chosen: Sequence[int] = missing if missing and data.draw(st.booleans(), "missing") else ()
        if self.seldom(data, "an outsider's row", 8):
            chosen = range(len(who.nodes))
        chosen = chosen or members
        signers = sorted(data.draw(st.sets(st.sampled_from(chosen), min_size=1), "late signers"))
        return self.rows(data, run.book.round, run.book.roster, signers)
