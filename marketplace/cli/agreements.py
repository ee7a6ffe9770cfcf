"""`swarm-market agreement …`: draft, read, sign, amend, leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.messages import Agreement, from_json
from marketplace.cli import options
from marketplace.cli.acts import AgreementId, agreement_id
from marketplace.cli.chain import on_chain
from marketplace.cli.output import note, show, table
from marketplace.cli.proposals import (
    Answers,
    Note,
    read_answers,
    read_draft,
    with_parties,
)
from marketplace.errors import Conflict, InvalidInput

app = typer.Typer(help="Agreements between organizations.", no_args_is_help=True)


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
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the agreements that this wallet takes part in."""
    with options.client(market, access, password_file) as client:
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
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Prints the text of an agreement, and who signed it."""
    with options.client(market, access, password_file) as client:
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


@app.command(
    "activate", epilog="Example: swarm-market agreement activate 0x3f… --wallet hospital-a.json"
)
def activate(
    agreement: AgreementId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Has the marketplace post a fully signed agreement once more, after that failed."""
    with options.client(market, wallet, password_file) as client:
        shown = client.activate(agreement_id(client, agreement))
        if shown["operation"] and wait_s > 0:
            client.wait(shown["operation"]["id"], wait_s)
            shown = client.agreement(shown["id"])
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
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows what changed, where it is on chain, and how to undo it; the latest first."""
    with options.client(market, access, password_file) as client:
        found = client.governance.history(agreement_id(client, agreement))
    lines = [
        f"block {each['block']}  {each['transaction']}\n  {each['what']}\n  undo: {each['undo']}"
        for each in found
    ]
    show(found, as_json, *(lines or ["nothing on chain yet"]))


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
