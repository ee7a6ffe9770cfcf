"""A round by the book: all sign who are there, and who is there is drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.training import State
from metering.split.rows import equal_row, metered_row
from tests.chain.machine.deeds.choices import LOSSES_E9, Choices
from tests.chain.machine.local import NO_DATA, LocalRun
from tests.chain.machine.runs import Measured, Seal

NOT_FINITE, UNAVAILABLE = 4, 6  # why an update was rejected
BEFORE_E9 = 650_000_000


class ByTheBook(Choices):
    """For deeds that need a round to go on."""

    def open_run(self, data: st.DataObject) -> bytes:
        """A run that goes on; a new one, where there is none."""
        runs = self.acts.world.runs
        if not any(run.state == State.OPEN for run in runs.values()):
            name, known = "first", len(self.acts.world.named["first"])
            if self.do(self.acts.create_run(0, name, known + 1)):
                self.do(self.acts.fund([*self.acts.world.runs][-1], 10**9 + 7))
        return self.pick_run(data, State.OPEN)

    def play_one(
        self,
        data: st.DataObject,
        run_id: bytes,
        after_e9: int | None = None,
        everybody: bool = False,
    ) -> None:
        """Seals the open round, with this loss if one is given.

        `everybody`: who is gone signs too.
        """
        run = self.acts.world.runs[run_id]
        after = after_e9 or data.draw(st.sampled_from(LOSSES_E9), "loss")
        if isinstance(run, LocalRun):
            self._play_local(data, run_id, run, after, everybody)
            return
        signers = self._signers(run.version, everybody)
        void = not after_e9 and self.seldom(data, "void", 6)
        row = equal_row(sorted(run.active)) if run.round and not void else ()
        if not run.round and self.seldom(data, "pay for nothing", 6):
            row = equal_row(sorted(run.active))
        if row and self.seldom(data, "something for all", 4):  # counted or not
            row = equal_row(self.acts.world.who.parties)
        elif run.round and row and self.seldom(data, "more for one", 4):
            row = metered_row({party: party + 1.0 for party in run.active})
        struck = run.round and signers and self.seldom(data, "struck", 3)
        rejects = ((signers[-1], NOT_FINITE),) if struck else ()
        metric = 3 if after_e9 else data.draw(st.integers(0, 95), "metric")
        measured = Measured(BEFORE_E9, after, metric, row)
        self.do(self.acts.seal(run_id, Seal(run.round, True, measured, rejects, signers)))

    def _signers(self, version: int, everybody: bool) -> tuple[int, ...]:
        every = tuple(range(len(self.acts.world.who.nodes)))
        return every if everybody else self.members(version)

    def _play_local(
        self, data: st.DataObject, run_id: bytes, run: LocalRun, after: int, everybody: bool
    ) -> None:
        signers = self._signers(run.version, everybody)
        roster = sorted(run.active)
        if roster and self.seldom(data, "somebody has no part", 6):
            roster.pop()
        row = tuple((each, 0) for each in roster) if run.round else ()
        rows = dict.fromkeys(signers, Measured(BEFORE_E9, after, 0, row))
        absent = data.draw(st.integers(0, 4), "absent")
        if absent == 3 and signers:
            rows[signers[-1]] = Measured(BEFORE_E9, NO_DATA, 0, row)
        elif absent and signers and len(signers) == len(run.active):
            del rows[signers[-1]]
        late = self.late(data, run) if absent == 1 else {}
        sealed = self.do(self.acts.seal_local(run_id, run.round, rows, late))
        if sealed and row and absent == 2 and len(rows) < len(signers):
            self.do(self.acts.add_rows(run_id, {signers[-1]: Measured(9, 5, 0, row)}))
