"""`swarm-market template …` and `draft …`: from a template to an offer for signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.cli.proposals import (
    Answers,
    Note,
    proposal_from,
    read_answers,
    with_parties,
)
from marketplace.client import MarketClient
from marketplace.clock import iso

templates = typer.Typer(help="Templates that agreements are drafted from.", no_args_is_help=True)
app = typer.Typer(
    help="Drafts: invite, comment, counter-propose, until one is offered for signature.",
    no_args_is_help=True,
)
DraftId = Annotated[str, typer.Argument(help="id of a draft, or how it begins")]


@templates.command("list", epilog="Example: swarm-market template list")
def list_templates(
    market: options.Market = options.DEFAULT_MARKET, as_json: options.Json = False
) -> None:
    """Lists the templates."""
    with MarketClient(market) as client:
        found = client.drafts.templates()
    rows = [(each["name"], each["version"], each["summary"]) for each in found]
    show(found, as_json, table(("template", "version", "for"), rows))


@templates.command("show", epilog="Example: swarm-market template show healthcare")
def show_template(
    name: Annotated[str, typer.Argument(help="of the template")],
    market: options.Market = options.DEFAULT_MARKET,
    text: Annotated[bool, typer.Option("--text", help="the text instead of the fields")] = False,
    as_json: options.Json = False,
) -> None:
    """Shows the fields of a template, with what each answers by default."""
    with MarketClient(market) as client:
        found = client.drafts.template(name)
    rows = [
        (
            each["name"],
            each["kind"],
            "; ".join(choice["value"] for choice in each["choices"])
            or _short(each["default"])
            or ("may wait" if each["kind"] in ("hash", "wallet") else ""),
            each["label"] + (f" [{each['unit']}]" if each["unit"] else ""),
        )
        for each in found["fields"]
    ]
    lines = found["text"] if text else table(("field", "kind", "default or choices", "what"), rows)
    show(found, as_json, lines)


@app.command("list", epilog="Example: swarm-market draft list --wallet hospital-a.json")
def list_drafts(
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the drafts that you began or take part in."""
    with options.client(market, access, password_file) as client:
        found = client.drafts.list()
    rows = [
        (each["id"], each["state"], each["version"], len(each["open_items"]), each["title"])
        for each in found
    ]
    show(found, as_json, table(("draft", "state", "version", "open", "title"), rows))


@app.command("show", epilog="Example: swarm-market draft show 3f… --wallet hospital-a.json")
def show_draft(
    draft: DraftId,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Prints the last version, its history, and what was said."""
    with options.client(market, access, password_file) as client:
        shown = client.drafts.show(draft_id(client, draft))
    show(shown, as_json, shown["document"], *standing(shown))


@app.command(
    "propose",
    epilog="Example: swarm-market draft propose 3f… --set max_rounds=60 --wallet hospital-a.json",
)
def propose(
    draft: DraftId,
    wallet: options.Wallet,
    answers: Answers = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML or JSON: the whole of a plain draft")
    ] = None,
    parties: Annotated[
        list[str] | None,
        typer.Option("--party", help="ORGANIZATION[:WEIGHT[:WALLET]], to add or to change"),
    ] = None,
    said: Note = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Makes a counter-proposal: the last version with your changes."""
    with options.client(market, wallet, password_file) as client:
        shown = client.drafts.show(draft_id(client, draft))
        proposal = shown["proposal"]
        proposal["answers"] |= read_answers(answers)
        if file is not None:
            proposal = proposal_from(file)
        proposal["parties"] = with_parties(proposal["parties"], parties)
        shown = client.drafts.propose(shown["id"], shown["version"], proposal, said)
    show(shown, as_json, *standing(shown))


@app.command(
    "diff", epilog="Example: swarm-market draft diff 3f… --from 1 --to 3 --wallet hospital-a.json"
)
def diff(
    draft: DraftId,
    access: options.Access = None,
    before: Annotated[
        int | None, typer.Option("--from", help="version; default: the one before")
    ] = None,
    after: Annotated[int | None, typer.Option("--to", help="version; default: the last")] = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows what changed between two versions: [-removed-] {+added+}."""
    with options.client(market, access, password_file) as client:
        found = client.drafts.changes(draft_id(client, draft), before, after)
    rows = [(each["label"], each["before"], each["after"]) for each in found["terms"]]
    head = ("term", f"version {found['from']}", f"version {found['to']}")
    lines = [table(head, rows)] if rows else ["the terms are the same"]
    lines += [
        f"\n{_marked(each['before'], '[-', '-]')}\n{_marked(each['after'], '{+', '+}')}"
        for each in found["text"]
        if not each["same"]
    ]
    show(found, as_json, *lines)


@app.command(
    "comment", epilog='Example: swarm-market draft comment 3f… "Too few rounds." --wallet a.json'
)
def comment(
    draft: DraftId,
    text: Annotated[str, typer.Argument(help="what you want to say")],
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Says something about the last version."""
    with options.client(market, wallet, password_file) as client:
        shown = client.drafts.comment(draft_id(client, draft), text)
    show(shown, as_json, f"on version {shown['version']}: {len(shown['comments'])} comments")


@app.command("offer", epilog="Example: swarm-market draft offer 3f… --wallet admin.json")
def offer(
    draft: DraftId,
    wallet: options.Wallet,
    version: Annotated[
        int | None, typer.Option(help="that you have read; default: the last")
    ] = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Offers the last version for signature; prints what is to be signed."""
    with options.client(market, wallet, password_file) as client:
        shown = client.drafts.show(draft_id(client, draft))
        shown = client.drafts.offer(shown["id"], version or shown["version"])
    note(
        "to be signed by `swarm-market agreement "
        + ("sign-amendment`" if shown["amends"] else "sign`")
        + "; a counter-proposal takes the offer back until all have signed"
    )
    show(shown, as_json, shown["offered"])


@app.command("withdraw", epilog="Example: swarm-market draft withdraw 3f… --wallet admin.json")
def withdraw(
    draft: DraftId,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Ends a draft without an agreement."""
    with options.client(market, wallet, password_file) as client:
        shown = client.drafts.withdraw(draft_id(client, draft))
    show(shown, as_json, f"draft {shown['id']}: {shown['state']}")


def draft_id(client: MarketClient, given: str) -> str:
    """The id of the caller's draft that begins like this."""
    if len(given) == 16:
        return given
    return options.full_id([each["id"] for each in client.drafts.list()], given, "draft")


def standing(shown: dict[str, Any]) -> list[str]:
    """What a draft has come to, line by line."""
    lines = [f"draft {shown['id']}, version {shown['version']}: {shown['state']}"]
    if shown["open_items"]:
        lines.append("to be agreed: " + ", ".join(shown["open_items"]))
    lines += [
        f"version {each['version']} by {each['organization'] or each['author']}"
        f" at {iso(each['created_s'])}{': ' + each['note'] if each['note'] else ''}"
        for each in shown["versions"]
    ]
    lines += [
        f"{each['organization'] or each['author']} on version {each['version']}: {each['text']}"
        for each in shown["comments"]
    ]
    return lines


def _marked(pieces: list[dict[str, str]], opening: str, closing: str) -> str:
    return "".join(
        each["text"] if each["change"] == "same" else f"{opening}{each['text']}{closing}"
        for each in pieces
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
