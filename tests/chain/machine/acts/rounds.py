"""What can be done, to the contracts and the model at once; who signs what is decided here."""

from __future__ import annotations

from dataclasses import replace

from contracts import messages as m
from contracts.claims import Claims
from contracts.council import Action
from contracts.training import Training
from contracts.votes import votes_of
from tests.chain.machine.local import LocalRun, Rows
from tests.chain.machine.model import Desk, World
from tests.chain.machine.runs import Measured, Seal
from tests.chain.machine.stage import Stage, key
from tests.chain.people import INITIAL_ROOT

ALWAYS = 2**40 - 1  # a deadline: the machine lets years pass
DEPOSIT_WEI = 1_000
NOTHING = Measured(0, 0, 0, ())


def local(world: World, run_id: bytes) -> LocalRun:
    run = world.runs[run_id]
    assert isinstance(run, LocalRun)
    return run


class Acts(Stage):
    """Everything that organizations, nodes and anybody else may try."""

    @property
    def training(self) -> Training:
        return self.contracts.training

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

    async def deposit(self, party: int, amount_wei: int) -> bool:
        return await self.step(
            "deposit",
            lambda trial: trial.stakes.deposit(party, amount_wei),
            lambda: self.contracts.stakes.deposit(
                self.world.id, party, amount_wei, signer=self.poster
            ),
        )

    async def unlock(self, party: int, amount_wei: int) -> bool:
        stakes = self.contracts.stakes
        nonce = self.world.stakes.stakes[party].nonce
        purse = key("purse", party).address
        asked = m.Unlocking(self.world.id, party, amount_wei, purse, nonce, ALWAYS)
        signature = m.sign(stakes.domain, asked, key("wallet", party))
        return await self.step(
            "unlock",
            lambda trial: trial.unlock(party, amount_wei),
            lambda: stakes.unlock(asked, signature, signer=self.poster),
        )

    async def withdraw(self, party: int) -> bool:
        return await self.step(
            "withdraw",
            lambda trial: trial.withdraw(party, key("purse", party).address),
            lambda: self.contracts.stakes.withdraw(self.world.id, party, signer=self.poster),
        )

    async def collect(self, recipient: str) -> bool:
        return await self.step(
            "collect",
            lambda trial: trial.collect(recipient),
            lambda: self.contracts.stakes.collect(recipient, signer=self.poster),
        )

    async def slash(self, run_id: bytes, registration: int, round_: int, same: bool) -> bool:
        """Proves that a node attested twice; `same`: it signed the same message twice."""
        node, prev = self.world.who.nodes[registration], bytes([round_]) * 32
        first, second = (
            m.Attestation(run_id, round_, prev, 0, bytes(32), root * 32, 1, 1, 0, b"", b"")
            for root in (b"\x01", b"\x01" if same else b"\x02")
        )
        signer = key("node", node.key)
        a, b = ((each, m.sign(self.training.domain, each, signer)) for each in (first, second))
        contradiction = (run_id, round_, prev, registration)
        return await self.step(
            "slash",
            lambda trial: trial.stakes.slash(contradiction, same, node.party, self.poster.address),
            lambda: self.contracts.stakes.slash_attestations(
                self.training.address, registration, a, b, signer=self.poster
            ),
        )

    async def create_run(self, party: int, name: str, generation: int) -> bool:
        domain, world = self.training.domain, self.world
        request = m.RunRequest(
            agreement=world.id,
            party=party,
            name=name,
            salt=bytes(32),
            generation=generation,
            deadline=ALWAYS,
        )
        run_id = m.run_id(
            domain.chain_id, domain.contract, world.id, name, generation, request.salt
        )
        signature = m.sign(domain, request, key("wallet", party))
        return await self.step(
            "create run",
            lambda trial: trial.create_run(run_id, party, name, generation),
            lambda: self.training.create_run(
                request, world.signed.terms, signature, signer=self.poster
            ),
        )

    async def fund(self, run_id: bytes, amount_wei: int) -> bool:
        return await self.step(
            "fund",
            lambda trial: trial.runs[run_id].purse.fund(amount_wei),
            lambda: self.contracts.rewards.fund(run_id, amount_wei, signer=self.poster),
        )

    async def _attestation(self, run_id: bytes, round_: int, same_prev: bool) -> m.Attestation:
        prev = (await self.training.run(run_id)).prev if same_prev else b"\x99" * 32
        roster = bytes([round_]) * 32
        merged = bytes([0x80 + round_]) * 32 if round_ else INITIAL_ROOT
        return m.Attestation(run_id, round_, prev, 0, roster, merged, 0, 0, 0, b"", b"")

    async def seal(self, run_id: bytes, seal: Seal) -> bool:
        agreed = replace(
            with_measured(
                await self._attestation(run_id, seal.round, seal.same_prev), seal.measured
            ),
            rejects=m.pack_rejects(seal.rejects),
        )
        signatures = {each: self._signed(each, agreed) for each in seal.signers}
        return await self.step(
            "seal",
            lambda trial: trial.runs[run_id].seal(trial.now, trial.who, trial.stakes, seal),
            lambda: self.training.seal(agreed, signatures, signer=self.poster),
        )

    async def seal_local(
        self, run_id: bytes, round_: int, rows: Rows, late: Rows, same_prev: bool = True
    ) -> bool:
        common = await self._attestation(run_id, round_, same_prev)
        settled = self.sealed.get(run_id, common)
        done = await self.step(
            "seal local",
            lambda trial: local(trial, run_id).seal_local(
                trial.now, trial.who, trial.stakes, round_, rows, late, same_prev
            ),
            lambda: self.training.seal_local(
                common, self._votes(common, rows), settled, self._votes(settled, late),
                signer=self.poster,
            ),
        )  # fmt: skip
        if done:
            self.sealed[run_id] = common
        return done

    async def add_rows(self, run_id: bytes, late: Rows) -> bool:
        settled = self.sealed.get(run_id) or await self._attestation(run_id, 0, True)
        return await self.step(
            "add rows",
            lambda trial: local(trial, run_id).add_rows(trial.who, late),
            lambda: self.training.add_rows(settled, self._votes(settled, late), signer=self.poster),
        )

    async def settle(self, run_id: bytes) -> bool:
        return await self.step(
            "settle",
            lambda trial: local(trial, run_id).settle(trial.now),
            lambda: self.training.settle(run_id, signer=self.poster),
        )

    async def reopen(self, run_id: bytes) -> bool:
        return await self.step(
            "reopen",
            lambda trial: trial.runs[run_id].reopen(trial.now, trial.who, trial.stakes),
            lambda: self.training.reopen(run_id, signer=self.poster),
        )

    async def close(self, run_id: bytes) -> bool:
        return await self.step(
            "close",
            lambda trial: trial.runs[run_id].close(trial.now, trial.who),
            lambda: self.training.close(run_id, signer=self.poster),
        )

    async def pardon(self, run_id: bytes, party: int, voters: tuple[int, ...]) -> bool:
        run = self.world.runs[run_id]
        asked = m.Pardon(run_id, party, ALWAYS, run.pardons)
        votes = {e: m.sign(self.training.domain, asked, key("wallet", e)) for e in voters}
        return await self.step(
            "pardon",
            lambda trial: trial.runs[run_id].pardon(trial.who, party, voters),
            lambda: self.training.pardon(asked, votes, signer=self.poster),
        )

    async def refund(self, run_id: bytes) -> bool:
        return await self.step(
            "refund",
            lambda trial: trial.refund(run_id),
            lambda: self.contracts.rewards.refund(run_id, signer=self.poster),
        )

    async def pay(self, run_id: bytes, amount_wei: int) -> bool:
        return await self.step(
            "pay",
            lambda trial: trial.runs[run_id].purse.pay(amount_wei),
            lambda: self.contracts.royalties.pay(run_id, amount_wei, signer=self.poster),
        )

    async def buy(self, run_id: bytes, most_wei: int) -> bool:
        licensee = key("licensee").address
        return await self.step(
            "buy",
            lambda trial: trial.runs[run_id].purse.buy(most_wei),
            lambda: self.contracts.royalties.buy(run_id, licensee, most_wei, signer=self.poster),
        )

    async def claim(
        self, royalties: bool, party: int, run_ids: tuple[bytes, ...], ahead: int = 0
    ) -> bool:
        """Claims by the wallet's signature, with a nonce that is `ahead` of the right one."""
        kind, contract = self._desk(royalties)
        purse = key("purse", party).address
        nonce = desk(self.world, royalties).nonces[party] + ahead
        asked = m.Claim(run_ids, party, purse, nonce, ALWAYS)
        signature = m.sign(contract.domain, asked, key("wallet", party))
        return await self.step(
            f"claim {kind}",
            lambda trial: trial.claim(desk(trial, royalties), party, run_ids, purse, nonce),
            lambda: contract.claim(asked, signature, signer=self.poster),
        )

    async def delegate(self, royalties: bool, party: int, claimer: int) -> bool:
        kind, contract = self._desk(royalties)
        whom, purse = key("claimer", claimer).address, key("purse", claimer).address
        nonce = desk(self.world, royalties).nonces[party]
        asked = m.Delegation(self.world.id, party, whom, purse, nonce, ALWAYS)
        signature = m.sign(contract.domain, asked, key("wallet", party))
        return await self.step(
            f"delegate {kind}",
            lambda trial: trial.delegate(desk(trial, royalties), party, whom, purse),
            lambda: contract.delegate(asked, signature, signer=self.poster),
        )

    async def claim_for(
        self, royalties: bool, party: int, run_ids: tuple[bytes, ...], claimer: int
    ) -> bool:
        kind, contract = self._desk(royalties)
        caller = key("claimer", claimer)
        return await self.step(
            f"claim {kind} for",
            lambda trial: trial.claim_for(desk(trial, royalties), party, run_ids, caller.address),
            lambda: contract.claim_for(run_ids, party, signer=caller),
        )

    def _desk(self, royalties: bool) -> tuple[str, Claims]:
        if royalties:
            return "royalties", self.contracts.royalties
        return "rewards", self.contracts.rewards

    def _signed(self, registration: int, attestation: m.Attestation) -> bytes:
        node = self.world.who.nodes[registration]
        return m.sign(self.training.domain, attestation, key("node", node.key))

    def _votes(self, common: m.Attestation, rows: Rows) -> m.Votes:
        made = {each: with_measured(common, row) for each, row in rows.items()}
        if not made:
            return m.Votes((), b"", ())
        return votes_of({each: (own, self._signed(each, own)) for each, own in made.items()})[1]


def desk(world: World, royalties: bool) -> Desk:
    return world.royalties if royalties else world.rewards


def with_measured(attestation: m.Attestation, measured: Measured) -> m.Attestation:
    return replace(
        attestation,
        loss_before=measured.loss_before,
        loss_after=measured.loss_after,
        metric=measured.metric,
        # Not by `pack_shares`, which refuses the bad rows that the contracts have to refuse too.
        shares=b"".join(p.to_bytes(2, "big") + b.to_bytes(2, "big") for p, b in measured.row),
    )
