"""What organizations and nodes do about who takes part: to the contracts and the model at once."""

from __future__ import annotations

from contracts import messages as m
from contracts.council import Action
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
        signatures = [m.sign(consortium.domain, asked, by) for by in (key("wallet", party), node)]
        return await self.step(
            "enroll",
            lambda trial: trial.who.enroll(trial.now, party, name, number),
            lambda: consortium.enroll(asked, *signatures, signer=self.poster),
        )

    async def retire(self, registration: int) -> bool:
        consortium = self.contracts.consortium
        asked = m.Retirement(self.world.id, registration, ALWAYS)
        wallet = key("wallet", self.world.who.nodes[registration].party)
        signature = m.sign(consortium.domain, asked, wallet)
        return await self.step(
            "retire",
            lambda trial: trial.who.retire(registration),
            lambda: consortium.retire(asked, signature, signer=self.poster),
        )

    async def leave(self, party: int) -> bool:
        consortium = self.contracts.consortium
        asked = m.Leaving(self.world.id, party, ALWAYS)
        signature = m.sign(consortium.domain, asked, key("wallet", party))
        return await self.step(
            "leave",
            lambda trial: trial.who.leave(trial.now, party),
            lambda: consortium.leave_agreement(asked, signature, signer=self.poster),
        )

    async def decide(self, action: Action, party: int, voters: tuple[int, ...]) -> bool:
        council, world = self.contracts.council, self.world
        motion = m.Motion(world.id, int(action), party, "0x" + "00" * 20, world.who.motions, ALWAYS)
        votes = {each: m.sign(council.domain, motion, key("wallet", each)) for each in voters}
        return await self.step(
            action.name.lower(),
            lambda trial: trial.who.decide(trial.now, action, party, voters),
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
        signer = key("wallet", node.party) if by_wallet else key("node", node.key)
        signature = m.sign(presence.domain, said, signer)
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
