"""The demo from beginning to end; each step is told in the module that it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import Contracts
from contracts.embedded import EmbeddedChain
from node_agent.engine.store import file_root
from scripts.demo import results
from scripts.demo.draft import BUDGET_WEI, Files, agreement_draft
from scripts.demo.figures import Rounds, chain_events, figures_of, money_of
from scripts.demo.folder import emptied, sockets_of
from scripts.demo.ledger import fund, refund, start_ledger
from scripts.demo.memory import MemoryWatch
from scripts.demo.models import compare, prepare_data, start_comparison
from scripts.demo.onboarding import Onboarding, start_marketplace
from scripts.demo.parties import ADMIN, INSTITUTES, SPONSOR, Wallet, new_wallets, save_wallets
from scripts.demo.processes import Processes
from scripts.demo.settings import Settings
from scripts.demo.training import Sites
from scripts.demo.view import View
from scripts.demo.watch import Watch

RUN = "breast-cancer"


@asynccontextmanager
async def demo(settings: Settings, view: View) -> AsyncIterator[Demo]:
    """The stage for one demo; on leaving, every process that was started is stopped."""
    async with AsyncExitStack() as stack:
        stack.enter_context(emptied(settings.folder))
        settings.logs.mkdir()
        folders = {each.key: settings.folder / "sites" / each.key for each in INSTITUTES}
        sockets = stack.enter_context(sockets_of(folders))
        chain = EmbeddedChain()
        stack.push_async_callback(chain.stop)
        processes = Processes(settings.logs)
        stack.push_async_callback(processes.stop_all)
        memory = MemoryWatch(processes.pids)
        watching = asyncio.create_task(memory.watch())
        stack.callback(watching.cancel)
        sites = Sites(processes, folders, sockets)
        yield Demo(settings, view, stack, chain, processes, memory, sites, new_wallets())


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo is played with."""

    settings: Settings
    view: View
    stack: AsyncExitStack
    chain: EmbeddedChain
    processes: Processes
    memory: MemoryWatch
    sites: Sites
    wallets: dict[str, Wallet]

    async def play(self) -> dict[str, Any]:
        """Everything from an empty folder to paid claims; returns the figures."""
        view, sites = self.view, self.sites
        async with asyncio.TaskGroup() as group:
            group.create_task(self._get_data())
            if self.settings.keep:
                keystores = self.settings.folder / "wallets"
                group.create_task(asyncio.to_thread(save_wallets, keystores, self.wallets))
            market = group.create_task(self._open_market())
        contracts, url = market.result()
        people = Onboarding(url, self.wallets, self.processes)
        self.stack.callback(people.close)
        run_id = await self._onboard(people, contracts)
        with view.phase("training", "the run is over"), view.live():
            watch = Watch(contracts, run_id, sites.sockets)
            await sites.follow(watch, view, self.settings.kills)
        with view.phase("results", "claims are paid, the rest is back at the sponsor"):
            _, (rounds, scores) = await asyncio.gather(
                self._settle(people, contracts, run_id), self._compare()
            )
        events = await chain_events(contracts, run_id)
        money = await money_of(contracts, run_id, events, self._addresses())
        figures = await figures_of(contracts, events, rounds, money)
        figures |= scores | {
            "seed": self.settings.seed,
            "final_model_hashes": sorted({file_root(m).hex() for m in sites.final_models()}),
            "phases_s": view.phases_s,
            "first_step_s": round(rounds.first_step_at() - view.started_at, 3),
            "peak_pss_mb": self.memory.peaks_mb(),
            "dashboard": f"{url}/runs/0x{run_id.hex()}",
            "wall_s": round(view.elapsed_s, 3),
        }
        results.show(view.console, figures, money)
        return figures

    async def _get_data(self) -> None:
        with self.view.phase("data", "data cut into three sites, a validation and a test set"):
            await prepare_data(self.processes, self.settings)
        # They import PyTorch, which takes seconds, and then wait: the sooner the better.
        await self.sites.start_training(self.settings)
        await start_comparison(self.processes, self.settings)

    async def _open_market(self) -> tuple[Contracts, str]:
        folder, admin = self.settings.folder / "market", self.wallets[ADMIN].address
        folder.mkdir(mode=0o700)
        with self.view.phase("marketplace", "marketplace started"):
            async with asyncio.TaskGroup() as group:
                chain = group.create_task(self._start_chain(folder))
                url = group.create_task(start_marketplace(self.processes, folder, admin, chain))
        return chain.result(), url.result()

    async def _start_chain(self, folder: Path) -> Contracts:
        with self.view.phase("chain", "chain started, contracts deployed"):
            contracts = await start_ledger(self.chain, folder, self.wallets[ADMIN].address)
        self.stack.push_async_callback(contracts.chain.close)
        if self.chain.pid is not None:
            self.processes.adopt("chain", self.chain.pid)
        return contracts

    async def _onboard(self, people: Onboarding, contracts: Contracts) -> bytes:
        """From a draft to a funded run with agents that answer; returns the run's id."""
        view, files = self.view, Files.below(self.settings.data)
        with view.phase("agreement", "agreement drafted, signed by all, in force on chain"):
            agreement = await people.agree(agreement_draft(self.settings, files, self.wallets))
        with view.phase("enrollment", "three nodes enrolled, approved by their owners"):
            await people.enroll(agreement, self.sites.folders)
        # Agents wait for a run that is not there yet: they may as well start meanwhile.
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_agents(files))
            run_id = group.create_task(self._create_run(people, contracts, agreement))
        return run_id.result()

    async def _start_agents(self, files: Files) -> None:
        environment = {
            "SWARM_NODE_RUN": RUN,
            "SWARM_NODE_INITIAL_PARAMETERS": str(files.initial),
            "SWARM_NODE_VALIDATION": str(files.validation),
        }
        with self.view.phase("agents", "three agents answer"):
            await self.sites.start_agents(environment)

    async def _create_run(self, people: Onboarding, contracts: Contracts, agreement: str) -> bytes:
        with self.view.phase("run", "run created, its pool funded by the sponsor"):
            run_id = await people.create_run(agreement, RUN)
            admin, sponsor = self.wallets[ADMIN], self.wallets[SPONSOR]
            await fund(contracts, run_id, admin, sponsor, BUDGET_WEI)
        return run_id

    async def _settle(self, people: Onboarding, contracts: Contracts, run_id: bytes) -> None:
        await people.claim(run_id)
        await refund(contracts, run_id, self.wallets[SPONSOR])

    async def _compare(self) -> tuple[Rounds, dict[str, Any]]:
        await self.sites.end_training()
        rounds = Rounds.read(self.sites.folders)
        model = self.sites.final_models()[0]
        return rounds, await compare(self.processes, rounds.count, model)

    def _addresses(self) -> dict[str, str]:
        return {name: wallet.address for name, wallet in self.wallets.items()}
