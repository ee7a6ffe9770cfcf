"""`swarm-market agreement …`: draft, read, sign, amend, leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.keys import Signer
from contracts.messages import Agreement, from_json
from marketplace.cli import options
from marketplace.cli.chain import on_chain
from marketplace.cli.drafts import (
    Answers,
    Note,
    proposal_from,
    read_answers,
    read_draft,
    with_parties,
)
from marketplace.cli.output import note, show, table
from marketplace.client import MarketClient
from marketplace.errors import Conflict, InvalidInput, NotFound

app = typer.Typer(help="Agreements between organizations.", no_args_is_help=True)
AgreementId = Annotated[str, typer.Argument(help="id of an agreement, or how it begins")]


@app.command(
    "draft",
    epilog="Example: swarm-market agreement draft --template healthcare --party hospital-a "
    "--party hospital-b:2 --set budget=500 --wallet admin.json",
)
def draft(
    wallet: options.Wallet,
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML or JSON; see marketplace/README.md")
    ] = None,
    template: Annotated[
        str, typer.Option("--template", help="begin a draft to negotiate: `template list`")
    ] = "",
    parties: Annotated[
        list[str] | None,
        typer.Option("--party", help="ORGANIZATION[:WEIGHT[:WALLET]]; repeatable, in order"),
    ] = None,
    answers: Answers = None,
    said: Note = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Drafts an agreement: from a file, to be signed at once, or from a template, to negotiate."""
    if bool(file) == bool(template):
        raise InvalidInput(
            "draft from a file or from a template", hint="--file draft.toml, or --template NAME"
        )
    fields = read_draft(file) if file else {}
    with options.client(market, wallet, password_file) as client:
        if file:
            made = client.draft(fields)
        else:
            proposal = {
                "template": template,
                "answers": read_answers(answers),
                "parties": with_parties([], parties),
            }
            made = client.drafts.start(proposal, note=said)
            note("invite the others: swarm-market draft invite " + made["id"] + " ORGANIZATION")
            if made["open_items"]:
                note("to be agreed: " + ", ".join(made["open_items"]))
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


@app.command("post", epilog="Example: swarm-market agreement post 0x3f… --wallet hospital-a.json")
def post(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    rpc_url: options.RpcUrl = "",
    as_json: options.Json = False,
) -> None:
    """Brings a fully signed agreement into force yourself; this wallet pays the transaction."""
    with options.client(market, wallet, password_file) as client:
        shown = client.agreement(agreement_id(client, agreement))
        missing = [each["organization"] for each in shown["parties"] if not each["signed_s"]]
        if missing:
            raise Conflict(f"not signed yet by {', '.join(missing)}")
        message = from_json(Agreement, shown["agreement"])
        signatures = [bytes.fromhex(each[2:]) for each in shown["signatures"]]
        receipt = on_chain(
            client.deployment(),
            rpc_url,
            lambda contracts: contracts.consortium.activate(
                message, signatures, signer=client.wallet
            ),
        )
    data = {"agreement": shown["id"], "transaction": receipt.transaction, "block": receipt.block}
    show(data, as_json, f"in force: transaction {receipt.transaction}, block {receipt.block}")


@app.command(
    "history", epilog="Example: swarm-market agreement history 0x3f… --wallet hospital-a.json"
)
def show_history(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows what changed, where it is on chain, and how to undo it; the latest first."""
    with options.client(market, wallet, password_file) as client:
        found = client.governance.history(agreement_id(client, agreement))
    lines = [
        f"block {each['block']}  {each['transaction']}\n  {each['what']}\n  undo: {each['undo']}"
        for each in found
    ]
    show(found, as_json, *(lines or ["nothing on chain yet"]))


@app.command(
    "amend",
    epilog="Example: swarm-market agreement amend 0x3f… --set duration_days=730 "
    "--wallet hospital-a.json",
)
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


@app.command(
    "sign-amendment",
    epilog="Example: swarm-market agreement sign-amendment 0x7a… --wallet hospital-a.json",
)
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


@app.command("leave", epilog="Example: swarm-market agreement leave 0x3f… --wallet hospital-a.json")
def leave(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Takes your organization out of an agreement, for good."""
    with options.client(market, wallet, password_file) as client:
        prepared = _prepared(client, "leave", agreement)
        operation = act(client, prepared, yes, wait_s)
    show(operation, as_json, done(operation))


@app.command("veto", epilog="Example: swarm-market agreement veto 0x3f… --wallet hospital-a.json")
def veto(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Stops the replacement of your wallet that the others voted for: it is not lost."""
    with options.client(market, wallet, password_file) as client:
        operation = act(client, _prepared(client, "veto", agreement), yes, wait_s)
    show(operation, as_json, done(operation))


@app.command(
    "move-wallet",
    epilog="Example: swarm-market agreement move-wallet 0x3f… --to new.json --wallet old.json",
)
def move_wallet(
    agreement: AgreementId,
    wallet: options.Wallet,
    to: Annotated[Path, typer.Option("--to", help="encrypted keystore of the new wallet")],
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    to_password_file: Annotated[
        Path | None, typer.Option(help="file with the new keystore's password")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Moves your organization to another wallet at once; both wallets sign."""
    new = options.opened(to, to_password_file or password_file)
    with options.client(market, wallet, password_file) as client:
        prepared = _prepared(client, "move-wallet", agreement, new.address)
        operation = act(client, prepared, yes, wait_s, new)
    show(operation, as_json, done(operation))


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


def agreement_id(client: MarketClient, given: str) -> str:
    """The id of the caller's agreement that begins like this."""
    if len(given) == 66:
        return given
    return options.full_id([each["id"] for each in client.agreements()], given, "agreement")


def _standing(shown: dict[str, Any]) -> list[str]:
    signed = [each["organization"] for each in shown["parties"] if each["signed_s"]]
    missing = [each["organization"] for each in shown["parties"] if not each["signed_s"]]
    lines = [f"agreement {shown['id']}: {shown['state']}"]
    if shown["state"] == "signed" and not shown["admitted"]:
        lines.append(
            "this marketplace does not post it: ask an admin to admit your organizations, or post "
            f"it yourself: swarm-market agreement post {shown['id'][:12]} --wallet wallet.json"
        )
    lines += [f"signed by {', '.join(signed)}"] if signed else []
    lines += [f"not signed yet by {', '.join(missing)}"] if missing else []
    return lines
