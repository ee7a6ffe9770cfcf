"""What organizations and nodes do about who takes part: to the contracts and the model at once."""

from __future__ import annotations

from contracts import messages as m
from contracts.council import Action
from tests.chain.machine.checks.membership import NOBODY
from tests.chain.machine.stage import ALWAYS, Stage, key

DEPOSIT_WEI = 1_000


class PartyActs(Stage):
    """Enrollments, votes, suspicions. Who signs what is decided here."""

    async def enroll(self, party: int, name: str, number: int) -> bool:
        consortium, world = self.contracts.consortium, self.world
        node = key("node", number)
        asked = m.Enrollment(
            world.id, party, name, node.address, "", True, ALWAYS, world.who.nonce(party)
        )
        signatures = (
            self.signed(consortium.domain, asked, party),
            m.sign(consortium.domain, asked, node),
        )
        return await self.step(
            "enroll",
            lambda trial: trial.who.enroll(trial.now, party, name, number),
            lambda: consortium.enroll(asked, *signatures, signer=self.poster),
        )

    async def retire(self, registration: int) -> bool:
        consortium = self.contracts.consortium
        asked = m.Retirement(self.world.id, registration, ALWAYS)
        party = self.world.who.nodes[registration].party
        signature = self.signed(consortium.domain, asked, party)
        return await self.step(
            "retire",
            lambda trial: trial.who.retire(registration),
            lambda: consortium.retire(asked, signature, signer=self.poster),
        )

    async def leave(self, party: int) -> bool:
        consortium = self.contracts.consortium
        asked = m.Leaving(self.world.id, party, ALWAYS)
        signature, by = self.signed(consortium.domain, asked, party), self.wallet(party)
        return await self.step(
            "leave",
            lambda trial: trial.who.leave(trial.now, party, by),
            lambda: consortium.leave_agreement(asked, signature, signer=self.poster),
        )

    async def decide(
        self, action: Action, party: int, voters: tuple[int, ...], wallet: str = ""
    ) -> bool:
        council, world = self.contracts.council, self.world
        motion = m.Motion(world.id, int(action), party, wallet or NOBODY, world.who.motions, ALWAYS)
        votes, by = self.votes(council.domain, motion, voters)
        return await self.step(
            action.name.lower().replace("_", " "),
            lambda trial: trial.who.decide(trial.now, action, party, by, wallet),
            lambda: council.decide(motion, votes, signer=self.poster),
        )

    async def suspect(self, party: int, by: int) -> bool:
        presence, who = self.contracts.presence, self.world.who
        number = who.cases[party].number + 1
        said = m.Suspicion(self.world.id, party, by, number, ALWAYS)
        signature = m.sign(presence.domain, said, key("node", who.nodes[by].key))
        return await self.step(
            "suspect",
            lambda trial: trial.who.suspect(trial.now, party, by, DEPOSIT_WEI),
            lambda: presence.suspect(said, signature, deposit_wei=DEPOSIT_WEI, signer=self.poster),
        )

    async def alive(self, registration: int, by_wallet: bool) -> bool:
        presence, node = self.contracts.presence, self.world.who.nodes[registration]
        said = m.Alive(self.world.id, registration, self.world.who.cases[node.party].number)
        signature = m.sign(presence.domain, said, key("node", node.key))
        if by_wallet:
            signature = self.signed(presence.domain, said, node.party)
        return await self.step(
            "alive",
            lambda trial: trial.who.alive(registration, by_wallet, DEPOSIT_WEI),
            lambda: presence.alive(said, signature, by_wallet=by_wallet, signer=self.poster),
        )

    async def leave_out(self, party: int) -> bool:
        return await self.step(
            "leave out",
            lambda trial: trial.who.leave_out(trial.now, party, DEPOSIT_WEI),
            lambda: self.contracts.presence.leave_out(self.world.id, party, signer=self.poster),
        )

    async def collect_coins(self) -> bool:
        """The poster's deposits, where they were not needed, and what answers earned."""
        recipient = self.poster.address
        return await self.step(
            "collect coins",
            lambda trial: trial.who.collect_coins(recipient),
            lambda: self.contracts.presence.collect(recipient, signer=self.poster),
        )
