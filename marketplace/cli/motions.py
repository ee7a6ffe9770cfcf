"""`swarm-market motion …`: what the parties of an agreement decide together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.acts import AgreementId, agreement_id
from marketplace.cli.output import note, show, table
from marketplace.cli.runs import run_id
from marketplace.client import MarketClient
from marketplace.clock import iso

app = typer.Typer(
    help="Motions: one organization, one vote; votes are signatures, posted together.",
    no_args_is_help=True,
)
MotionId = Annotated[str, typer.Argument(help="id of a motion, or how it begins")]


@app.command(
    "propose",
    epilog="Example: swarm-market motion propose 0x3f… remove --party hospital-c "
    '--reason "It left." --wallet hospital-a.json',
)
def propose(
    agreement: AgreementId,
    action: Annotated[
        str,
        typer.Argument(help="suspend, resume, terminate, remove, replace-wallet or pardon"),
    ],
    wallet: options.Wallet,
    party: Annotated[str, typer.Option("--party", help="the organization that it concerns")] = "",
    new_wallet: Annotated[
        str, typer.Option("--new-wallet", help="address, to replace a lost wallet")
    ] = "",
    run: Annotated[str, typer.Option("--run", help="to be let back into, for a pardon")] = "",
    reason: Annotated[str, typer.Option(help="for those who are to vote")] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Proposes a motion, and votes for it where this wallet has a vote."""
    with options.client(market, wallet, password_file) as client:
        made = client.governance.propose(
            agreement_id(client, agreement),
            action,
            organization=party,
            wallet=new_wallet,
            run=run_id(client, run) if run else "",
            reason=reason,
        )
        note(made["effect"])
        if any(each["wallet"] == client.wallet.address for each in made["voters"]):
            made = client.governance.vote(made["id"])
    note(_standing(made))
    show(made, as_json, made["id"])


@app.command("sign", epilog="Example: swarm-market motion sign 3f… --wallet hospital-b.json")
def sign(
    motion: MotionId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Votes for a motion."""
    with options.client(market, wallet, password_file) as client:
        shown = client.governance.motion(_motion_id(client, motion))
        if not yes:
            note(_described(shown))
            typer.confirm("Vote for it?", abort=True, err=True)
        shown = client.governance.vote(shown["id"])
    show(shown, as_json, _standing(shown))


@app.command("post", epilog="Example: swarm-market motion post 3f… --wallet hospital-b.json")
def post(
    motion: MotionId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Has a motion with enough votes carried out on chain."""
    with options.client(market, wallet, password_file) as client:
        shown = client.governance.post_motion(_motion_id(client, motion))
        if wait_s > 0:
            client.wait(shown["operation"]["id"], wait_s)
            shown = client.governance.motion(shown["id"])
    show(shown, as_json, _standing(shown))


@app.command(
    "withdraw", epilog="Example: swarm-market motion withdraw 3f… --wallet hospital-a.json"
)
def withdraw(
    motion: MotionId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Asks for votes no longer; those that were given stay valid until the deadline."""
    with options.client(market, wallet, password_file) as client:
        shown = client.governance.withdraw_motion(_motion_id(client, motion))
    show(shown, as_json, _standing(shown))


@app.command("show", epilog="Example: swarm-market motion show 3f… --wallet hospital-a.json")
def show_motion(
    motion: MotionId,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows a motion: what it does, how it is undone, who voted."""
    with options.client(market, access, password_file) as client:
        shown = client.governance.motion(_motion_id(client, motion))
    show(shown, as_json, _described(shown))


@app.command("list", epilog="Example: swarm-market motion list --wallet hospital-a.json")
def list_motions(
    access: options.Access = None,
    agreement: Annotated[
        str, typer.Option("--agreement", help="id of an agreement, or how it begins")
    ] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists motions, the newest first."""
    with options.client(market, access, password_file) as client:
        chosen = agreement_id(client, agreement) if agreement else None
        found = client.governance.motions(chosen)
    rows = [
        (
            each["id"],
            each["action"],
            each["organization"] or "",
            each["state"],
            f"{each['votes']}/{each['needed']}",
            iso(each["deadline_s"]),
        )
        for each in found
    ]
    head = ("motion", "action", "party", "state", "votes", "until")
    show(found, as_json, table(head, rows))


def _motion_id(client: MarketClient, given: str) -> str:
    if len(given) == 16:
        return given
    known = [each["id"] for each in client.governance.motions()]
    return options.full_id(known, given, "motion")


def _standing(shown: dict[str, Any]) -> str:
    signed = [each["organization"] for each in shown["voters"] if each["signed_s"]]
    line = f"motion {shown['id']}: {shown['state']}, {shown['votes']} of {shown['needed']} votes"
    line += f" ({', '.join(signed)})" if signed else ""
    operation = shown["operation"]
    if operation and operation["transaction"]:
        line += f"\ntransaction {operation['transaction']}"
    return line


def _described(shown: dict[str, Any]) -> str:
    about = f" {shown['organization']}" if shown["organization"] else ""
    lines = [f"{shown['action']}{about} ({shown['agreement_title']})"]
    lines += [f"reason: {shown['reason']}"] if shown["reason"] else []
    return "\n".join([*lines, shown["effect"], _standing(shown)])
