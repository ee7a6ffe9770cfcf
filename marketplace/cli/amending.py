"""`swarm-market agreement …`: amend, leave, veto, move to another wallet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.acts import AgreementId, act, agreement_id, done
from marketplace.cli.output import note, show
from marketplace.cli.proposals import Answers, Note, proposal_from, read_answers, with_parties
from marketplace.client import MarketClient
from marketplace.errors import NotFound


def install(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command(
        "amend",
        epilog="Example: swarm-market agreement amend 0x3f… --set duration_days=730 "
        "--wallet hospital-a.json",
    )(amend)
    group.command(
        "sign-amendment",
        epilog="Example: swarm-market agreement sign-amendment 0x7a… --wallet hospital-a.json",
    )(sign_amendment)
    group.command(
        "leave", epilog="Example: swarm-market agreement leave 0x3f… --wallet hospital-a.json"
    )(leave)
    group.command(
        "veto", epilog="Example: swarm-market agreement veto 0x3f… --wallet hospital-a.json"
    )(veto)
    group.command(
        "move-wallet",
        epilog="Example: swarm-market agreement move-wallet 0x3f… --to new.json --wallet old.json",
    )(move_wallet)


def amend(
    agreement: AgreementId,
    wallet: options.Wallet,
    answers: Answers = None,
    parties: Annotated[
        list[str] | None,
        typer.Option("--party", help="ORGANIZATION[:WEIGHT[:WALLET]], to add or to change"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="the whole draft, where it has no template")
    ] = None,
    said: Note = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Begins the draft of an amendment: what is in force, with your changes. Nothing is signed."""
    with options.client(market, wallet, password_file) as client:
        made = client.drafts.start(
            amends=agreement_id(client, agreement), note="As in force." if answers else said
        )
        proposal = made["proposal"]
        if file is not None:
            listed = proposal["parties"]
            proposal = proposal_from(file)
            proposal["parties"] = proposal["parties"] or listed
        proposal["answers"] = proposal.get("answers", {}) | read_answers(answers)
        proposal["parties"] = with_parties(proposal["parties"], parties)
        if answers or parties or file:
            made = client.drafts.propose(made["id"], made["version"], proposal, said)
    note("undo: swarm-market draft withdraw " + made["id"])
    show(made, as_json, made["id"])


def sign_amendment(
    amendment: Annotated[str, typer.Argument(help="hash of an amendment: `draft offer` prints it")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not show the text and ask")] = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Signs an amendment. The last signature brings it into force."""
    with options.client(market, wallet, password_file) as client:
        if not yes:
            note(client.governance.amendment(amendment)["document"])
            typer.confirm("Sign this amendment?", abort=True, err=True)
        shown = client.governance.sign_amendment(amendment)
        if shown["operation"] and wait_s > 0:
            client.wait(shown["operation"]["id"], wait_s)
            shown = client.governance.amendment(amendment)
    missing = [e["organization"] for e in shown["parties"] if not e["signed_s"] and not e["out"]]
    lines = [f"version {shown['version']} of {shown['agreement']}: {shown['state']}"]
    lines += [f"not signed yet by {', '.join(missing)}"] if missing else []
    show(shown, as_json, *lines)


def leave(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: options.Yes = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Takes your organization out of an agreement, for good."""
    with options.client(market, wallet, password_file) as client:
        prepared = _prepared(client, "leave", agreement)
        operation = act(client, prepared, yes, wait_s)
    show(operation, as_json, done(operation))


def veto(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: options.Yes = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Stops the replacement of your wallet that the others voted for: it is not lost."""
    with options.client(market, wallet, password_file) as client:
        operation = act(client, _prepared(client, "veto", agreement), yes, wait_s)
    show(operation, as_json, done(operation))


def move_wallet(
    agreement: AgreementId,
    wallet: options.Wallet,
    to: Annotated[Path, typer.Option("--to", help="encrypted keystore of the new wallet")],
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    to_password_file: Annotated[
        Path | None, typer.Option(help="file with the new keystore's password")
    ] = None,
    yes: options.Yes = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Moves your organization to another wallet at once; both wallets sign."""
    new = options.opened(to, to_password_file or password_file)
    with options.client(market, wallet, password_file) as client:
        prepared = _prepared(client, "move-wallet", agreement, new.address)
        operation = act(client, prepared, yes, wait_s, new)
    show(operation, as_json, done(operation))


def _prepared(
    client: MarketClient, kind: str, agreement: str, new_wallet: str = ""
) -> dict[str, Any]:
    identifier = agreement_id(client, agreement)
    address = client.wallet.address
    for each in client.agreement(identifier)["parties"]:
        if each["wallet"] == address:
            organization = each["organization"]
            return client.governance.prepare(kind, identifier, organization, wallet=new_wallet)
    raise NotFound(f"{address} is no party of this agreement")
