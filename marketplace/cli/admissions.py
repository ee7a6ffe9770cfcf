"""`swarm-market admission …`: the organizations that an admin vouches for."""

from __future__ import annotations

from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.output import show, table
from marketplace.clock import iso

app = typer.Typer(
    help="Organizations whose agreements this marketplace posts; for admins.",
    no_args_is_help=True,
)
Organization = Annotated[str, typer.Argument(help="name of an organization")]


@app.command(
    "grant", epilog="Example: swarm-market admission grant hospital-a 0x… --wallet admin.json"
)
def grant(
    organization: Organization,
    address: Annotated[str, typer.Argument(help="of its wallet")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Admits an organization, and keeps its name for its wallet."""
    with options.client(market, wallet, password_file) as client:
        made = client.governance.admit(organization, address)
    show(made, as_json, f"{made['organization']} is admitted with {made['wallet']}")


@app.command("list", epilog="Example: swarm-market admission list --wallet admin.json")
def list_admissions(
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the admitted organizations."""
    with options.client(market, access, password_file) as client:
        found = client.governance.admissions()
    rows = [(each["organization"], each["wallet"], iso(each["created_s"])) for each in found]
    show(found, as_json, table(("organization", "wallet", "since"), rows))


@app.command(
    "revoke", epilog="Example: swarm-market admission revoke hospital-a --wallet admin.json"
)
def revoke(
    organization: Organization,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
) -> None:
    """Vouches for an organization no more; agreements that were admitted stay so."""
    with options.client(market, wallet, password_file) as client:
        client.governance.dismiss(organization)
