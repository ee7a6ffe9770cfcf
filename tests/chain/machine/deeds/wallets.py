"""Wallets change hands: deeds of owners, of those who lost theirs, of the others who vote."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.council import Action
from contracts.training import State
from tests.chain.machine.deeds.book import BEFORE_E9, ByTheBook
from tests.chain.machine.deeds.choices import SOME_LOSSES_E9, deed
from tests.chain.machine.theater import STAKE_WEI, WALLET_DELAY_S


class WalletDeeds(ByTheBook):
    """What is due follows the wallet; the one before has no say any more."""

    def another_wallet(self, data: st.DataObject) -> str:
        """One that nobody had; seldom another party's, now or soon."""
        if not self.seldom(data, "a taken one", 6):
            return self.acts.new_wallet()
        party, wallets = self.party(data), self.acts.world.who.wallets
        coming = wallets.coming(self.acts.world.now, party)
        return coming or wallets.of(self.acts.world.now, party)

    @deed()
    def move_wallet(self, data: st.DataObject) -> None:
        party, ahead = self.party(data), int(self.seldom(data, "ahead", 6))
        if self.do(self.acts.move_wallet(party, self.another_wallet(data), ahead)):
            self.as_before(data, party)

    @deed(often=2)
    def lose_wallet(self, data: st.DataObject) -> None:
        """The others vote for a new one, which takes effect after a delay, unless it is vetoed."""
        party, who = self.party(data), self.acts.world.who
        if data.draw(st.booleans(), "earn"):
            run_id = self.open_run(data)
            for loss_e9 in (BEFORE_E9, *SOME_LOSSES_E9[1:3]):
                self.play_one(data, run_id, loss_e9)
            self.do(self.acts.delegate(False, party, 0))
        wallet = self.another_wallet(data)
        voters = self.voters(data, party)
        if not self.do(self.acts.decide(Action.REPLACE_WALLET, party, voters, wallet)):
            return
        meanwhile = data.draw(st.integers(0, 5), "meanwhile")
        if meanwhile == 0:
            self.do(self.acts.veto(party, wallet, int(self.seldom(data, "ahead", 4))))
        elif meanwhile == 1:  # the others change their minds
            wallet = self.acts.new_wallet()
            self.do(self.acts.decide(Action.REPLACE_WALLET, party, voters, wallet))
        elif meanwhile == 2:  # it turns up, and is faster
            self.do(self.acts.move_wallet(party, self.acts.new_wallet()))
        elif meanwhile == 3:  # too early: it is the old one that still signs
            self.do(self.acts.claim(False, party, tuple(self.acts.world.runs)))
        if not self.seldom(data, "too early", 5):
            self.do(self.acts.wait(WALLET_DELAY_S))
        if self.seldom(data, "veto, too late", 4):
            self.do(self.acts.veto(party, wallet))
        if self.acts.wallet(party) != who.wallets.of(who.joined.get(party, 0), party):
            self.as_before(data, party)
        if data.draw(st.booleans(), "collect"):
            self.do(self.acts.claim_for(False, party, tuple(self.acts.world.runs), 0))
            self.do(self.acts.claim(False, party, tuple(self.acts.world.runs)))

    @deed(when=lambda self: self.threatened())
    def veto(self, data: st.DataObject) -> None:
        party, now = self.threatened()[0], self.acts.world.now
        self.do(self.acts.veto(party, self.acts.world.who.wallets.coming(now, party)))

    def threatened(self) -> list[int]:
        """Parties whose wallet is to be replaced."""
        who, now = self.acts.world.who, self.acts.world.now
        return [party for party in who.parties if who.wallets.coming(now, party)]

    def as_before(self, data: st.DataObject, party: int) -> None:
        """Who had the wallet before tries it once more: a thief, or who has found it again."""
        acts, runs = self.acts, tuple(self.acts.world.runs)
        acts.stale = True
        try:
            for what in data.draw(st.sets(st.integers(0, 7), max_size=3), "as before"):
                if what == 0:
                    self.do(acts.claim(False, party, runs))
                elif what == 1:
                    self.do(acts.unlock(party, STAKE_WEI))
                elif what == 2:
                    self.do(acts.move_wallet(party, acts.new_wallet()))
                elif what == 3:
                    self.do(acts.claim_to(False, party, runs))
                elif what == 4:
                    self.do(acts.decide(Action.SUSPEND, 0, self.voters(data)))
                elif what == 5:
                    self.do(acts.leave(party))
                elif what == 6:
                    self.do(acts.create_runner(party, "runner-9"))
                elif what == 7:
                    coming = acts.world.who.wallets.coming(acts.world.now, party)
                    self.do(acts.veto(party, coming or acts.new_wallet()))
        finally:
            acts.stale = False

    @deed()
    def claim_by_wallet(self, data: st.DataObject) -> None:
        """By a transaction of its own, which voids what was signed before."""
        run_id = self.pick_run(data, State.OPEN)
        self.play_one(data, run_id, data.draw(st.sampled_from(SOME_LOSSES_E9), "loss"))
        self.do(self.acts.claim_to(False, self.party(data), tuple(self.acts.world.runs)))
