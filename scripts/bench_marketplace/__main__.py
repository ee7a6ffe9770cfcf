"""`make bench-marketplace`: how long people wait for pages when the marketplace is full.

Fifty organizations under one agreement, a node each, and a run of 2,000 sealed rounds beside a few
small ones, in a PostgreSQL of its own. The server is `swarm-market serve`, the chain a real one;
every page of the three homes and what lies behind them is asked for by an admin, an owner and an
operator, one at a time and eight at once. The baseline is an answer of the same server that reads
nothing (/healthz). Writes build/bench/marketplace.json, with the number of queries and the plan of
the slowest one of each page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from contracts.chain import Chain
from contracts.deployment import deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer, new_key
from marketplace.app import Market
from marketplace.cli.operate import init
from marketplace.client import MarketClient
from marketplace.nodes.registry import present
from marketplace.serving import web_app
from marketplace.settings import load
from scripts.bench_marketplace import filling
from scripts.bench_marketplace.founding import Consortium
from scripts.bench_marketplace.pages import BASELINE, Page, Role, pages
from scripts.bench_marketplace.plans import work_of
from scripts.bench_marketplace.servers import Serving, postgres, serving
from scripts.bench_marketplace.timing import measure

OUT = Path("build/bench/marketplace.json")
GOAL_MS = 100
_TOKENS = 10**27
_SMALL_RUNS, _SMALL_ROUNDS = 5, 24
_CLIENTS = 8
_OPERATED = 10  # organizations
console = Console(stderr=True, width=140)


async def bench(options: argparse.Namespace) -> dict[str, Any]:
    """Fill a marketplace, measure its pages, and say what was found."""
    with tempfile.TemporaryDirectory() as name, postgres() as database:
        folder = Path(name)
        async with EmbeddedChain() as embedded:
            rpc_url = await embedded.start(folder / "chain")
            world, counts = await _fill(folder, embedded, database.url, options)
            try:
                listed = pages(
                    world.agreement_id, world.run_ids, world.draft_ids, next(iter(world.wallets))
                )
                listed = [each for each in listed if options.only in each.path]
                with serving(database, folder, rpc_url) as server:
                    tokens = await asyncio.to_thread(_sign_in, server.url, world)
                    results = await asyncio.to_thread(_measure, server, listed, tokens, options)
                app = web_app(world.market)
                for page, result in zip(listed, results["pages"], strict=True):
                    result["database"] = asdict(
                        await work_of(world.market, app, page.path, tokens[page.role])
                    )
            finally:
                await world.market.close()
    return {"world": counts, **results}


async def _fill(
    folder: Path, embedded: EmbeddedChain, database_url: str, options: argparse.Namespace
) -> tuple[Consortium, dict[str, Any]]:
    started = time.monotonic()
    admin, treasury = new_key(), embedded.deployer
    init(folder, [admin.address], "swarm.example", as_json=False)
    async with await Chain.connect(embedded.rpc_url) as chain:
        deployment = await deploy(chain, treasury, treasury.address, "Swarm", _TOKENS)
    deployment.save(folder / "deployment.json")
    settings = load(folder, rpc_url=embedded.rpc_url, database_url=database_url)
    market = await Market.open(settings)
    wallets = {f"clinic-{n:02}": new_key() for n in range(1, options.organizations + 1)}
    world = Consortium(market, admin, treasury, wallets)
    console.print(f"{len(wallets)} organizations sign and enroll …")
    await world.agree(max_rounds=2 * options.rounds)
    await world.enroll()
    runs = [(await world.start("tumors"), options.rounds)]
    for number in range(_SMALL_RUNS):
        runs.append((await world.start(f"trial-{number}"), min(_SMALL_ROUNDS, options.rounds)))
    await world.negotiate(drafts=30, pending=12, motions=6)
    await world.appoint(_OPERATED)
    console.print(f"{options.rounds} rounds are entered, with what they cost and paid …")
    known = await market.database.read(present, world.agreement_id)
    by_party = {each.party: each for each in known.values()}
    registrations = [by_party[n].registration for n in range(len(wallets))]
    await filling.seal(
        market.database, market.contracts, runs, list(wallets.values()), registrations
    )
    nodes = {
        spiffe_id: ("1.4.0" if each.party % 5 else "1.3.2", _key(world, each.key))
        for spiffe_id, each in known.items()
    }
    large = [run for run, _ in runs[:1]]
    await filling.report(market.database, large, nodes, market.clock())
    await market.database.write(filling.analyze)
    counts = await market.database.read(filling.counts)
    return world, {"filled_in_s": round(time.monotonic() - started, 1), "rows": counts}


def _key(world: Consortium, address: str) -> Signer:
    return next(key for key in world.nodes.values() if key.address == address)


def _sign_in(url: str, world: Consortium) -> dict[Role, str]:
    wallets: dict[Role, Signer] = {
        "admin": world.admin,
        "owner": next(iter(world.wallets.values())),
        "operator": world.operator,
    }
    tokens: dict[Role, str] = {}
    for role, wallet in wallets.items():
        with MarketClient(url, wallet) as client:
            tokens[role] = str(client.sign_in()["token"])
    return tokens


def _measure(
    server: Serving, listed: list[Page], tokens: dict[Role, str], options: argparse.Namespace
) -> dict[str, Any]:
    url = server.url
    baseline = {
        "sequential": measure(url, BASELINE, tokens["owner"], options.requests),
        "concurrent": measure(url, BASELINE, tokens["owner"], options.requests, _CLIENTS),
    }
    found: list[dict[str, Any]] = []
    for page in listed:
        console.print(f"{page.role}: {_short(page.path)} …", style="dim")
        requests = min(page.most or options.requests, options.requests)
        before_s = server.cpu_s()
        took = measure(url, page.path, tokens[page.role], requests)
        cpu_s = server.cpu_s() - before_s
        together = measure(url, page.path, tokens[page.role], requests, _CLIENTS)
        found.append(
            {
                "role": page.role,
                "path": page.path,
                "asks_chain": page.asks_chain,
                "sequential": asdict(took),
                "concurrent": asdict(together),
                "cpu_ms": 1_000 * cpu_s / (took.requests + took.warm_up),
                "ratio_p50": took.p50_ms / baseline["sequential"].p50_ms,
                "meets_goal": took.p95_ms < GOAL_MS,
            }
        )
    load = os.getloadavg()[0]
    return {
        "baseline": {"path": BASELINE} | {name: asdict(each) for name, each in baseline.items()},
        "goal_p95_ms": GOAL_MS,
        "clients": _CLIENTS,
        "machine": {"cores": os.cpu_count(), "load_1min": load},
        "pages": found,
    }


def _show(figures: dict[str, Any]) -> None:
    table = Table(
        "as", "page", "queries", "db", "cpu", "p50", "p95", "max", "× base", "p95 of 8", "kB"
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for each in figures["pages"]:
        took, together, work = each["sequential"], each["concurrent"], each["database"]
        table.add_row(
            each["role"],
            _short(each["path"]) + (" (chain)" if each["asks_chain"] else ""),
            str(work["queries"]),
            f"{work['queries_ms']:.0f}",
            f"{each['cpu_ms']:.0f}",
            f"{took['p50_ms']:.0f}",
            f"{took['p95_ms']:.0f}",
            f"{took['max_ms']:.0f}",
            f"{each['ratio_p50']:.0f}",
            f"{together['p95_ms']:.0f}",
            f"{took['answer_bytes'] / 1_000:.0f}",
            style="" if each["meets_goal"] else "bold",
        )
    base = figures["baseline"]["sequential"]
    table.caption = (
        f"milliseconds; cpu: of server and PostgreSQL for each request; base: {BASELINE}, "
        f"p50 {base['p50_ms']:.1f}, p95 {base['p95_ms']:.1f}; bold: p95 not below {GOAL_MS}"
    )
    Console(width=130).print(table)


def _short(path: str) -> str:
    """Ids, that nobody reads, cut down."""
    return "/".join(
        "&".join(
            part if "0x" not in part else part[: part.index("0x") + 6] + "…"
            for part in piece.split("&")
        )
        if "0x" in piece
        else (piece if len(piece) < 24 else piece[:8] + "…")
        for piece in path.split("/")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: --requests 200 --plans")
    parser.add_argument("--organizations", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2_000, help="of the large run")
    parser.add_argument("--requests", type=int, default=56, help="to each page, each way")
    parser.add_argument("--only", default="", help="pages whose path has this in it")
    parser.add_argument("--plans", action="store_true", help="print the slowest queries' plans")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    figures = asyncio.run(bench(options))
    _show(figures)
    if options.plans:
        for each in figures["pages"]:
            work = each["database"]
            print(f"\n{each['role']} {_short(each['path'])}: {work['slowest_ms']:.1f} ms")
            print(work["slowest"], *work["plan"], sep="\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"Written to {options.out}.")


if __name__ == "__main__":
    main()
