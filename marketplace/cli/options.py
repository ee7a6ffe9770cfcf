"""Options that many commands share, and what they give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from contracts.keys import Signer, load_wallet
from marketplace.client import MarketClient
from marketplace.errors import InvalidInput, NotFound, SignInRequired

DEFAULT_MARKET = "http://127.0.0.1:8080"
PASSWORD_VARIABLE = "SWARM_MARKET_PASSWORD"
TOKEN_VARIABLE = "SWARM_MARKET_TOKEN"

Market = Annotated[
    str, typer.Option("--market", envvar="SWARM_MARKET_URL", help="URL of the marketplace")
]
Wallet = Annotated[
    Path, typer.Option("--wallet", envvar="SWARM_MARKET_WALLET", help="encrypted keystore")
]
Access = Annotated[
    Path | None,
    typer.Option(
        "--wallet",
        envvar="SWARM_MARKET_WALLET",
        help=f"encrypted keystore; else the token in ${TOKEN_VARIABLE}",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        envvar="SWARM_MARKET_PASSWORD_FILE",
        help=f"file with the keystore's password; else ${PASSWORD_VARIABLE}, else you are asked",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Folder = Annotated[
    Path, typer.Option("--folder", envvar="SWARM_MARKET_FOLDER", help="the marketplace's folder")
]
RpcUrl = Annotated[
    str, typer.Option("--rpc-url", help="Ethereum endpoint; default: what the marketplace says")
]
WaitSeconds = Annotated[
    float, typer.Option("--wait", help="seconds to wait for the chain; 0: do not wait")
]
DEFAULT_FOLDER = Path("market")
DEFAULT_WAIT_S = 60.0


def opened(wallet: Path, password_file: Path | None) -> Signer:
    """Opens a keystore. Raises KeyFileError."""
    return load_wallet(wallet, password(password_file, confirm=False))


def password(file: Path | None, *, confirm: bool) -> str:
    """The password of a keystore: from a file, the environment, or the terminal."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise InvalidInput(f"cannot read {file}: {error.strerror}") from error
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))


def client(market: str, wallet: Path | None, password_file: Path | None) -> MarketClient:
    """A client that signs in with a keystore, or has a token. Raises SignInRequired."""
    if wallet is not None:
        return MarketClient(market, opened(wallet, password_file))
    if token := os.environ.get(TOKEN_VARIABLE):
        return MarketClient(market, token=token)
    raise SignInRequired(
        "this needs a wallet or a token", hint=f"--wallet, or ${TOKEN_VARIABLE}: token new"
    )


def full_id(known: list[str], given: str, what: str) -> str:
    """The one id that begins like this.

    Raises:
        NotFound: none does.
        InvalidInput: several do.
    """
    found = [each for each in known if each.startswith(given)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no {what} {given}")
    raise InvalidInput(f"{given} begins {len(found)} {what}s", hint="write more of the id")
