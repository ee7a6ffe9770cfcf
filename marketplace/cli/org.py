"""`swarm-market org …` and `token …`: who may act for an organization, and its programs."""

from __future__ import annotations

from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.clock import iso

app = typer.Typer(help="Who may act, or look, for your organization.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens for programs that act for you.", no_args_is_help=True)
Person = Annotated[str, typer.Argument(help="address of the wallet of an operator or auditor")]


@app.command("members", epilog="Example: swarm-market org members --wallet hospital-a.json")
def members(
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists whom you gave a role."""
    with options.client(market, wallet, password_file) as client:
        found = client.many("/api/members")
    rows = [(each["wallet"], each["role"], iso(each["since_s"])) for each in found]
    show(found, as_json, table(("wallet", "role", "since"), rows))


@app.command(
    "appoint", epilog="Example: swarm-market org appoint 0x… operator --wallet hospital-a.json"
)
def appoint(
    person: Person,
    role: Annotated[
        str, typer.Argument(help="operator: runs your nodes; auditor: sees what you see")
    ],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Gives somebody a role. Undo it with `org dismiss`."""
    with options.client(market, wallet, password_file) as client:
        made = client.appoint(person, role)
    show(made, as_json, f"{made['wallet']} is {made['role']} for {made['owner']}")


@app.command("dismiss", epilog="Example: swarm-market org dismiss 0x… --wallet hospital-a.json")
def dismiss(
    person: Person,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
) -> None:
    """Takes a role away."""
    with options.client(market, wallet, password_file) as client:
        client.dismiss(person)


@tokens.command(
    "new",
    epilog="Example: swarm-market token new nightly --scope read --days 90 "
    "--wallet hospital-a.json",
)
def new(
    name: Annotated[str, typer.Argument(help="what it is for")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="read, agreements, governance, nodes, leases, runs, claims, webhooks or admin; "
            "repeatable",
        ),
    ],
    wallet: options.Wallet,
    days: Annotated[int, typer.Option(help="for how long")] = 90,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Makes a token and prints it, this once: keep it where secrets are kept."""
    with options.client(market, wallet, password_file) as client:
        made = client.new_token(name, scope, days)
    note(f"good until {iso(made['expires_s'])}; use it as ${options.TOKEN_VARIABLE}")
    show(made, as_json, made["token"])


@tokens.command("list", epilog="Example: swarm-market token list --wallet hospital-a.json")
def list_tokens(
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists your tokens."""
    with options.client(market, wallet, password_file) as client:
        found = client.many("/api/tokens")
    rows = [
        (
            each["id"],
            each["name"],
            ", ".join(each["scopes"]),
            iso(each["expires_s"]),
            f"revoked {iso(each['revoked_s'])}" if each["revoked_s"] else "",
        )
        for each in found
    ]
    show(found, as_json, table(("token", "name", "scopes", "expires", ""), rows))


@tokens.command("revoke", epilog="Example: swarm-market token revoke 3f… --wallet hospital-a.json")
def revoke(
    token: Annotated[str, typer.Argument(help="id of a token, or how it begins")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Ends a token at once."""
    with options.client(market, wallet, password_file) as client:
        known = [each["id"] for each in client.many("/api/tokens")]
        ended = client.revoke_token(options.full_id(known, token, "token"))
    show(ended, as_json, f"token {ended['id']} ({ended['name']}) is revoked")
