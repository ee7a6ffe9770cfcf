"""`swarm-market draft …`: invite a partner by a link, take the link back, join by it."""

from __future__ import annotations

from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.drafts import DraftId, draft_id, standing
from marketplace.cli.output import note, show
from marketplace.clock import iso
from marketplace.errors import NotFound


def install(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command(
        "invite", epilog="Example: swarm-market draft invite 3f… hospital-b --wallet admin.json"
    )(invite)
    group.command(
        "revoke", epilog="Example: swarm-market draft revoke 3f… hospital-b --wallet admin.json"
    )(revoke)
    group.command(
        "join",
        epilog="Example: swarm-market draft join https://market.example/join/… --wallet mine.json",
    )(join)


def invite(
    draft: DraftId,
    organization: Annotated[str, typer.Argument(help="a party whose wallet is not named")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Makes a link for a partner: good once. A newer one ends the older one."""
    with options.client(market, wallet, password_file) as client:
        made = client.drafts.invite(draft_id(client, draft), organization)
    note(f"for {organization}, until {iso(made['expires_s'])}; whoever has it can take the seat")
    show(made, as_json, made["link"])


def revoke(
    draft: DraftId,
    organization: Annotated[str, typer.Argument(help="that was invited, or the invitation's id")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Takes a link back that nobody used yet."""
    with options.client(market, wallet, password_file) as client:
        shown = client.drafts.show(draft_id(client, draft))
        good = [
            each["id"]
            for each in shown["invitations"]
            if organization in (each["organization"], each["id"])
            and each["revoked_s"] is None
            and each["used_s"] is None
        ]
        if not good:
            raise NotFound(f"no link for {organization} is open", hint="swarm-market draft show")
        for each in good:
            shown = client.drafts.revoke(shown["id"], each)
    show(shown, as_json, *(f"revoked {each}" for each in good))


def join(
    link: Annotated[str, typer.Argument(help="the link that you were sent")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not show the draft and ask")] = False,
    as_json: options.Json = False,
) -> None:
    """Takes a party's seat with this wallet. Signs no agreement."""
    with options.client(market, wallet, password_file) as client:
        if not yes:
            seen = client.drafts.read_invitation(link)
            note(seen["document"])
            asked = f"Make {client.wallet.address} the wallet of {seen['organization']}?"
            typer.confirm(asked, abort=True, err=True)
        shown = client.drafts.join(link)
    show(shown, as_json, *standing(shown))
