"""Wiring: from settings to a running agent. The only place that knows all the parts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from contracts import Contracts
from contracts.chain import Chain
from contracts.deployment import Deployment
from contracts.errors import ChainError
from contracts.keys import load_key
from contracts.messages import Terms
from node_agent import lease
from node_agent.config import Settings
from node_agent.engine.archive import Archive, keep_rounds_of
from node_agent.engine.chain import Members, RunChain
from node_agent.engine.engine import Engine
from node_agent.engine.node import Node
from node_agent.engine.presence import SignsOfLife
from node_agent.engine.report import Reports
from node_agent.engine.store import Store
from node_agent.errors import ConfigError, MarketplaceError
from node_agent.identity.binding import NodeIdentity
from node_agent.identity.choose import source_for
from node_agent.identity.source import IdentitySource
from node_agent.identity.svid import Svid
from node_agent.joining import (
    check_files,
    check_lease,
    check_terms,
    find_registration,
    find_run,
)
from node_agent.journal import Journal
from node_agent.marketplace import MarketplaceClient
from node_agent.models.keeping import keep
from node_agent.models.library import Library
from node_agent.operations.metrics import Metrics
from node_agent.operations.storage import ARCHIVE, EXCHANGE, MODELS, make_room
from node_agent.operations.troubles import remembered
from node_agent.peers.client import PeerClient
from node_agent.peers.lines import Exchange
from node_agent.peers.outbound import Outbound
from node_agent.peers.protocol import Traffic
from node_agent.peers.server import PeerServer
from node_agent.peers.versions import SPOKEN, Spoken, Versions
from node_agent.proofs import Proofs
from node_agent.trainer import Trainer
from node_agent.usage.energy import Energy
from node_agent.usage.meter import Meter
from node_agent.usage.reports import UsageReports
from node_agent.welcome import admit, welcome

log = logging.getLogger(__name__)

_ASK_CHAIN_AGAIN_S = 5.0
_HEARTBEAT_S = 2.0  # so that the page of nodes is as fresh as people look at it


async def run_agent(settings: Settings, speaks: Versions = SPOKEN) -> None:
    """Take part in the run of the settings, until cancelled.

    ``speaks``: versions of the peers' protocol.
    A finished run is served on, so that late nodes and training processes get the final model.
    Raises ``NodeError`` or ``ChainError`` when the agent cannot start.
    """
    async with AsyncExitStack() as stack:
        troubles = stack.enter_context(remembered())
        journal = Journal(settings.folder / "journal.sqlite3")
        stack.callback(journal.close)
        signer = load_key(settings.node_key)
        deployment = Deployment.load(settings.deployment)
        chain = await stack.enter_async_context(await Chain.connect(settings.rpc_url))
        contracts = Contracts.at(chain, deployment)
        await contracts.check()

        source: IdentitySource
        market = _marketplace(settings, lambda: source.current())
        if market:
            stack.push_async_callback(market.close)
        renew = market.renew if market else _no_renewal
        source = await stack.enter_async_context(source_for(settings, renew))
        run_id = await find_run(contracts, settings)
        registration = await find_registration(contracts, settings, signer.address)
        check_lease(settings, journal, run_id)
        terms = await contracts.training.terms(run_id)
        rule = check_terms(terms)
        short = run_id.hex()[:16]
        archive = await _archive(settings, contracts, short)
        store = Store(settings.folder / EXCHANGE / short, archive)
        quota_bytes = round(settings.quota_gb * 1e9)
        await asyncio.to_thread(make_room, settings.folder, quota_bytes, short)
        await asyncio.to_thread(store.sweep)
        run = await contracts.training.run(run_id)
        start_root, name = run.initial_root, run.name
        schema = await asyncio.to_thread(check_files, settings, terms, start_root, store)

        identity = NodeIdentity(source, signer)
        agreement = bytes.fromhex(settings.agreement[2:])
        directory = Members(agreement, contracts.domains.consortium)
        run_chain = RunChain(contracts, run_id, signer, directory, journal)
        traffic = Traffic()
        lines = Exchange()
        spoken = Spoken(speaks)
        client = PeerClient(identity, directory, traffic, lines, spoken)
        client.detours = not settings.reachable
        stack.push_async_callback(client.close)
        energy = Energy()
        meter = Meter(settings.folder / "usage.sqlite3", "0x" + run_id.hex(), traffic, energy)
        stack.callback(meter.close)
        usage = UsageReports("0x" + run_id.hex(), settings.spiffe_id, signer, journal, meter)
        engine: Engine | None = None
        outbound: Outbound | None = None

        def status() -> Mapping[str, Any]:
            about: dict[str, Any] = {
                "version": version("swarm-marketplace"),
                "svid_expires_s": int(source.current().not_after_s),
                "troubles": troubles.recent(),
            }
            if engine is None:
                return {"state": "starting", "node": settings.spiffe_id, **about}
            about["protocol"] = str(spoken.own)
            about["peers_protocol"] = {name: str(each) for name, each in spoken.others.items()}
            about["inbound"] = settings.reachable
            about["lines"] = outbound.connected if outbound else []
            if presence.status:
                about["suspected"] = presence.status
            return {**engine.status(), "usage": usage.status(), **about}

        trainer = Trainer(
            settings.socket,
            welcome=lambda: welcome(settings, run_id, name, terms, rule, status()),
            admit=lambda message: admit(message, schema),
            status=status,
            answer_timeout_s=settings.evaluate_timeout_s,
            trained=meter.trained,
            pause=lambda paused: node.pause(paused),
        )
        node = Node(
            registration=registration,
            spiffe_id=settings.spiffe_id,
            signer=signer,
            journal=journal,
            store=store,
            client=client,
            trainer=trainer,
            chain=run_chain,
            reports=Reports(settings.folder / "rounds.jsonl"),
            meter=meter,
            schema=schema,
            rule=rule,
            traffic=traffic,
            message_timeout_s=settings.message_timeout_s,
            transfer_timeout_s=settings.transfer_timeout_s,
            ready_timeout_s=settings.ready_timeout_s,
            ready_organizations=settings.ready_organizations,
            inbound=settings.reachable,
            proofs=Proofs(settings.folder, contracts.training.address),
        )
        stack.callback(node.stop)
        presence = SignsOfLife(contracts, agreement, registration, signer)
        # Read before serving: the server knows its peers from the first request on.
        engine = Engine(node, (await run_chain.read()).round)
        # Who accepts nothing from outside still listens: for what comes over its own lines.
        at = (settings.listen_host, settings.listen_port)
        host, port = at if settings.reachable else ("127.0.0.1", 0)
        server = PeerServer(identity, directory, engine, host, port, traffic, lines, spoken)
        stack.push_async_callback(server.stop)
        port = await server.start()
        if not settings.reachable:
            outbound = Outbound(client, directory.peers, settings.spiffe_id, port)
        await stack.enter_async_context(_serving(trainer.start, trainer.stop))
        if settings.metrics_listen:
            metrics = Metrics(
                settings.metrics_listen,
                status,
                traffic,
                lambda: source.current().not_after_s,
                settings.folder,
            )
            await stack.enter_async_context(_serving(metrics.start, metrics.stop))
        log.info("%s takes part in %s as number %d.", settings.spiffe_id, name, registration)
        async with asyncio.TaskGroup() as group:
            group.create_task(_take_part(engine, node, terms, settings))
            group.create_task(energy.keep_reading())
            group.create_task(presence.watch())
            if outbound:
                group.create_task(outbound.run())
            if market:
                group.create_task(_report(market, status, usage))
                group.create_task(
                    lease.keep_fresh(settings.lease, settings.lease_key, market.lease)
                )
            await asyncio.Event().wait()


async def _archive(settings: Settings, contracts: Contracts, run: str) -> Archive:
    """Where past rounds' files go, and for how long: as long as the agreement lets them matter."""
    agreement = bytes.fromhex(settings.agreement[2:])
    keep_s = (await contracts.consortium.bylaws(agreement)).dispute_time
    keep_bytes = round(settings.archive_gb * 1e9)
    folder = settings.folder / ARCHIVE
    await asyncio.to_thread(keep_rounds_of, folder, keep_s, keep_bytes)
    return Archive(folder / run, keep_s, keep_bytes)


async def _take_part(engine: Engine, node: Node, terms: Terms, settings: Settings) -> None:
    """Play the run to its end, and keep its model."""
    over = await engine.run()
    merged = await node.model(over, over.merged_root)
    chain, library = node.chain, Library(settings.folder / MODELS)
    while True:
        try:
            await keep(
                library, chain.contracts, settings.spiffe_id, chain.run_id, terms, over, merged
            )
            return
        except ChainError as error:
            log.warning("The model is kept once the chain answers: %s", error)
            await asyncio.sleep(_ASK_CHAIN_AGAIN_S)  # it sends no word when it is back
        except OSError as error:
            log.error("The model cannot be kept, its file stays at %s: %s", merged, error)
            return


@asynccontextmanager
async def _serving(start: Callable[[], Any], stop: Callable[[], Any]) -> AsyncIterator[None]:
    await start()
    try:
        yield
    finally:
        await stop()


def _marketplace(settings: Settings, svid: Callable[[], Svid]) -> MarketplaceClient | None:
    if settings.marketplace_url is None:
        return None
    authorities = settings.folder / "bundle.pem"
    if not authorities.is_file():
        raise ConfigError(
            f"{authorities} is missing, so the marketplace cannot be told from an impostor",
            hint="run `swarm-node enroll`, or remove `marketplace_url`",
        )
    return MarketplaceClient(settings.marketplace_url, authorities.read_bytes(), svid)


async def _no_renewal(csr_pem: bytes) -> tuple[bytes, bytes]:
    raise MarketplaceError("no marketplace_url is set, so the SVID cannot be renewed there")


async def _report(
    market: MarketplaceClient, status: Callable[[], Mapping[str, Any]], usage: UsageReports
) -> None:
    """Heartbeats for the page of nodes, and reports of usage; nothing depends on them."""
    while True:
        with suppress(MarketplaceError):
            await market.report(status())
            await usage.deliver(market.usage)
        await asyncio.sleep(_HEARTBEAT_S)  # the interval is the purpose
