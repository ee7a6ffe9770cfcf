"""What moves money: to the contracts and the model at once; who signs is decided here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from contracts import messages as m
from contracts.claims import Claims
from contracts.stakes import Kind
from tests.chain.machine.model import Desk, World
from tests.chain.machine.stage import ALWAYS, Stage, key


class MoneyActs(Stage):
    """Stakes and penalties, the pool of a run, what is paid for models."""

    async def deposit(self, party: int, amount_wei: int) -> bool:
        return await self.step(
            "deposit",
            lambda trial: trial.deposit(party, amount_wei),
            lambda: self.contracts.stakes.deposit(
                self.world.id, party, amount_wei, signer=self.poster
            ),
        )

    async def unlock(self, party: int, amount_wei: int) -> bool:
        stakes = self.contracts.stakes
        nonce = self.world.stakes.stakes[party].nonce
        purse = key("purse", party).address
        asked = m.Unlocking(self.world.id, party, amount_wei, purse, nonce, ALWAYS)
        signature, by = self.signed(stakes.domain, asked, party), self.wallet(party)
        return await self.step(
            "unlock",
            lambda trial: trial.unlock(party, amount_wei, by),
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

    async def slash(
        self, run_id: bytes, registration: int, kind: Kind, round_: int, same: bool
    ) -> bool:
        """Proves that a node contradicted itself; `same`: it signed the same message twice."""
        node, prev = self.world.who.nodes[registration], bytes([round_]) * 32
        first, second = (
            _contradicting(kind, run_id, registration, round_, root)
            for root in (b"\x01" * 32, (b"\x01" if same else b"\x02") * 32)
        )
        signer, domain = key("node", node.key), self.contracts.training.domain
        a, b = ((each, m.sign(domain, each, signer)) for each in (first, second))
        contradiction = (kind, run_id, round_, prev, registration)
        stakes = self.contracts.stakes
        post: Callable[..., Awaitable[object]] = {
            Kind.UPDATE: stakes.slash_updates,
            Kind.ROSTER: stakes.slash_rosters,
            Kind.ATTESTATION: stakes.slash_attestations,
        }[kind]
        return await self.step(
            f"slash {kind.name.lower()}s",
            lambda trial: trial.stakes.slash(
                contradiction, same, node.party, self.poster.address, trial.signed.bylaws
            ),
            lambda: post(self.contracts.training.address, registration, a, b, signer=self.poster),
        )

    async def fund(self, run_id: bytes, amount_wei: int) -> bool:
        return await self.step(
            "fund",
            lambda trial: trial.runs[run_id].purse.fund(amount_wei),
            lambda: self.contracts.rewards.fund(run_id, amount_wei, signer=self.poster),
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
        signature, by = self.signed(contract.domain, asked, party), self.wallet(party)
        return await self.step(
            f"claim {kind}",
            lambda trial: trial.claim(desk(trial, royalties), party, run_ids, purse, nonce, by),
            lambda: contract.claim(asked, signature, signer=self.poster),
        )

    async def claim_to(self, royalties: bool, party: int, run_ids: tuple[bytes, ...]) -> bool:
        """Claims by a transaction of the wallet's own."""
        kind, contract = self._desk(royalties)
        purse, wallet = key("purse", party).address, self.wallet(party)
        signer = self.signer_of(wallet)
        return await self.step(
            f"claim {kind} to",
            lambda trial: trial.claim_to(desk(trial, royalties), party, run_ids, purse, wallet),
            lambda: contract.claim_to(run_ids, party, purse, signer=signer),
        )

    async def price(
        self, run_id: bytes, price_wei: int, voters: tuple[int, ...], ahead: int
    ) -> bool:
        """Sets the price of a license, by vote."""
        royalties, nonce = self.contracts.royalties, self.world.runs[run_id].purse.priced + ahead
        asked = m.Pricing(run_id, price_wei, nonce, ALWAYS)
        votes, by = self.votes(royalties.domain, asked, voters)
        return await self.step(
            "price",
            lambda trial: trial.price(run_id, price_wei, by, nonce),
            lambda: royalties.set_price(asked, votes, signer=self.poster),
        )

    async def recount(self) -> bool:
        """Has the stakes compared with the minimum of now."""
        return await self.step(
            "recount",
            lambda trial: trial.stakes.recount(trial.signed.bylaws.min_stake),
            lambda: self.contracts.stakes.recount(self.world.id, signer=self.poster),
        )

    async def delegate(self, royalties: bool, party: int, claimer: int) -> bool:
        kind, contract = self._desk(royalties)
        whom, purse = key("claimer", claimer).address, key("purse", claimer).address
        nonce = desk(self.world, royalties).nonces[party]
        asked = m.Delegation(self.world.id, party, whom, purse, nonce, ALWAYS)
        signature = self.signed(contract.domain, asked, party)
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


def desk(world: World, royalties: bool) -> Desk:
    return world.royalties if royalties else world.rewards


def _contradicting(
    kind: Kind, run_id: bytes, registration: int, round_: int, root: bytes
) -> m.Struct:
    """One of the messages of which a node signs only one a round; `root` tells them apart."""
    prev = bytes([round_]) * 32
    if kind == Kind.UPDATE:
        return m.Update(run_id, round_, prev, registration, root, 1, 64)
    if kind == Kind.ROSTER:
        return m.Roster(run_id, round_, prev, 0, (registration,), root)
    return m.Attestation(run_id, round_, prev, 0, bytes(32), root, 1, 1, 0, b"", b"")
