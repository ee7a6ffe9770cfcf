"""The rules of the machine: what is tried, mostly what is allowed, sometimes what is not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from contracts.council import Action
from contracts.training import State
from metering.split.local import local_row
from metering.split.rows import Row, equal_row, metered_row
from tests.chain.machine.acts import Acts
from tests.chain.machine.local import NO_DATA, LocalRun
from tests.chain.machine.runs import EQUAL, LOCAL, Measured, Run, Seal
from tests.chain.machine.theater import STAKE_WEI, VARIANTS, Theater

T = TypeVar("T")
NAMES = ("first", "second")
MOST_RUNS = 3  # of one session: all of them are compared after each step
LOSSES_E9 = (650_000_000, 500_000_000, 300_000_001, 99_000_000, 800_000_000, 100_000_001)


class Machine(RuleBasedStateMachine):
    """A session on one agreement. `theater` and `runner` are set by who runs it."""

    theater: ClassVar[Theater]
    runner: ClassVar[asyncio.Runner]
    reached: ClassVar[Counter[str]] = Counter()

    acts: Acts

    @initialize(variant=st.sampled_from(sorted(VARIANTS)))
    def begin(self, variant: str) -> None:
        self.acts = self.do(self.theater.stage(variant))
        self.acts.reached = Machine.reached

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    # What there is to choose from.

    def pick_run(self, data: st.DataObject, *wanted: State) -> bytes:
        """A run in one of these states, where there is one; sometimes any."""
        runs = self.acts.world.runs
        fitting = [each for each, run in runs.items() if run.state in wanted]
        lax = not fitting or data.draw(st.integers(0, 7), "lax") == 7
        return data.draw(st.sampled_from(list(runs) if lax else fitting), "run")

    def party(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(self.acts.world.who.parties), "party")

    def registration(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.acts.world.who.nodes) - 1), "registration")

    def signers(self, data: st.DataObject, run: Run) -> tuple[int, ...]:
        """Registrations of the round's snapshot; all of them, mostly."""
        who = self.acts.world.who
        inside = [each for each in range(len(who.nodes)) if who.belongs(each, run.version)]
        kind = data.draw(st.integers(0, 7), "signers")
        if kind < 5 or not inside:
            return tuple(inside)
        chosen: Sequence[int] = range(len(who.nodes)) if kind == 7 else inside
        return tuple(sorted(data.draw(st.sets(st.sampled_from(chosen)), "some")))

    def voters(self, data: st.DataObject, but: int | None = None) -> tuple[int, ...]:
        who = self.acts.world.who
        if data.draw(st.integers(0, 5), "voters") < 5:
            return tuple(each for each in who.members if each != but)
        return tuple(sorted(data.draw(st.sets(st.sampled_from(who.parties)), "some")))

    def row(self, data: st.DataObject, run: Run) -> Row:
        """A row of one's own choice, or by the metering; in round 0, none."""
        kind = data.draw(st.integers(0, 9), "row")
        if kind == 9:
            return data.draw(st.sampled_from([((0, 10_001),), ((9, 1),), ((1, 9), (0, 1))]))
        if not run.round or kind == 8 or not run.active:
            return ()
        roster = sorted(run.active)
        if run.terms.metering == EQUAL:
            return equal_row(roster)
        return metered_row({each: data.draw(st.integers(0, 9)) for each in roster})

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
                scores = {p: float(data.draw(st.integers(0, 5))) for p in roster}
                row = local_row(own, roster, scores)
                if data.draw(st.integers(0, 19), "bad row") == 19:
                    row = tuple((p, bips + 1) for p, bips in row)
                if party not in roster and not all(bips == 0 for _, bips in row[:1]):
                    row = tuple((p, 0) for p in roster)
            said = self.measured(data, row)
            if data.draw(st.integers(0, 9), "no data") == 9:
                said = Measured(said.loss_before, NO_DATA, said.metric, row)
            rows[each] = said
        return rows

    # Who takes part.

    @rule(data=st.data(), name=st.sampled_from(("node-1", "node-2", "node-3")))
    def enroll(self, data: st.DataObject, name: str) -> None:
        nodes = len(self.acts.world.who.nodes)
        number = data.draw(st.integers(0, 5), "used key") and nodes + 10
        self.do(self.acts.enroll(self.party(data), name, number))

    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        self.do(self.acts.retire(self.registration(data)))

    @rule(data=st.data(), sure=st.integers(0, 3))
    def leave(self, data: st.DataObject, sure: int) -> None:
        if sure == 3:  # what cannot be undone is rare, or little else would happen
            self.do(self.acts.leave(self.party(data)))

    @rule(data=st.data())
    def suspend_and_resume(self, data: st.DataObject) -> None:
        state = self.acts.world.who.state(self.acts.world.now)
        action = Action.SUSPEND if state == 3 else Action.RESUME
        self.do(self.acts.decide(action, 0, self.voters(data)))

    @rule(data=st.data(), sure=st.integers(0, 3))
    def remove(self, data: st.DataObject, sure: int) -> None:
        party = self.party(data)
        if sure != 3:
            return
        self.do(self.acts.decide(Action.REMOVE, party, self.voters(data, party)))

    @rule(data=st.data(), sure=st.integers(0, 3))
    def terminate_and_close(self, data: st.DataObject, sure: int) -> None:
        if sure == 3:
            self.do(self.acts.decide(Action.TERMINATE, 0, self.voters(data)))
        self.do(self.acts.close(self.pick_run(data, State.OPEN)))

    @rule(data=st.data())
    def suspect(self, data: st.DataObject) -> None:
        self.do(self.acts.suspect(self.party(data), self.registration(data)))

    @rule(data=st.data(), by_wallet=st.booleans())
    def alive(self, data: st.DataObject, by_wallet: bool) -> None:
        self.do(self.acts.alive(self.registration(data), by_wallet))

    @rule(data=st.data(), seconds=st.sampled_from((1_000, 0)))
    def leave_out(self, data: st.DataObject, seconds: int) -> None:
        suspected = [each for each, case in self.acts.world.who.cases.items() if case.open]
        party = data.draw(st.sampled_from(suspected), "party") if suspected else self.party(data)
        if seconds:
            self.do(self.acts.wait(seconds))
        self.do(self.acts.leave_out(party))

    @rule(seconds=st.sampled_from((60, 600, 5_000, 90_000, 370 * 86_400)), sure=st.integers(0, 4))
    def wait(self, seconds: int, sure: int) -> None:
        self.do(self.acts.wait(seconds if seconds < 10**6 or sure == 4 else 60))

    # Stakes.

    @rule(data=st.data(), amount_wei=st.sampled_from((STAKE_WEI, 1, 7)))
    def deposit(self, data: st.DataObject, amount_wei: int) -> None:
        self.do(self.acts.deposit(self.party(data), amount_wei))

    @rule(data=st.data(), amount_wei=st.sampled_from((1, 0, STAKE_WEI, 10**6)))
    def unlock(self, data: st.DataObject, amount_wei: int) -> None:
        self.do(self.acts.unlock(self.party(data), amount_wei))

    @rule(data=st.data(), seconds=st.sampled_from((90_000, 0)))
    def withdraw(self, data: st.DataObject, seconds: int) -> None:
        held = self.acts.world.stakes.stakes.items()
        leaving = [each for each, stake in held if stake.leaving]
        if leaving and seconds:
            self.do(self.acts.wait(seconds))
        party = data.draw(st.sampled_from(leaving), "party") if leaving else self.party(data)
        self.do(self.acts.withdraw(party))

    @rule(data=st.data(), round_=st.integers(0, 3), same=st.integers(0, 7))
    def slash(self, data: st.DataObject, round_: int, same: int) -> None:
        run_id = self.pick_run(data, State.OPEN)
        self.do(self.acts.slash(run_id, self.registration(data), round_, same == 7))

    @rule(finder=st.booleans())
    def collect(self, finder: bool) -> None:
        charity = self.acts.world.signed.bylaws.penalty_recipient
        self.do(self.acts.collect(self.acts.poster.address if finder else charity))

    # Runs and their rounds.

    @precondition(lambda self: len(self.acts.world.runs) < MOST_RUNS)
    @rule(data=st.data(), name=st.sampled_from(NAMES), ahead=st.integers(0, 6))
    def create_run(self, data: st.DataObject, name: str, ahead: int) -> None:
        generation = len(self.acts.world.named.get(name, ())) + 1 + (ahead == 6)
        self.do(self.acts.create_run(self.party(data), name, generation))

    @rule(data=st.data(), amount_wei=st.sampled_from((10**9 + 7, 1)))
    def fund(self, data: st.DataObject, amount_wei: int) -> None:
        self.do(self.acts.fund(self.pick_run(data, State.OPEN), amount_wei))

    @rule(data=st.data())
    def seal(self, data: st.DataObject) -> None:
        self.seal_one(data, self.pick_run(data, State.OPEN))

    @rule(data=st.data())
    def seal_twice(self, data: st.DataObject) -> None:
        run_id = self.pick_run(data, State.OPEN)
        for _ in range(2):
            self.seal_one(data, run_id)

    @rule(data=st.data(), rounds=st.integers(1, 5))
    def play(self, data: st.DataObject, rounds: int) -> None:
        """Plays rounds by the book, and where that ends a run, pays everybody out."""
        run_id = self.pick_run(data, State.OPEN)
        for _ in range(rounds):
            run = self.acts.world.runs[run_id]
            if run.state != State.OPEN:
                break
            self.play_one(data, run_id, run)
        if self.acts.world.runs[run_id].state == State.SETTLING:
            self.do(self.acts.wait(700))
            self.do(self.acts.settle(run_id))
        if data.draw(st.booleans(), "pay out"):
            for party in self.acts.world.who.parties:
                self.do(self.acts.claim(False, party, tuple(self.acts.world.runs)))
            self.do(self.acts.refund(run_id))
            self.do(self.acts.buy(run_id, 10**6))
            self.do(self.acts.claim(True, self.party(data), (run_id,)))

    @rule(data=st.data())
    def play_to_the_end(self, data: st.DataObject) -> None:
        self.play(data, 6)

    @rule(data=st.data(), rounds=st.integers(1, 3))
    def play_and_delegate(self, data: st.DataObject, rounds: int) -> None:
        self.play(data, rounds)
        for royalties in (False, True):
            self.delegate_and_claim(data, royalties, 0)

    def play_one(self, data: st.DataObject, run_id: bytes, run: Run) -> None:
        who = self.acts.world.who
        signers = tuple(e for e in range(len(who.nodes)) if who.belongs(e, run.version))
        roster = sorted(run.active)
        after = data.draw(st.sampled_from(LOSSES_E9), "loss")
        struck = run.round and data.draw(st.integers(0, 3), "struck") == 3
        if isinstance(run, LocalRun):
            absent = data.draw(st.integers(0, 3), "absent")
            row = equal = tuple((each, 0) for each in roster) if run.round else ()
            said = Measured(650_000_000, after, 0, row)
            rows = dict.fromkeys(signers, said)
            if absent and len(signers) == len(roster):
                rows.pop(signers[-1])
            late = {}
            if run.book and absent == 1:
                late = self.late(data, run)
            self.do(self.acts.seal_local(run_id, run.round, rows, late))
            if run.round and absent == 2 and len(rows) < len(signers):
                self.do(self.acts.add_rows(run_id, {signers[-1]: Measured(9, 5, 0, equal)}))
            return
        row = equal_row(roster) if run.round else ()
        rejects = ((signers[-1], 4),) if struck and signers else ()
        measured = Measured(650_000_000, after, 3, row)
        self.do(self.acts.seal(run_id, Seal(run.round, True, measured, rejects, signers)))

    def seal_one(self, data: st.DataObject, run_id: bytes) -> None:
        run = self.acts.world.runs[run_id]
        kind = data.draw(st.integers(0, 15), "seal")
        round_ = run.round + (kind == 15)
        same_prev = kind != 14
        signers = self.signers(data, run)
        if (run.terms.metering == LOCAL) == (kind != 13) and isinstance(run, LocalRun):
            roster = sorted(run.active)
            late = self.late(data, run) if data.draw(st.booleans(), "late") else {}
            rows = self.rows(data, run.round, roster, signers)
            self.do(self.acts.seal_local(run_id, round_, rows, late, same_prev))
            return
        rejected = data.draw(st.sampled_from((None, 4, None, 6)), "rejected")
        rejects = ((self.registration(data), rejected),) if rejected else ()
        measured = self.measured(data, self.row(data, run))
        self.do(self.acts.seal(run_id, Seal(round_, same_prev, measured, rejects, signers)))

    def late(self, data: st.DataObject, run: LocalRun) -> dict[int, Measured]:
        """Rows for the round that waits: of some that are missing, and some that are not."""
        if run.book is None:
            return {}
        who = self.acts.world.who
        members = [each for each in range(len(who.nodes)) if who.belongs(each, run.book.version)]
        missing = [each for each in members if who.nodes[each].party not in run.book.rows]
        chosen = missing if data.draw(st.integers(0, 2)) and missing else members
        signers = sorted(data.draw(st.sets(st.sampled_from(chosen), min_size=1), "late signers"))
        return self.rows(data, run.book.round, run.book.roster, signers)

    @rule(data=st.data())
    def add_rows(self, data: st.DataObject) -> None:
        runs = self.acts.world.runs
        waiting = [e for e, run in runs.items() if isinstance(run, LocalRun) and run.book]
        for run_id in waiting[:1]:
            run = runs[run_id]
            assert isinstance(run, LocalRun)
            self.do(self.acts.add_rows(run_id, self.late(data, run)))

    @rule(data=st.data(), seconds=st.sampled_from((0, 700)))
    def settle(self, data: st.DataObject, seconds: int) -> None:
        run_id = self.pick_run(data, State.SETTLING)
        if isinstance(self.acts.world.runs[run_id], LocalRun):
            if seconds and self.acts.world.runs[run_id].state == State.SETTLING:
                self.do(self.acts.wait(seconds))
            self.do(self.acts.settle(run_id))

    @rule(data=st.data(), seconds=st.sampled_from((0, 700)))
    def reopen(self, data: st.DataObject, seconds: int) -> None:
        if seconds:
            self.do(self.acts.wait(seconds))
        self.do(self.acts.reopen(self.pick_run(data, State.OPEN)))

    @rule(data=st.data())
    def pardon(self, data: st.DataObject) -> None:
        run_id = self.pick_run(data, State.OPEN)
        quarantined = sorted(self.acts.world.runs[run_id].quarantined)
        party = quarantined[0] if quarantined else self.party(data)
        self.do(self.acts.pardon(run_id, party, self.voters(data)))

    # Money.

    def some_runs(self, data: st.DataObject) -> tuple[bytes, ...]:
        runs = list(self.acts.world.runs)
        return tuple(runs) if data.draw(st.integers(0, 5), "runs") < 5 else tuple(runs[:-1])

    @rule(data=st.data(), royalties=st.booleans(), ahead=st.integers(0, 9))
    def claim(self, data: st.DataObject, royalties: bool, ahead: int) -> None:
        runs = self.some_runs(data)
        if runs:
            self.do(self.acts.claim(royalties, self.party(data), runs, int(ahead == 9)))

    @rule(data=st.data(), royalties=st.booleans(), claimer=st.integers(0, 1))
    def delegate_and_claim(self, data: st.DataObject, royalties: bool, claimer: int) -> None:
        party, runs = self.party(data), self.some_runs(data)
        if runs:
            self.do(self.acts.delegate(royalties, party, 0))
            self.do(self.acts.claim_for(royalties, party, runs, claimer))

    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        self.do(self.acts.refund(self.pick_run(data, State.FINISHED)))

    @rule(data=st.data(), amount_wei=st.sampled_from((1, 1_000_003)))
    def pay(self, data: st.DataObject, amount_wei: int) -> None:
        self.do(self.acts.pay(self.pick_run(data, State.FINISHED), amount_wei))

    @rule(data=st.data(), most_wei=st.sampled_from((10**6, 1)))
    def buy(self, data: st.DataObject, most_wei: int) -> None:
        self.do(self.acts.buy(self.pick_run(data, State.FINISHED), most_wei))
