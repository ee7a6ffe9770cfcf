"""`swarm-market reconcile | rebuild`: the books against the chain, and a lost database back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.errors import DoesNotAgree, InvalidInput, Unavailable

if TYPE_CHECKING:
    from marketplace.app import Market
    from marketplace.chain.rebuild import Restored
    from marketplace.money.reconciliation import Report
    from marketplace.storage.database import Database

_TRIES = 5
RpcUrl = Annotated[str | None, typer.Option(help="Ethereum endpoint; default: the settings'")]


def install(root: typer.Typer) -> None:
    """Adds the commands."""
    root.command("reconcile", epilog="Example: swarm-market reconcile --folder market")(reconcile)
    root.command(
        "rebuild",
        epilog="Example: swarm-market rebuild --folder market --text agreement.md",
    )(rebuild)


def reconcile(
    folder: options.Folder = options.DEFAULT_FOLDER,
    rpc_url: RpcUrl = None,
    as_json: options.Json = False,
) -> None:
    """Compares every account of the books with what the contracts answer at the same block."""

    async def compare(market: Market) -> Report:
        from marketplace.money import reconciliation

        await market.indexer.catch_up()
        return await reconciliation.compare(market.database, market.contracts)

    report = asyncio.run(_with_market(folder, rpc_url, compare))
    rows = [(each.what, each.book_wei, each.chain_wei) for each in report.differences]
    rows += [
        (f"postings of {account}", kept, counted)
        for account, (kept, counted) in report.miscounted.items()
    ]
    show(
        report.to_json(),
        as_json,
        f"block {report.block} of chain {report.chain_id}: {report.compared} figures of "
        f"{report.runs} runs, {report.accounts} accounts, {report.entries} entries compared",
        *(f"{wei} wei at {name} belong to nobody" for name, wei in report.strays_wei.items()),
        table(("differs", "books", "chain"), rows) if rows else "the books equal the chain",
    )
    if not report.agrees:
        raise DoesNotAgree(
            "the books differ from the chain",
            hint="swarm-market rebuild --check tells whether the index is to blame",
        )


def rebuild(
    folder: options.Folder = options.DEFAULT_FOLDER,
    text: Annotated[
        list[Path] | None,
        typer.Option(help="text of an agreement, recognized by its hash; repeatable"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="change nothing: rebuild beside it, and compare")
    ] = False,
    rpc_url: RpcUrl = None,
    as_json: options.Json = False,
) -> None:
    """Rebuilds a lost database from the chain; safe to repeat.

    What is on no chain does not come back: drafts, comments, sessions, tokens, usage reports,
    leases, webhooks, and the texts of agreements, which the parties have (--text).
    """
    texts = [_read(each) for each in text or []]
    if check:
        told = asyncio.run(_with_market(folder, rpc_url, _check))
        show(told, as_json, f"the same as the chain tells: {told['digest']}")
        return

    async def restore(market: Market) -> tuple[Restored, str, Report]:
        from marketplace.chain.rebuild import digest, restore_agreements
        from marketplace.money import reconciliation

        await market.indexer.catch_up()
        restored = await market.database.write(restore_agreements, texts)
        report = await reconciliation.compare(market.database, market.contracts)
        return restored, await market.database.read(digest), report

    restored, found, report = asyncio.run(_with_market(folder, rpc_url, restore))
    for missing in restored.without_text:
        note(f"the text of agreement {missing} is missing: get it from a party, and give --text")
    told = {
        "block": report.block,
        "entries": report.entries,
        "agreements": [*restored.with_text, *restored.without_text],
        "without_text": list(restored.without_text),
        "digest": found,
        "agrees": report.agrees,
    }
    show(
        told,
        as_json,
        f"read up to block {report.block}: {report.runs} runs, {report.entries} entries",
        f"agreements restored: {len(told['agreements'])}",
        f"digest of the read models: {found}",
    )
    if not report.agrees:
        raise DoesNotAgree("the books differ from the chain", hint="swarm-market reconcile")


async def _check(market: Market) -> dict[str, Any]:
    from marketplace.chain.indexer import Indexer
    from marketplace.chain.rebuild import digest, dump, first_difference
    from marketplace.storage import migrate
    from marketplace.storage.database import Database

    with tempfile.TemporaryDirectory() as beside:
        other = Database(f"sqlite:///{Path(beside) / 'rebuilt.sqlite3'}")
        try:
            migrate.upgrade(other.engine)
            first = market.settings.first_block
            indexer = Indexer(other, market.contracts, 1.0, first, market.notices)
            await _together(market, other, indexer)
            digests = [await each.read(digest) for each in (market.database, other)]
            if digests[0] != digests[1]:
                lines = [
                    await each.read(lambda session: list(dump(session)))
                    for each in (market.database, other)
                ]
                raise DoesNotAgree(
                    f"the read models are not what the chain tells: {first_difference(*lines)}",
                    hint="take a backup, empty the database, and run swarm-market rebuild",
                )
        finally:
            other.close()
    return {"digest": digests[0], "same": True}


async def _together(market: Market, other: Database, indexer: Any) -> None:
    """Brings both to the same block: the chain may go on meanwhile."""
    from marketplace.chain.indexer import indexed_block

    chain_id = market.contracts.deployment.chain_id
    for _ in range(_TRIES):
        await market.indexer.catch_up()
        await indexer.catch_up()
        blocks = [await each.read(indexed_block, chain_id) for each in (market.database, other)]
        if blocks[0] == blocks[1]:
            return
    raise Unavailable("the chain goes on faster than it is read", hint="try again")


async def _with_market(folder: Path, rpc_url: str | None, work: Any) -> Any:
    from marketplace.app import Market
    from marketplace.settings import load

    market = await Market.open(load(folder, rpc_url=rpc_url))
    try:
        return await work(market)
    finally:
        await market.close()


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {file}: {error}") from error
