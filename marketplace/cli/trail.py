"""`swarm-market trail …`: who did what, and whether anybody tampered with that."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.output import show, table
from marketplace.clock import iso
from marketplace.errors import Tampered

app = typer.Typer(help="The audit trail: who changed what, when.", no_args_is_help=True)


@app.command("show", epilog="Example: swarm-market trail show --after 1200 --wallet admin.json")
def show_trail(
    after: Annotated[int, typer.Option(help="number of the last entry that you know")] = 0,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the entries; for admins and auditors of the marketplace."""
    with options.client(market, access, password_file) as client:
        found = client.trail(after)
    rows = [
        (
            each["number"],
            iso(each["at_s"]),
            each["who"],
            each["what"],
            ", ".join(f"{change['verb']} {change['table']}" for change in each["changes"]),
        )
        for each in found
    ]
    show(found, as_json, table(("entry", "when", "who", "what", "changed"), rows))


@app.command(
    "verify", epilog="Example: swarm-market trail verify --folder market --rpc-url http://…"
)
def verify(
    folder: options.Folder = options.DEFAULT_FOLDER,
    rpc_url: Annotated[
        str, typer.Option("--rpc-url", help="where to read the anchors; default: the settings'")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Recomputes every hash from the database, and compares it with the anchors on chain."""
    from marketplace.settings import load
    from marketplace.storage.database import Database
    from marketplace.trail import anchors, log

    settings = load(folder, rpc_url=rpc_url or None)
    database = Database(settings.database)
    try:
        verdict = database.read_now(log.verify)
        kept = database.read_now(anchors.kept)
    finally:
        database.close()
    broken = [*verdict.broken, *asyncio.run(anchors.compare(settings, kept))]
    shown: dict[str, Any] = {
        "entries": verdict.entries,
        "head": verdict.head,
        "anchors": len(kept),
        "broken": broken,
    }
    if broken:
        raise Tampered("; ".join(broken), hint="compare with a backup: swarm-market restore")
    show(
        shown,
        as_json,
        f"{verdict.entries} entries, {len(kept)} anchors on chain: nothing was changed",
        f"head: {verdict.head}",
    )
