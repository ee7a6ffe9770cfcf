"""One process: two listeners (people, nodes) and the tasks behind them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from marketplace.agents import routes as agent_routes
from marketplace.agents.tls import PeerCertificateProtocol
from marketplace.app import INDEXING, Market
from marketplace.errors import SettingsError
from marketplace.settings import Settings
from marketplace.storage.alone import alone
from marketplace.web import (
    agreement_pages,
    beginning_pages,
    description,
    draft_pages,
    homes,
    live,
    money_pages,
    node_pages,
    pages,
    problems,
)
from marketplace.web.limits import LimitRates
from marketplace.web.middleware import LimitBodies, SecurityHeaders
from marketplace.web.patience import PatientProtocol
from marketplace.web.repeats import Repeats
from marketplace.web.routes import (
    agreements,
    drafts,
    governance,
    leases,
    money,
    nodes,
    programs,
    runs,
    sessions,
)

_LOG = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "web" / "static"
_GRACE_S = 5
_BACKLOG = 2048


def web_app(market: Market) -> FastAPI:
    """The application of the listener for people."""
    app = FastAPI(
        title="Swarm learning marketplace",
        docs_url=None,  # would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=problems.DESCRIBED,
        dependencies=[Depends(description.known_parameters)],
        generate_unique_id_function=description.name_of,
        description=description.TEXT,
    )
    description.complete(app)
    app.state.market = market
    app.state.stopping = lambda: False
    settings = market.settings
    # The last one added is the first one asked.
    app.add_middleware(Repeats, market=market)
    app.add_middleware(LimitBodies)
    app.add_middleware(
        LimitRates,
        per_minute=settings.requests_per_minute,
        sign_ins_per_minute=settings.sign_ins_per_minute,
    )
    app.add_middleware(SecurityHeaders, https=settings.public_web_url.startswith("https:"))
    problems.install(app, pages.error_page)
    apis = (sessions, programs, drafts, governance, agreements, nodes, runs, leases, money)
    looks = (
        homes,
        node_pages,
        draft_pages,
        agreement_pages,
        beginning_pages,
        money_pages,
        pages,
        live,
    )
    for module in (*apis, *looks):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=_STATIC))
    return app


def agent_app(market: Market) -> FastAPI:
    """The application of the listener for nodes."""
    app = FastAPI(title="Agents", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.market = market
    app.add_middleware(LimitBodies)
    # A node says little; a site's nodes may share an address.
    app.add_middleware(
        LimitRates,
        per_minute=market.settings.requests_per_minute,
        sign_ins_per_minute=market.settings.requests_per_minute,
    )
    problems.install(app)
    app.include_router(agent_routes.router)
    return app


async def serve(settings: Settings) -> None:
    """Runs until a signal to stop, or until a part fails.

    Raises:
        SettingsError, KeyFileError, ChainError: it cannot start: a port is taken, or see
            `Market.open`.
    """
    with (
        _listening(settings.web_host, settings.web_port) as web,
        _listening(settings.agent_host, settings.agent_port) as agents,
        alone(settings.database),
    ):
        market = await Market.open(settings)
        try:
            await _run(market, {web: _web_server(market), agents: _agent_server(market)})
        finally:
            await market.close()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Accepted sockets inherit it. Left to asyncio it would stay off, as the socket does not
        # say that it is TCP, and every answer would wait 40 ms for the client's acknowledgment.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint="choose another with --web-port or --agent-port",
        ) from error


async def _run(market: Market, listeners: Mapping[socket.socket, _Server]) -> None:
    servers = list(listeners.values())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, servers)
    background = [
        asyncio.create_task(market.duties.keep(INDEXING, market.indexer.run), name="indexer"),
        asyncio.create_task(
            market.duties.keep(f"posting with {market.relayer.address}", market.post),
            name="relayer",
        ),
        asyncio.create_task(
            market.duties.keep("telling webhooks", market.webhooks.run), name="webhooks"
        ),
        asyncio.create_task(
            market.duties.keep("following agreements", market.follower.run), name="follower"
        ),
        asyncio.create_task(market.tls.keep_fresh(), name="certificate"),
    ]
    serving = [
        asyncio.create_task(server.serve(sockets=[taken]), name="listener")
        for taken, server in listeners.items()
    ]
    _LOG.info(
        "people: %s  nodes: %s  (certificate authority: built in, %s)",
        market.settings.public_web_url,
        market.settings.public_agent_url,
        market.authority.fingerprint,
    )
    # What was imported stays as long as the process does. Looking it through for garbage, again and
    # again, would cost the answer in whose middle it happens a third of a second.
    gc.collect()
    gc.freeze()
    # Whatever ends first ends all: a marketplace without its indexer would show old news.
    done, _ = await asyncio.wait([*serving, *background], return_when=asyncio.FIRST_COMPLETED)
    _stop(servers)
    for task in background:
        task.cancel()
    await asyncio.wait([*serving, *background])
    for task in done:
        task.result()


class _Server(uvicorn.Server):
    """A server that leaves signals to us: there are two of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _stop(servers: list[_Server]) -> None:
    for server in servers:
        server.should_exit = True


def _web_server(market: Market) -> _Server:
    settings = market.settings
    certificate, key = settings.web_tls_certificate, settings.web_tls_key
    app = web_app(market)
    server = _Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            forwarded_allow_ips=settings.proxy_addresses,
            ssl_certfile=certificate and settings.path(certificate),
            ssl_keyfile=key and settings.path(key),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    app.state.stopping = lambda: server.should_exit
    return server


def _agent_server(market: Market) -> _Server:
    return _Server(
        uvicorn.Config(
            agent_app(market),
            http=PeerCertificateProtocol,
            proxy_headers=False,
            ssl_context_factory=lambda _config, _default: market.tls.context,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
