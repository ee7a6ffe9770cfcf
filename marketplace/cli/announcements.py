"""`swarm-market announcements`, `webhook …`: what happened, and where to be told of it."""

from __future__ import annotations

from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.clock import iso

app = typer.Typer(help="Webhooks: have announcements told to a program.", no_args_is_help=True)
WebhookId = Annotated[str, typer.Argument(help="id of a webhook, or how it begins")]


def install(root: typer.Typer) -> None:
    """Adds the command that stands by itself."""
    root.command(
        "announcements", epilog="Example: swarm-market announcements --wallet hospital-a.json"
    )(announcements)


def announcements(
    access: options.Access = None,
    after: Annotated[int, typer.Option(min=0, help="number of the last one you know")] = 0,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists withdrawals, budgets and runs near their end, suspicions: oldest first."""
    with options.client(market, access, password_file) as client:
        found = client.announcements(after)
        last = found
        while last["items"]:
            last = client.announcements(last["next"])
            found["items"] += last["items"]
            found["next"] = last["next"]
    rows = [
        (
            each["number"],
            iso(each["time_s"]),
            each["kind"] + (" (withdrawn)" if each["withdrawn"] else ""),
            each["data"]["text"],
        )
        for each in found["items"]
    ]
    show(found, as_json, table(("number", "time", "kind", "what"), rows))


@app.command(
    "add", epilog="Example: swarm-market webhook add https://hooks.example/swarm --wallet a.json"
)
def add(
    url: Annotated[str, typer.Argument(help="https, at a public address")],
    wallet: options.Wallet,
    kind: Annotated[
        list[str] | None, typer.Option(help="of announcement; repeatable; default: all")
    ] = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Has announcements told at a URL, in requests signed with a secret that is shown this once."""
    with options.client(market, wallet, password_file) as client:
        made = client.request("POST", "/api/webhooks", {"url": url, "kinds": kind or []})
    note("Keep the secret: it is not shown again. Requests are signed as Standard Webhooks.")
    show(made, as_json, f"webhook {made['id']}", f"secret {made['secret']}")


@app.command("list", epilog="Example: swarm-market webhook list --wallet hospital-a.json")
def list_webhooks(
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists this wallet's webhooks, and how their deliveries go."""
    with options.client(market, access, password_file) as client:
        found = client.request("GET", "/api/webhooks")
    rows = [
        (
            each["id"],
            each["url"],
            ", ".join(each["kinds"]) or "all",
            "stopped: the receiver is gone"
            if each["stopped"]
            else ", ".join(f"{count} {state}" for state, count in each["deliveries"].items()),
        )
        for each in found
    ]
    show(found, as_json, table(("webhook", "url", "kinds", "deliveries"), rows))


@app.command("remove", epilog="Example: swarm-market webhook remove 3fa2 --wallet hospital-a.json")
def remove(
    webhook: WebhookId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Forgets a webhook, and what was still to be told there."""
    with options.client(market, wallet, password_file) as client:
        known = [each["id"] for each in client.request("GET", "/api/webhooks")]
        identifier = options.full_id(known, webhook, "webhook")
        client.request("DELETE", f"/api/webhooks/{identifier}")
    show({"removed": identifier}, as_json, f"removed {identifier}")


@app.command("test", epilog="Example: swarm-market webhook test 3fa2 --wallet hospital-a.json")
def send_test(
    webhook: WebhookId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Sends a test to a webhook now, and says how it went."""
    with options.client(market, wallet, password_file) as client:
        known = [each["id"] for each in client.request("GET", "/api/webhooks")]
        identifier = options.full_id(known, webhook, "webhook")
        told = client.request("POST", f"/api/webhooks/{identifier}/test")
    went = f"HTTP {told['status']}" if told["status"] else told["error"]
    show(told, as_json, f"{'arrived' if told['arrived'] else 'did not arrive'}: {went}")
