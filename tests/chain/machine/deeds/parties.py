"""Who takes part: deeds about nodes, votes, absence, and how an agreement ends."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.council import Action
from contracts.training import State
from tests.chain.machine.deeds.book import BEFORE_E9, ByTheBook
from tests.chain.machine.deeds.choices import SOME_LOSSES_E9, deed

SOME, MANY = 20, 40  # acts of a session before somebody leaves, and before all is over
ANSWER_S, NEWCOMER_S, YEAR_S = 1_000, 5_000, 370 * 86_400


class PartyDeeds(ByTheBook):
    """What cannot be undone has to wait, or little else would happen."""

    def new_key(self) -> int:
        return len(self.acts.world.who.nodes) + 10

    @deed()
    def enroll(self, data: st.DataObject) -> None:
        party, name = self.party(data), data.draw(st.sampled_from(("node-1", "node-2")), "name")
        if self.seldom(data, "who is no party", 8):
            party = len(self.acts.world.who.parties)
        number = 0 if self.seldom(data, "a used key", 4) else self.new_key()
        self.do(self.acts.enroll(party, name, number))
        if self.seldom(data, "one more than it may", 4):
            self.do(self.acts.enroll(party, "node-2", self.new_key()))
            self.do(self.acts.enroll(party, "node-3", self.new_key()))

    @deed(
        when=lambda self: len(self.acts.world.who.joined) < len(self.acts.world.who.parties),
        often=3,
    )
    def join(self, data: st.DataObject) -> None:
        """Who has not been there joins, is counted from the next round on, and wants its pay."""
        who = self.acts.world.who
        party = next(each for each in who.parties if each not in who.joined)
        self.do(self.acts.enroll(party, "node-1", self.new_key()))
        run_id = self.open_run(data)
        for loss_e9 in (BEFORE_E9, *SOME_LOSSES_E9[1:3]):
            self.play_one(data, run_id, loss_e9)
        self.do(self.acts.claim(False, party, (run_id,)))
        if data.draw(st.booleans(), "later"):
            self.do(self.acts.wait(NEWCOMER_S))
            self.do(self.acts.claim(False, party, (run_id,)))

    @deed()
    def retire(self, data: st.DataObject) -> None:
        registration = self.registration(data)
        self.do(self.acts.retire(registration))
        if self.seldom(data, "again", 4):
            self.do(self.acts.retire(registration))
        if data.draw(st.booleans(), "signs on"):
            run_id = self.open_run(data)
            self.play_one(data, run_id, BEFORE_E9)
            self.play_one(data, run_id, BEFORE_E9, everybody=True)

    @deed(when=lambda self: self.done > SOME)
    def leave(self, data: st.DataObject) -> None:
        party = self.party(data)
        self.do(self.acts.leave(party))
        regret = data.draw(st.integers(0, 5), "regret")
        if regret == 0:
            self.do(self.acts.leave(party))
        elif regret == 1:
            self.do(self.acts.enroll(party, "node-1", self.new_key()))
        elif regret == 2:
            self.do(self.acts.create_run(party, "third", 1))
        else:
            self.play_one(data, self.pick_run(data, State.OPEN))

    @deed()
    def suspend_and_resume(self, data: st.DataObject) -> None:
        self.do(self.acts.decide(Action.SUSPEND, 0, self.voters(data)))
        meanwhile = data.draw(st.integers(0, 5), "under suspension")
        run_id = self.pick_run(data, State.OPEN)
        if meanwhile == 0:
            self.do(self.acts.enroll(self.party(data), "node-1", self.new_key()))
        elif meanwhile == 1:
            self.do(self.acts.create_run(self.party(data), "third", 1))
        elif meanwhile == 2:
            self.do(self.acts.decide(Action.SUSPEND, 0, self.voters(data)))
        elif meanwhile < 5:
            self.play_one(data, run_id)
        if not self.seldom(data, "stay suspended", 8):
            self.do(self.acts.decide(Action.RESUME, 0, self.voters(data)))
            self.do(self.acts.reopen(run_id))

    @deed(when=lambda self: self.done > SOME)
    def remove(self, data: st.DataObject) -> None:
        party = self.party(data)
        self.do(self.acts.decide(Action.REMOVE, party, self.voters(data, party)))
        if self.seldom(data, "again", 3):
            self.do(self.acts.decide(Action.REMOVE, party, self.voters(data, party)))

    @deed()
    def close(self, data: st.DataObject) -> None:
        self.do(self.acts.close(self.pick_run(data, State.OPEN)))

    @deed(when=lambda self: self.done > MANY, often=3)
    def end_the_agreement(self, data: st.DataObject) -> None:
        """Ends it in one of its ways, and does what is possible then, and what is not."""
        run_id = self.open_run(data)
        self.play_one(data, run_id, BEFORE_E9)
        how = data.draw(st.sampled_from(("vote", "few", "time")), "how")
        if how == "few":
            for party in tuple(self.acts.world.who.members)[1:]:
                self.do(self.acts.leave(party))
        elif how == "time":
            self.do(self.acts.wait(YEAR_S))
        else:
            self.do(self.acts.decide(Action.TERMINATE, 0, self.voters(data)))
        if not self.acts.world.who.over(self.acts.world.now):
            return
        first = data.draw(st.integers(0, 5), "in the end")
        if first == 0:
            self.do(self.acts.reopen(run_id))
        elif first == 1:
            self.do(self.acts.leave(self.party(data)))
        elif first < 5:
            self.play_one(data, run_id)
        self.do(self.acts.close(run_id))

    @deed()
    def suspect(self, data: st.DataObject) -> None:
        party = self.party(data)
        for _ in range(data.draw(st.integers(1, 2), "times")):
            self.do(self.acts.suspect(party, self.registration(data)))

    @deed()
    def alive(self, data: st.DataObject) -> None:
        by_wallet = data.draw(st.booleans(), "by wallet")
        self.do(self.acts.alive(self.registration(data), by_wallet))

    @deed()
    def suspect_and_leave_out(self, data: st.DataObject) -> None:
        """Whom nobody hears is left out of the next snapshot, and comes back when it speaks."""
        party, who = self.party(data), self.acts.world.who
        others = [each for each in self.members(who.changes) if who.nodes[each].party != party]
        by = data.draw(st.sampled_from(others), "by") if others else self.registration(data)
        suspected = self.do(self.acts.suspect(party, by))
        answer = data.draw(st.integers(0, 5), "answer")
        nodes = [each for each, node in enumerate(who.nodes) if node.party == party]
        if answer == 0 and suspected:
            self.do(self.acts.alive(nodes[-1], by_wallet=False))
        if not self.seldom(data, "at once", 3):
            self.do(self.acts.wait(ANSWER_S))
        self.do(self.acts.leave_out(party))
        if answer < 4:
            run_id = self.open_run(data)
            self.do(self.acts.reopen(run_id))
            self.play_one(data, run_id, BEFORE_E9)
        if answer > 1 and nodes:
            self.do(self.acts.alive(nodes[0], by_wallet=True))
        self.do(self.acts.collect_coins())

    @deed()
    def wait(self, data: st.DataObject) -> None:
        self.do(self.acts.wait(data.draw(st.sampled_from((60, 600, 5_000, 90_000)), "seconds")))
