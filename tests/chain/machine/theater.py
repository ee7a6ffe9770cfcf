"""Agreements of different terms on one chain, each with a funded run, and a task to be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import messages as m
from contracts.chain import Block
from contracts.deployment import Contracts, deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer
from contracts.taskrunner import Change
from tests.chain.machine.acts import Acts
from tests.chain.machine.model import World
from tests.chain.machine.stage import key
from tests.chain.machine.tasks import Task
from tests.chain.machine.together import Together
from tests.chain.people import make_agreement

ORGANIZATIONS = ("hospital-a", "hospital-b", "clinic-c", "clinic-d")
STAKE_WEI = 1_003
POOL_WEI = 10**21 + 3  # nothing divides it
CAP_WEI = 10**27
DAY_S = 86_400
WALLET_DELAY_S = 5_000

# Between them, what a run's money and its end can depend on.
VARIANTS: dict[str, dict[str, Any]] = {
    "common": {"metering": 2, "strikes": 2, "strike_rounds": 3, "quarantine_time": 500,
               "license_price": 77, "min_peers": 2, "max_rounds": 6},
    "local": {"metering": 3, "validation_root": bytes(32), "max_rounds": 2, "license_price": 5},
    "local, an equal part each round": {"metering": 3, "validation_root": bytes(32),
                                        "budget_rule": 1, "patience": 2, "max_rounds": 6},
    "equal, paid at the end": {"metering": 0, "payout": 1, "budget_rule": 1, "max_rounds": 3,
                               "license_price": 77},
    "size, by a metric, with probation": {"metering": 1, "stopping": 2, "target_metric": 90,
                                          "patience": 2, "probation": 5_000, "max_rounds": 5},
}  # fmt: skip
STAKED = ("common", "local")
LATE = "size, by a metric, with probation"  # the last organization joins after the run began


@dataclass(slots=True)
class Theater:
    """A chain with everything set up, to come back to."""

    contracts: Contracts
    poster: Signer
    worlds: dict[str, World] = field(default_factory=dict)
    snapshot: str = ""

    async def stage(self, variant: str) -> Acts:
        """Goes back to the beginning; returns one of the agreements, to play with."""
        chain = self.contracts.chain
        if self.snapshot:
            assert await chain.request("evm_revert", self.snapshot)
        self.snapshot = await chain.request("evm_snapshot")
        latest = await chain.block()
        assert isinstance(latest, Block)
        world = self.worlds[variant].copy()
        world.now = latest.timestamp
        others = [each for name, each in self.worlds.items() if name != variant]
        others_wei = {
            self.contracts.rewards.address: sum(
                run.purse.held_wei for other in others for run in other.runs.values()
            ),
            self.contracts.stakes.address: sum(each.stakes.held_wei for each in others),
        }
        return Acts(self.contracts, self.poster, world, others_wei)

    async def found(self, variant: str) -> None:
        """Brings an agreement into force, by the machine's own steps from its first node on."""
        chain, consortium = self.contracts.chain, self.contracts.consortium
        latest = await chain.block()
        assert isinstance(latest, Block)
        wallets = {name: key("wallet", party) for party, name in enumerate(ORGANIZATIONS)}
        bylaws = m.Bylaws(
            penalty_recipient=key(f"charity of {variant}").address,
            min_stake=STAKE_WEI if variant in STAKED else 0,
            dispute_time=DAY_S,
            max_nodes=2,
            answer_time=900,
            wallet_delay=WALLET_DELAY_S,
        )
        sponsor = key(f"sponsor of {variant}").address
        agreement = make_agreement(wallets, sponsor, latest.timestamp, bylaws, **VARIANTS[variant])
        signatures = [m.sign(consortium.domain, agreement, each) for each in wallets.values()]
        await consortium.activate(agreement, signatures, signer=self.poster)
        self.worlds[variant] = World.of(agreement, latest.timestamp)
        acts = await self.stage(variant)
        parties = range(len(ORGANIZATIONS) - (variant == LATE))
        for party in parties:
            await acts.enroll(party, "node-1", party)
            if variant in STAKED:
                await acts.deposit(party, STAKE_WEI)
        await acts.create_run(0, "first", 1)
        (run_id,) = acts.world.runs
        await acts.fund(run_id, POOL_WEI)
        await acts.create_task(Task(0, 0, "task-0", "", "made-0", b"\x01" * 32))
        await acts.change_task(0, "task-0", Change.FINALIZE, b"\x01" * 32)
        await acts.create_runner(0, "runner-0")
        for party in parties[:-1]:
            await acts.enroll_agent("runner-0", party)
        self.worlds[variant] = acts.world
        self.snapshot = ""


@asynccontextmanager
async def open_theater(folder: Path) -> AsyncIterator[Theater]:
    """Starts a chain, deploys, and founds every variant."""
    async with EmbeddedChain() as embedded:
        await embedded.start(folder)
        async with await Together.connect(embedded.rpc_url) as chain:
            treasury = embedded.deployer
            deployment = await deploy(chain, treasury, treasury.address, "Swarm", CAP_WEI)
            contracts = Contracts.at(chain, deployment)
            await contracts.token.mint(treasury.address, 10**26, signer=treasury)
            spenders = (contracts.rewards, contracts.stakes, contracts.royalties)
            await asyncio.gather(
                *(contracts.token.approve(each.address, 10**26, signer=treasury)
                  for each in spenders)
            )  # fmt: skip
            theater = Theater(contracts, treasury)
            for variant in VARIANTS:
                await theater.found(variant)
            yield theater
