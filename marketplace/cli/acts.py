"""What commands about agreements share: which one is meant, and what its parties do alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from contracts.keys import Signer
from marketplace.cli import options
from marketplace.cli.output import note
from marketplace.client import MarketClient

AgreementId = Annotated[str, typer.Argument(help="id of an agreement, or how it begins")]


def act(
    client: MarketClient,
    prepared: dict[str, Any],
    yes: bool,
    wait_s: float,
    new_wallet: Signer | None = None,
) -> dict[str, Any]:
    """Shows what an act does, asks, signs, and waits for the chain."""
    note(prepared["effect"])
    if not yes:
        typer.confirm("Sign and post it?", abort=True, err=True)
    operation = client.governance.act(prepared, new_wallet)
    return client.wait(operation["id"], wait_s) if wait_s > 0 else operation


def done(operation: dict[str, Any]) -> str:
    return f"{operation['kind']}: {operation['state']}, transaction {operation['transaction']}"


def agreement_id(client: MarketClient, given: str) -> str:
    """The id of the caller's agreement that begins like this."""
    if len(given) == 66:
        return given
    return options.full_id([each["id"] for each in client.agreements()], given, "agreement")
