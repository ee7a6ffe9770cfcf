"""`swarm-market rewards statement`, `verify-statement`: what was earned, and the proof."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from marketplace.agreements.document import token_amount
from marketplace.cli import options
from marketplace.cli.output import note, show
from marketplace.errors import DoesNotAgree, InvalidInput

_FORMS = ("json", "csv", "pdf")


def install(root: typer.Typer, rewards: typer.Typer) -> None:
    """Adds the commands."""
    rewards.command(
        "statement",
        epilog="Example: swarm-market rewards statement clinic-a --period 2026-Q3 "
        "--out clinic-a.pdf --wallet clinic-a.json",
    )(statement)
    root.command(
        "verify-statement",
        epilog="Example: swarm-market verify-statement clinic-a.json --rpc http://127.0.0.1:8545",
    )(verify_statement)


def statement(
    organization: Annotated[str, typer.Argument(help="as its agreements call it")],
    access: options.Access = None,
    period: Annotated[
        str, typer.Option(help="2026, 2026-Q3, 2026-07, 2026-07-01..2026-07-15 (UTC), or all")
    ] = "all",
    out: Annotated[
        Path | None, typer.Option(help="file to write: .json, .csv or .pdf; default: stdout")
    ] = None,
    form: Annotated[str, typer.Option(help="json, csv or pdf; default: by the file's name")] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
) -> None:
    """Fetches an organization's statement; the JSON is the one that is signed and verified."""
    chosen = form or (out.suffix.removeprefix(".") if out is not None else "") or "json"
    if chosen not in _FORMS:
        raise InvalidInput(f"statements have no form {chosen!r}", hint="json, csv or pdf")
    with options.client(market, access, password_file) as client:
        data = client.statement(organization, period, chosen)
    if out is None:
        sys.stdout.buffer.write(data)
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"cannot write {out}: {error.strerror}") from error
    note(f"{out}: {len(data)} bytes")


def verify_statement(
    file: Annotated[Path, typer.Argument(help="the statement's JSON")],
    rpc: Annotated[str, typer.Option("--rpc", help="any Ethereum endpoint of the chain")],
    deployment: Annotated[
        Path | None,
        typer.Option(help="contracts you trust; default: any that have our contracts' code"),
    ] = None,
    issuer: Annotated[
        str, typer.Option(help="key that it has to be signed with, 64 hexadecimal digits")
    ] = "",
    from_block: Annotated[
        int, typer.Option(min=0, help="begin to read here: the deployment's block or earlier")
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Computes a statement again from the chain alone, and names the first difference.

    No marketplace is asked, and nothing that it signed is taken for true.
    """
    from contracts.chain import Chain
    from contracts.deployment import Deployment
    from marketplace.money.envelope import LARGEST_BYTES
    from marketplace.money.verification import Verdict, verify

    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_BYTES)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from error
    trusted = Deployment.load(deployment) if deployment is not None else None

    async def check() -> Verdict:
        async with await Chain.connect(rpc) as chain:
            return await verify(data, chain, deployment=trusted, from_block=from_block)

    verdict = asyncio.run(check())
    found, told = verdict.envelope.statement, verdict.to_json()
    key_fits = not issuer or issuer.lower().removeprefix("0x") == verdict.envelope.key
    lines = [
        f"organization  {found.organization}, wallet {verdict.envelope.wallet}",
        f"contract      {found.contract} on chain {found.chain_id}",
        f"blocks        {found.period.first_block} to {found.period.last_block}",
        f"recomputed    {len(found.lines)} rounds and {len(found.movements)} other movements, "
        f"from {verdict.records} events",
        f"credited      {token_amount(found.totals.credited_wei)} tokens",
        f"to be claimed {token_amount(found.closing_wei)} tokens",
        f"signature     {'valid' if verdict.signed else 'NOT VALID'}, key {verdict.envelope.key}",
        *(f"not checked   {each}" for each in verdict.unknown),
        *(f"DIFFERENT     {each}" for each in verdict.differences),
    ]
    holds = verdict.holds and key_fits
    show(told | {"holds": holds}, as_json, *lines, *(["holds: all as on chain"] if holds else []))
    if verdict.differences:
        raise DoesNotAgree(
            f"the statement is wrong: {verdict.differences[0]}",
            hint="ask who issued it; what the contracts owe you is not changed by it",
        )
    if not holds:
        raise DoesNotAgree(
            "the figures are right, but the signature is not that of "
            + (f"the issuer {issuer}" if verdict.signed else "the key in the file"),
            hint="the file is not as it was issued, or not from whom you think",
        )
