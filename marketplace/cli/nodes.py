"""`swarm-market node …`: tokens for new nodes, approvals, who is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.acts import AgreementId, act, agreement_id, done
from marketplace.cli.output import note, show, table
from marketplace.client import MarketClient
from marketplace.clock import iso, now_s
from marketplace.errors import InvalidInput, NotFound

app = typer.Typer(help="Nodes of organizations.", no_args_is_help=True)
OfAgreement = Annotated[
    str, typer.Option("--agreement", help="id of an agreement, or how it begins")
]


@app.command(
    "token",
    epilog="Example: swarm-market node token 0x3f… hospital-a site-1 --wallet hospital-a.json",
)
def token(
    agreement: AgreementId,
    organization: Annotated[str, typer.Argument(help="that the node belongs to")],
    node: Annotated[str, typer.Argument(help="name: lower-case letters, digits, hyphens")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Makes a token for `swarm-node enroll`: good once, for one node, for a day."""
    with options.client(market, wallet, password_file) as client:
        made = client.enrollment_token(agreement_id(client, agreement), organization, node)
    note(f"for {made['spiffe_id']}, good until {iso(made['expires_s'])}")
    show(made, as_json, made["token"])


@app.command(
    "approve",
    epilog="Example: swarm-market node approve hospital-a/site-1 --wallet hospital-a.json",
)
def approve(
    node: Annotated[str, typer.Argument(help="organization/node, or the enrollment's id")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: options.Yes = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Approves a node that used its token: signs its enrollment with the owner's wallet."""
    with options.client(market, wallet, password_file) as client:
        waiting = _waiting(client, node)
        if not yes:
            note(f"{waiting['spiffe_id']}\nkey {waiting['key']}\nURL {_address(waiting)}")
            typer.confirm("Is this the key that the node shows?", abort=True, err=True)
        shown = client.approve(waiting)
        if wait_s > 0:
            shown["operation"] = client.wait(shown["operation"]["id"], wait_s)
            shown["state"] = "enrolled"
    show(shown, as_json, f"{shown['spiffe_id']}: {shown['state']}")


@app.command(
    "reject",
    epilog="Example: swarm-market node reject hospital-a/site-1 --wallet hospital-a.json",
)
def reject(
    node: Annotated[str, typer.Argument(help="organization/node, or the enrollment's id")],
    wallet: options.Wallet,
    reason: Annotated[str, typer.Option(help="the node's operator reads it")] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Turns a node away that used a token. Undo it with a new token."""
    with options.client(market, wallet, password_file) as client:
        shown = client.reject(_waiting(client, node)["id"], reason)
    show(shown, as_json, f"{shown['spiffe_id']}: {shown['state']}")


@app.command(
    "retire",
    epilog="Example: swarm-market node retire hospital-a/site-1 --wallet hospital-a.json",
)
def retire(
    node: Annotated[str, typer.Argument(help="organization/node")],
    wallet: options.Wallet,
    agreement: OfAgreement = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: options.Yes = False,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Takes a node out of the next rounds. Undo it by enrolling it with a new token and key."""
    with options.client(market, wallet, password_file) as client:
        chosen = agreement_id(client, agreement) if agreement else None
        enrolled = [each for each in client.nodes(chosen) if not each["retired"]]
        found = [each for each in enrolled if _name(each) == node]
        if not found:
            raise NotFound(
                f"no node {node} is enrolled",
                hint="enrolled: " + (", ".join(map(_name, enrolled)) or "none"),
            )
        if len(found) > 1:
            raise InvalidInput(f"{node} is in several agreements", hint="name one: --agreement")
        prepared = client.governance.prepare(
            "retire", found[0]["agreement"], found[0]["organization"], node=found[0]["node"]
        )
        operation = act(client, prepared, yes, wait_s)
    show(operation, as_json, done(operation))


@app.command("list", epilog="Example: swarm-market node list --wallet hospital-a.json")
def list_nodes(
    access: options.Access = None,
    agreement: OfAgreement = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists nodes: those enrolled, and those that wait for it."""
    with options.client(market, access, password_file) as client:
        chosen = agreement_id(client, agreement) if agreement else None
        enrolled = client.nodes(chosen)
        waiting = [each for each in client.enrollments(chosen) if each["state"] != "enrolled"]
    rows = [(_name(each), _state(each), _heard(each), _address(each)) for each in enrolled]
    rows += [(_name(each), each["state"], "-", _address(each)) for each in waiting]
    head = ("node", "state", "heard", "url")
    show({"nodes": enrolled, "waiting": waiting}, as_json, table(head, rows))


def _waiting(client: MarketClient, wanted: str) -> dict[str, Any]:
    known = [each for each in client.enrollments() if each["state"] not in ("enrolled", "rejected")]
    found = [each for each in known if wanted in (each["id"], _name(each), each["spiffe_id"])]
    if not found:
        raise NotFound(
            f"no node {wanted} waits for approval",
            hint="waiting: " + (", ".join(map(_name, known)) or "none"),
        )
    if len(found) > 1:
        ids = ", ".join(each["id"] for each in found)
        raise InvalidInput(f"{wanted} asked several times", hint=f"name one by its id: {ids}")
    return found[0]


def _name(each: dict[str, Any]) -> str:
    return f"{each['organization']}/{each['node']}"


def _state(each: dict[str, Any]) -> str:
    if each["retired"]:
        return "retired"
    if not each["heard_s"]:
        return "enrolled"
    return "silent" if each["silent"] else str(each["status"].get("state", "up"))


def _address(each: dict[str, Any]) -> str:
    return each["url"] or "takes no connections"


def _heard(each: dict[str, Any]) -> str:
    return f"{now_s() - each['heard_s']} s ago" if each["heard_s"] else "never"
