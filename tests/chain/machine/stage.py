"""The real contracts beside the model: each step is done to both, and then they are compared."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from eth_abi.abi import encode
from eth_hash.auto import keccak

from contracts import messages as m
from contracts.deployment import Contracts
from contracts.errors import ContractReverted
from contracts.keys import Signer
from tests.chain.machine.checks.membership import of_agreement, of_membership
from tests.chain.machine.checks.money import of_balances, of_purse, of_stakes
from tests.chain.machine.checks.runs import of_run
from tests.chain.machine.checks.tasks import of_registry, of_tasks
from tests.chain.machine.landmarks import landmarks
from tests.chain.machine.model import World
from tests.chain.machine.refusal import Refused

STEP_S = 1  # between two blocks, unless time passes
ALWAYS = 2**40 - 1  # a deadline: the machine lets years pass
MOST = range(6)  # parties that an agreement may come to have
Ballots = tuple[dict[int, bytes], dict[int, str]]  # by party: signatures, and whose they are


@functools.cache
def key(role: str, number: int = 0) -> Signer:
    """The key of a role: always the same, so that a failure comes back."""
    return Signer(hashlib.sha256(f"{role} {number}".encode()).digest())


WALLETS = {signer.address: signer for signer in (key("wallet", party) for party in MOST)}


def named_id(agreement: bytes, name: str) -> bytes:
    """Of a task or a taskrunner."""
    return bytes(keccak(encode(["bytes32", "string"], [agreement, name])))


@dataclass(slots=True)
class Stage:
    """One world twice.

    Attributes:
        contracts: of a chain that nobody else uses; its time is set block by block.
        poster: posts everything; what it may do follows from what others signed.
        world: the model.
        others_wei: what Rewards and Stakes hold for other agreements.
        sealed: run to what was sealed last and signed by all alike, of local runs.
        reached: how often each action succeeded, and was refused by which error.
        keys: of all wallets that there ever were, by address.
        stale: whether organizations sign with the wallets that they had before.
    """

    contracts: Contracts
    poster: Signer
    world: World
    others_wei: dict[str, int]
    sealed: dict[bytes, m.Attestation] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)
    keys: dict[str, Signer] = field(default_factory=dict)
    stale: bool = False

    def new_wallet(self) -> str:
        """One that nobody had before."""
        fresh = key("wallet", len(MOST) + len(self.keys))
        self.keys[fresh.address] = fresh
        return fresh.address

    def wallet(self, party: int) -> str:
        """By which the party signs what the next step posts."""
        wallets, now = self.world.who.wallets, self.world.now + STEP_S
        if party >= len(wallets.seats):
            return key("wallet", party).address
        return wallets.before(now, party) if self.stale else wallets.of(now, party)

    def signed(self, domain: m.Domain, message: m.Struct, party: int) -> bytes:
        """The party's signature."""
        return self.signed_by(domain, message, self.wallet(party))

    def signed_by(self, domain: m.Domain, message: m.Struct, wallet: str) -> bytes:
        return m.sign(domain, message, self.signer_of(wallet))

    def signer_of(self, wallet: str) -> Signer:
        return self.keys.get(wallet) or WALLETS[wallet]

    def votes(self, domain: m.Domain, message: m.Struct, voters: Sequence[int]) -> Ballots:
        """What the contracts want to see, and what the model does."""
        return (
            {each: self.signed(domain, message, each) for each in voters},
            {each: self.wallet(each) for each in voters},
        )

    async def step(
        self, label: str, model: Callable[[World], None], post: Callable[[], Awaitable[object]]
    ) -> bool:
        """Does something to both; returns whether they did it, as both have to agree."""
        trial = self.world.copy()
        trial.now += STEP_S
        refused: Refused | None = None
        try:
            model(trial)
        except Refused as expected:
            refused = expected
        await self.contracts.chain.request("evm_setNextBlockTimestamp", trial.now)
        refusal = await _refusal(post())
        if refusal is not None:
            assert refused, f"{label} was refused by {refusal.name} {refusal.values}: {refusal}"
            said = {name: refusal.values.get(name) for name in refused.values}
            assert (refusal.name, said) == (refused.name, refused.values), label
            self.reached[f"{label}: {refusal.name}"] += 1
            return False
        assert refused is None, f"{label} should be refused: {refused}"
        before, self.world = self.world, trial
        self.reached[label] += 1
        self.reached.update(landmarks(label, before, trial))
        await self.compare()
        return True

    async def wait(self, seconds: int) -> None:
        """Lets time pass, which is a step of its own: states follow from the time."""
        before, self.world = self.world, self.world.copy()
        self.world.now += seconds
        await self.contracts.chain.request("evm_setNextBlockTimestamp", self.world.now)
        await self.contracts.chain.request("evm_mine")
        self.reached["wait"] += 1
        self.reached.update(landmarks("wait", before, self.world))
        await self.compare()

    async def compare(self) -> None:
        """Asks the contracts for every number and state that the model knows."""
        contracts, world, poster = self.contracts, self.world, self.poster.address
        names = {*world.board.tasks, *world.board.runners}
        ids = {name: named_id(world.id, name) for name in names}
        checks = [
            *of_agreement(contracts, world),
            *of_membership(contracts, world, poster),
            *of_stakes(contracts, world, poster),
            *of_balances(contracts, world, poster, self.others_wei),
            *of_tasks(contracts, world, ids),
            *of_registry(contracts, world),
        ]
        for run_id, run in world.runs.items():
            run.purse.check()
            checks += [*of_run(contracts, run_id, run), *of_purse(contracts, world, run_id, run)]
        found = await asyncio.gather(*(each for _, each, _ in checks))
        wrong = [
            f"{what}: {got} on chain, {want} expected"
            for (what, _, want), got in zip(checks, found, strict=True)
            if got != want
        ]
        assert not wrong, "\n".join(wrong)


async def _refusal(posted: Awaitable[object]) -> ContractReverted | None:
    try:
        await posted
    except ContractReverted as error:
        return error
    return None
