"""Runs and their rounds: deeds that play them by the book, and deeds that do not."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from contracts.training import State
from metering.split.rows import equal_row
from tests.chain.machine.deeds.book import BEFORE_E9, NOT_FINITE, UNAVAILABLE, ByTheBook
from tests.chain.machine.deeds.choices import SOME_LOSSES_E9, deed
from tests.chain.machine.local import LocalRun
from tests.chain.machine.runs import LOCAL, Measured, Seal

MOST_RUNS = 3  # of one session: all of them are compared after each step
STALL_S = 700


class RoundDeeds(ByTheBook):
    """A run's life; the losses are drawn, so it may end at any round."""

    @deed(when=lambda self: len(self.acts.world.runs) < MOST_RUNS)
    def create_run(self, data: st.DataObject) -> None:
        """Starts anew under a name that is known, or beside it; both are played, and paid out."""
        name = data.draw(st.sampled_from(("first", "second")), "name")
        ahead = self.seldom(data, "ahead", 4)
        generation = len(self.acts.world.named.get(name, ())) + 1 + ahead
        party = self.party(data)
        if not self.do(self.acts.create_run(party, name, generation)):
            return
        runs = tuple(self.acts.world.runs)
        self.do(self.acts.fund(runs[-1], 10**9 + 7))
        if data.draw(st.booleans(), "play"):
            for run_id, loss_e9 in itertools.product(runs, (BEFORE_E9, SOME_LOSSES_E9[1])):
                if self.acts.world.runs[run_id].state == State.OPEN:
                    self.play_one(data, run_id, loss_e9)
            self.do(self.acts.claim(False, party, runs))

    @deed()
    def fund(self, data: st.DataObject) -> None:
        amount_wei = data.draw(st.sampled_from((10**9 + 7, 1)), "wei")
        self.do(self.acts.fund(self.pick_run(data, State.OPEN), amount_wei))

    @deed(often=4)
    def seal(self, data: st.DataObject) -> None:
        run_id = self.pick_run(data, State.OPEN)
        for _ in range(data.draw(st.integers(1, 2), "times")):
            self.seal_one(data, run_id)

    def seal_one(self, data: st.DataObject, run_id: bytes) -> None:
        run = self.acts.world.runs[run_id]
        kind = data.draw(st.integers(0, 15), "seal")
        round_ = run.round + (kind == 15)
        same_prev = kind != 14
        signers = self.signers(data, run)
        if (run.terms.metering == LOCAL) != (kind in (12, 13)):
            roster, late = sorted(run.active), {}
            if roster and self.seldom(data, "a smaller roster", 4):
                roster.pop()
            if isinstance(run, LocalRun) and data.draw(st.booleans(), "late"):
                late = self.late(data, run)
            rows = self.rows(data, run.round, roster, signers)
            self.do(self.acts.seal_local(run_id, round_, rows, late, same_prev))
            return
        rejected = data.draw(st.sampled_from((None, NOT_FINITE, None, UNAVAILABLE)), "rejected")
        rejects = ((self.registration(data), rejected),) if rejected else ()
        measured = self.measured(data, self.row(data, run))
        self.do(self.acts.seal(run_id, Seal(round_, same_prev, measured, rejects, signers)))

    @deed(often=2)
    def play(self, data: st.DataObject) -> None:
        """Plays rounds by the book, and where that ends a run, settles it and pays everybody."""
        run_id = self.open_run(data)
        for _ in range(data.draw(st.integers(1, 5), "rounds")):
            if self.acts.world.runs[run_id].state != State.OPEN:
                break
            self.play_one(data, run_id)
        waits = self.acts.world.runs[run_id].state == State.SETTLING
        if waits and not self.do(self.acts.settle(run_id)):  # too soon, where a row is missing
            self.do(self.acts.wait(STALL_S))
            self.do(self.acts.settle(run_id))
        if data.draw(st.booleans(), "pay out"):
            for party in self.acts.world.who.parties:
                self.do(self.acts.claim(False, party, tuple(self.acts.world.runs)))
            self.do(self.acts.refund(run_id))

    @deed()
    def play_without_gain(self, data: st.DataObject) -> None:
        run_id = self.open_run(data)
        for _ in range(4):
            if self.acts.world.runs[run_id].state == State.OPEN:
                self.play_one(data, run_id, BEFORE_E9)

    @deed(when=lambda self: any(e.terms.strikes for e in self.acts.world.runs.values()), often=2)
    def strike(self, data: st.DataObject) -> None:
        """Nodes are rejected round after round, until their organizations are in quarantine."""
        run_id = self.open_run(data)
        members = self.members(self.acts.world.runs[run_id].version)
        struck = members[: data.draw(st.integers(1, 3), "struck")]
        for _ in range(3):
            run = self.acts.world.runs[run_id]
            if run.state != State.OPEN:
                break
            row = equal_row(sorted(run.active)) if run.round else ()
            measured = Measured(0, data.draw(st.sampled_from(SOME_LOSSES_E9), "loss"), 3, row)
            rejects = tuple((each, NOT_FINITE) for each in struck)
            signers = self.members(run.version)
            self.do(self.acts.seal(run_id, Seal(run.round, True, measured, rejects, signers)))
        quarantined = self.acts.world.runs[run_id].quarantined
        if quarantined and data.draw(st.booleans(), "pardon"):
            self.do(self.acts.pardon(run_id, min(quarantined), self.voters(data)))
        elif quarantined:
            self.do(self.acts.wait(STALL_S))
            self.do(self.acts.reopen(run_id))

    @deed(when=lambda self: any(isinstance(e, LocalRun) for e in self.acts.world.runs.values()))
    def add_rows(self, data: st.DataObject) -> None:
        runs = self.acts.world.runs
        waiting = [e for e, run in runs.items() if isinstance(run, LocalRun) and run.book]
        run_id = waiting[0] if waiting else data.draw(st.sampled_from(list(runs)), "run")
        run = runs[run_id]
        assert isinstance(run, LocalRun)
        late = self.late(data, run)
        if not late:  # there is no round to say anything about
            late = self.rows(data, 0, (), self.members(run.version)[:1])
        if late:
            self.do(self.acts.add_rows(run_id, late))

    @deed()
    def settle(self, data: st.DataObject) -> None:
        self.do(self.acts.settle(self.pick_run(data, State.SETTLING)))

    @deed()
    def reopen(self, data: st.DataObject) -> None:
        if data.draw(st.booleans(), "stalled"):
            self.do(self.acts.wait(STALL_S))
        self.do(self.acts.reopen(self.pick_run(data, State.OPEN)))

    @deed()
    def pardon(self, data: st.DataObject) -> None:
        run_id = self.pick_run(data, State.OPEN)
        quarantined = sorted(self.acts.world.runs[run_id].quarantined)
        party = quarantined[0] if quarantined else self.party(data)
        self.do(self.acts.pardon(run_id, party, self.voters(data)))
