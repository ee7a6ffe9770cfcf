"""`swarm-market wallet …` and `sign-in`: encrypted keystores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import KeyFileError
from contracts.keys import new_key, read_private, save_wallet
from contracts.messages import checksum_address
from marketplace.cli import options
from marketplace.cli.output import note, show
from marketplace.client import MarketClient
from marketplace.clock import iso
from marketplace.errors import InvalidInput

app = typer.Typer(
    help="Wallets of organizations: encrypted keystores that never leave your machine.",
    no_args_is_help=True,
)


@app.command("new", epilog="Example: swarm-market wallet new hospital-a.json")
def new(
    file: Annotated[Path, typer.Argument(help="where to write it")],
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Makes a wallet and writes it as an encrypted keystore."""
    signer = new_key()
    save_wallet(file, signer, options.password(password_file, confirm=True))
    note(f"{file} is the only copy: back it up, together with its password")
    show({"address": signer.address, "file": str(file)}, as_json, signer.address)


@app.command("show", epilog="Example: swarm-market wallet show hospital-a.json")
def show_wallet(
    file: Annotated[Path, typer.Argument(help="an encrypted keystore")],
    as_json: options.Json = False,
) -> None:
    """Shows the address of a wallet; needs no password."""
    try:
        address = checksum_address("0x" + json.loads(read_private(file))["address"].lower()[-40:])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise KeyFileError(f"{file} is not an encrypted keystore with an address") from error
    show({"address": address, "file": str(file)}, as_json, address)


def install(root: typer.Typer) -> None:
    """Adds the commands that stand by themselves."""
    root.command("sign-in", epilog="Example: swarm-market sign-in --wallet hospital-a.json")(
        sign_in
    )
    root.command("sign-out", epilog="Example: swarm-market sign-out")(sign_out)


def sign_in(
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Opens a session and prints its token, for the sign-in page or an Authorization header."""
    with MarketClient(market, options.opened(wallet, password_file)) as client:
        session = client.sign_in()
    note(f"good until {iso(session['expires'])}; whoever has it acts as you")
    show(session, as_json, session["token"])


def sign_out(
    market: options.Market = options.DEFAULT_MARKET,
    token: Annotated[
        str, typer.Option(envvar=options.TOKEN_VARIABLE, help="that `sign-in` printed")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Ends a session: its token is worth nothing from then on."""
    if not token:
        raise InvalidInput("which session?", hint=f"--token, or ${options.TOKEN_VARIABLE}")
    with MarketClient(market, token=token) as client:
        client.sign_out()
    show({"signed_out": True}, as_json, "signed out")
