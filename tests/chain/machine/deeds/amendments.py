"""Agreements are amended: other terms, bylaws, weights and periods, and one party more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from contracts import messages as m
from contracts.training import State
from tests.chain.machine.deeds.book import BEFORE_E9, ByTheBook
from tests.chain.machine.deeds.choices import SOME_LOSSES_E9, deed
from tests.chain.machine.stage import key
from tests.chain.machine.theater import DAY_S, STAKE_WEI

MOST_PARTIES = 5
SHORT_S = 4_000  # so long may a hasty amendment be signed
YEAR_S = 365 * DAY_S


class AmendmentDeeds(ByTheBook):
    """Signed at once or one by one, and sometimes not by everybody who has to."""

    draft: m.Agreement | None = None  # that is signed one by one

    @deed(often=2)
    def amend(self, data: st.DataObject) -> None:
        draft = self.next_version(data)
        by = {party: self.signer(draft, party) for party in range(len(draft.parties))}
        if self.seldom(data, "not all sign", 4):
            del by[data.draw(st.sampled_from(sorted(by)), "who does not")]
        if self.do(self.acts.amend(draft, by)):
            self.follow(data)

    @deed(often=3)
    def sign_an_amendment(self, data: st.DataObject) -> None:
        """One after the other; what happens meanwhile is up to the other deeds, too."""
        world = self.acts.world
        if self.draft is None or self.draft.version != world.signed.version + 1:
            stale = self.draft if self.seldom(data, "one that was overtaken", 2) else None
            self.draft = stale or self.next_version(data)
        draft = self.draft
        for party in range(len(draft.parties)):
            if party in world.who.out and not self.seldom(data, "who is out signs too", 3):
                continue
            by = self.signer(draft, party)
            if self.seldom(data, "by a stranger", 12):
                by = key("wallet", 0).address if party else key("wallet", 1).address
            if not self.do(self.acts.sign(draft, party, by)) and party in world.who.members:
                self.draft = None
                return
            if self.seldom(data, "twice", 6):
                self.do(self.acts.sign(draft, party, by))
            if self.seldom(data, "wait for the others", 6):
                self.meanwhile(data)
                return
        if self.acts.world.signed is draft:
            self.draft = None
            self.follow(data)

    def meanwhile(self, data: st.DataObject) -> None:
        """Some have signed: everything goes on as before, until it can be no longer."""
        what = data.draw(st.integers(0, 3), "meanwhile")
        if what == 0:
            self.do(self.acts.wait(SHORT_S + 1))
            if self.draft:
                last = len(self.draft.parties) - 1
                self.do(self.acts.sign(self.draft, last, self.signer(self.draft, last)))
        elif what == 1:
            rival = self.next_version(data)
            by = {party: self.signer(rival, party) for party in range(len(rival.parties))}
            self.do(self.acts.amend(rival, by))
        elif what == 2:
            self.play_one(data, self.open_run(data), BEFORE_E9)

    def follow(self, data: st.DataObject) -> None:
        """What an amendment changes, and what it must not: runs keep their terms."""
        world = self.acts.world
        newcomer = len(world.who.parties) - 1
        if newcomer not in world.who.joined and newcomer not in world.who.out:
            self.do(self.acts.enroll(newcomer, "node-1", len(world.who.nodes) + 10))
            if world.signed.bylaws.min_stake:
                self.do(self.acts.deposit(newcomer, STAKE_WEI))
        if data.draw(st.booleans(), "recount"):
            self.do(self.acts.recount())
        what = data.draw(st.integers(0, 4), "follow")
        if what < 3:
            run_id = self.pick_run(data, State.OPEN)
            for loss_e9 in (BEFORE_E9, *SOME_LOSSES_E9[1:3])[: 1 + what]:
                self.play_one(data, run_id, loss_e9)
        elif what == 3:
            known = len(world.named.get("fourth", ()))
            earlier = world.who.versions[0].terms if self.seldom(data, "earlier", 3) else None
            if self.do(self.acts.create_run(0, "fourth", known + 1, earlier)):
                run_id = [*self.acts.world.runs][-1]
                self.do(self.acts.fund(run_id, 10**9 + 7))
                for loss_e9 in (BEFORE_E9, SOME_LOSSES_E9[1]):
                    self.play_one(data, run_id, loss_e9)

    @deed()
    def recount(self, data: st.DataObject) -> None:
        self.do(self.acts.recount())

    def signer(self, draft: m.Agreement, party: int) -> str:
        """Whose signature there is: that of the party's wallet, whatever the draft says."""
        known = party < len(self.acts.world.who.parties)
        return self.acts.wallet(party) if known else draft.parties[party].wallet

    def next_version(self, data: st.DataObject) -> m.Agreement:
        """What it says, by chance; the parties are those there are, with the wallets of now."""
        world = self.acts.world
        parties = [
            m.Party(each.organization, self.acts.wallet(party), each.weight)
            for party, each in enumerate(world.signed.parties)
        ]
        kind = data.draw(st.integers(0, 15), "parties")
        if kind < 8 and len(parties) < MOST_PARTIES:
            taken = kind == 0
            wallet = parties[0].wallet if taken else key("wallet", len(parties)).address
            parties.append(m.Party("clinic-e", wallet, 1))
        elif kind == 14:
            parties[1] = replace(parties[1], wallet=key("stranger").address)
        elif kind == 15:
            parties.pop()
        first = parties[0]
        parties[0] = replace(first, weight=data.draw(st.integers(1, 3), "weight"))
        lasts = (*(YEAR_S, 2 * YEAR_S, SHORT_S) * 3, 0)
        ends = data.draw(st.sampled_from(lasts), "not after")
        return replace(
            world.signed,
            previous=world.id,
            version=world.signed.version + 1 + self.seldom(data, "a version too far", 12),
            not_after=world.now + ends if ends else world.signed.not_before,
            bylaws=replace(world.signed.bylaws, **self.bylaws(data)),
            terms=replace(world.signed.terms, **self.terms(data)),
            parties=tuple(parties),
        )

    def terms(self, data: st.DataObject) -> dict[str, Any]:
        choices: dict[str, tuple[Any, ...]] = {
            "license_price": (3, 77),
            "max_rounds": (2, 5),
            "stall_time": (300, 650),
            "patience": (0, 2),
            "payout": (0, 1),
            "budget_rule": (0, 1),
            "min_peers": (2, 2, 2, 6),
            "sponsor": (key("another sponsor").address,),
            "metering": (0, 3),
        }
        return _some(data, choices)

    def bylaws(self, data: st.DataObject) -> dict[str, Any]:
        members = len(self.acts.world.who.members)
        choices: dict[str, tuple[Any, ...]] = {
            "min_stake": (0, STAKE_WEI, STAKE_WEI - 1, STAKE_WEI + 1),
            "dispute_time": (DAY_S // 2, DAY_S),
            "penalty_bips": (1_000, 10_000),
            "finder_bips": (0, 5_000),
            "votes": (0, members // 2 + 1, members, 1),
            "max_nodes": (1, 2),
        }
        return _some(data, choices)


def _some(data: st.DataObject, choices: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    names = data.draw(st.sets(st.sampled_from(sorted(choices)), max_size=2), "changes")
    return {name: data.draw(st.sampled_from(choices[name]), name) for name in sorted(names)}
