"""What moves money: deeds about stakes, penalties, claims, refunds and licenses."""

from __future__ import annotations

from hypothesis import strategies as st

from contracts.stakes import Kind
from contracts.training import State
from tests.chain.machine.deeds.book import BEFORE_E9, ByTheBook
from tests.chain.machine.deeds.choices import SOME_LOSSES_E9, deed
from tests.chain.machine.theater import STAKE_WEI

NOTICE_S = 90_000  # longer than a stall and the dispute time together


class MoneyDeeds(ByTheBook):
    """Whoever signs for a party, anyone posts."""

    @deed()
    def deposit(self, data: st.DataObject) -> None:
        amount_wei = data.draw(st.sampled_from((STAKE_WEI, 1, 7)), "wei")
        self.do(self.acts.deposit(self.party(data), amount_wei))

    @deed()
    def unlock(self, data: st.DataObject) -> None:
        amount_wei = data.draw(st.sampled_from((1, STAKE_WEI, 10**6)), "wei")
        self.do(self.acts.unlock(self.party(data), amount_wei))

    @deed()
    def deposit_and_withdraw(self, data: st.DataObject) -> None:
        party = self.party(data)
        self.do(self.acts.deposit(party, STAKE_WEI))
        self.do(self.acts.unlock(party, STAKE_WEI - data.draw(st.integers(0, 1), "keeps")))
        if data.draw(st.booleans(), "caught before it is gone"):
            nodes = self.acts.world.who.nodes
            of_party = [each for each, node in enumerate(nodes) if node.party == party]
            self.prove(data, of_party[0] if of_party else 0)
        if not self.seldom(data, "at once", 3):
            self.do(self.acts.wait(NOTICE_S))
        self.do(self.acts.withdraw(party))
        if self.seldom(data, "again", 4):
            self.do(self.acts.withdraw(party))

    @deed()
    def slash(self, data: st.DataObject) -> None:
        self.prove(data, self.registration(data))
        if data.draw(st.booleans(), "play"):
            self.play_one(data, self.open_run(data))

    def prove(self, data: st.DataObject, registration: int) -> None:
        kind = data.draw(st.sampled_from(Kind), "kind")
        round_ = data.draw(st.integers(0, 3), "round")
        run_id = self.pick_run(data, State.OPEN)
        self.do(self.acts.slash(run_id, registration, kind, round_, self.seldom(data, "same", 6)))
        if self.seldom(data, "again", 3):
            self.do(self.acts.slash(run_id, registration, kind, round_, False))

    @deed()
    def collect(self, data: st.DataObject) -> None:
        charity = self.acts.world.signed.bylaws.penalty_recipient
        self.do(self.acts.collect(data.draw(st.sampled_from((charity, self.acts.poster.address)))))

    def some_runs(self, data: st.DataObject) -> tuple[bytes, ...]:
        runs = tuple(self.acts.world.runs)
        return runs[:-1] if self.seldom(data, "fewer runs", 6) else runs

    @deed(often=2)
    def claim(self, data: st.DataObject) -> None:
        ahead = int(self.seldom(data, "ahead", 8))
        royalties = data.draw(st.booleans(), "royalties")
        self.do(self.acts.claim(royalties, self.party(data), self.some_runs(data), ahead))

    @deed()
    def delegate_and_claim(self, data: st.DataObject) -> None:
        party, royalties = self.party(data), data.draw(st.booleans(), "royalties")
        if not royalties:
            run_id = self.open_run(data)
            for loss_e9 in (BEFORE_E9, *SOME_LOSSES_E9[1:3]):
                self.play_one(data, run_id, loss_e9)
        runs = self.some_runs(data)
        self.do(self.acts.delegate(royalties, party, 0))
        claimer = int(self.seldom(data, "another claimer", 4))
        self.do(self.acts.claim_for(royalties, party, runs, claimer))

    @deed()
    def refund(self, data: st.DataObject) -> None:
        self.do(self.acts.refund(self.pick_run(data, State.FINISHED)))

    @deed()
    def pay_and_share(self, data: st.DataObject) -> None:
        """Pays for what came of a run, and has somebody else claim a party's part of it."""
        run_id = self.pick_run(data, State.FINISHED)
        amount_wei = data.draw(st.sampled_from((1, 1_000_003)), "wei")
        if self.do(self.acts.pay(run_id, amount_wei)) and data.draw(st.booleans(), "share"):
            party = self.party(data)
            self.do(self.acts.delegate(True, party, 0))
            if data.draw(st.booleans(), "by its wallet"):
                self.do(self.acts.claim_to(True, party, (run_id,)))
            else:
                self.do(self.acts.claim_for(True, party, (run_id,), 0))

    @deed()
    def buy_and_share(self, data: st.DataObject) -> None:
        """Buys a license, and has the price paid out."""
        run_id = self.pick_run(data, State.FINISHED)
        if data.draw(st.booleans(), "another price"):
            price_wei = data.draw(st.sampled_from((0, 11, 11)), "wei")
            ahead = int(self.seldom(data, "ahead", 6))
            self.do(self.acts.price(run_id, price_wei, self.voters(data), ahead))
        most_wei = data.draw(st.sampled_from((10**6, 10**6, 1)), "most wei")
        if self.do(self.acts.buy(run_id, most_wei)):
            self.do(self.acts.claim(True, self.party(data), (run_id,)))
