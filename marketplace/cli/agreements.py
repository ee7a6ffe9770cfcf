"""`swarm-market agreement …`: draft, read, sign."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.client import MarketClient
from marketplace.errors import InvalidInput

app = typer.Typer(help="Agreements between organizations.", no_args_is_help=True)
AgreementId = Annotated[str, typer.Argument(help="id of an agreement, or how it begins")]


@app.command(
    "draft",
    epilog="Example: swarm-market agreement draft --file agreement.toml --wallet admin.json",
)
def draft(
    file: Annotated[Path, typer.Option("--file", help="TOML or JSON; see marketplace/README.md")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Drafts an agreement from a file."""
    fields = read_draft(file)
    with options.client(market, wallet, password_file) as client:
        made = client.draft(fields)
    show(made, as_json, made["id"])


@app.command("list", epilog="Example: swarm-market agreement list --wallet hospital-a.json")
def list_agreements(
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the agreements that this wallet takes part in."""
    with options.client(market, wallet, password_file) as client:
        found = client.agreements()
    rows = [
        (
            each["id"],
            each["state"],
            f"{sum(bool(p['signed_s']) for p in each['parties'])}/{len(each['parties'])}",
            each["title"],
        )
        for each in found
    ]
    show(found, as_json, table(("agreement", "state", "signed", "title"), rows))


@app.command("show", epilog="Example: swarm-market agreement show 0x3f… --wallet hospital-a.json")
def show_agreement(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Prints the text of an agreement, and who signed it."""
    with options.client(market, wallet, password_file) as client:
        shown = client.agreement(agreement_id(client, agreement))
    show(shown, as_json, shown["document"], *_standing(shown))


@app.command("sign", epilog="Example: swarm-market agreement sign 0x3f… --wallet hospital-a.json")
def sign(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not show the text and ask")] = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Signs an agreement. The last signature brings it into force."""
    with options.client(market, wallet, password_file) as client:
        identifier = agreement_id(client, agreement)
        if not yes:
            note(client.agreement(identifier)["document"])
            typer.confirm("Sign this agreement?", abort=True, err=True)
        shown = client.sign_agreement(identifier)
        if shown["operation"] and wait_s > 0:
            client.wait(shown["operation"]["id"], wait_s)
            shown = client.agreement(identifier)
    show(shown, as_json, *_standing(shown))


def agreement_id(client: MarketClient, given: str) -> str:
    """The id of the caller's agreement that begins like this."""
    if len(given) == 66:
        return given
    return options.full_id([each["id"] for each in client.agreements()], given, "agreement")


def read_draft(file: Path) -> dict[str, Any]:
    """Reads a draft.

    Raises:
        InvalidInput: cannot be read, or is neither TOML nor JSON.
    """
    try:
        text = file.read_text(encoding="utf-8")
        fields: dict[str, Any] = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: {error}", hint="a TOML or JSON file in UTF-8") from error
    return fields


def _standing(shown: dict[str, Any]) -> list[str]:
    signed = [each["organization"] for each in shown["parties"] if each["signed_s"]]
    missing = [each["organization"] for each in shown["parties"] if not each["signed_s"]]
    lines = [f"agreement {shown['id']}: {shown['state']}"]
    lines += [f"signed by {', '.join(signed)}"] if signed else []
    lines += [f"not signed yet by {', '.join(missing)}"] if missing else []
    return lines
