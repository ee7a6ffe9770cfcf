"""`swarm-market run …`: create runs and watch them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from marketplace.cli import options
from marketplace.cli.acts import agreement_id
from marketplace.cli.output import note, show, table
from marketplace.client import MarketClient
from marketplace.errors import InvalidInput

app = typer.Typer(help="Runs: trainings of one model under an agreement.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="id of a run, how it begins, or its name")]


@app.command(
    "create",
    epilog="Example: swarm-market run create --agreement 0x3f… --name tumors --wallet admin.json",
)
def create(
    agreement: Annotated[str, typer.Option(help="id of an agreement, or how it begins")],
    name: Annotated[str, typer.Option(help="lower-case letters, digits, hyphens and dots")],
    wallet: options.Wallet,
    continues: Annotated[
        str, typer.Option(help="a finished run to start from the model of, by name or id")
    ] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Begins a run, in the name of the party whose wallet this is.

    The name of a finished run begins it anew: as its next generation, by the terms in force now.
    """
    with options.client(market, wallet, password_file) as client:
        identifier = agreement_id(client, agreement)
        _warn_of_missing_nodes(client, identifier)
        earlier = run_id(client, continues) if continues else ""
        prepared = client.prepare_run(identifier, name, earlier)
        note(prepared["effect"])
        operation = client.begin_run(prepared)
        if wait_s > 0:
            operation = client.wait(operation["id"], wait_s)
    result = operation["result"] or {}
    show(operation, as_json, result.get("run") or f"operation {operation['id']}")


@app.command("list", epilog="Example: swarm-market run list --wallet hospital-a.json")
def list_runs(
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the runs of this wallet's agreements."""
    with options.client(market, access, password_file) as client:
        found = client.runs()
    rows = [
        (each["id"], each["name"], standing(each), _loss(each["last_loss_e9"])) for each in found
    ]
    show(found, as_json, table(("run", "name", "state", "loss"), rows))


@app.command("show", epilog="Example: swarm-market run show tumors --wallet hospital-a.json")
def show_run(
    run: RunId,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows a run and its rounds."""
    with options.client(market, access, password_file) as client:
        identifier = run_id(client, run)
        shown, rounds = client.run(identifier), client.rounds(identifier)
    rows = [
        (
            each["round"],
            _loss(each["loss_after_e9"]),
            f"{each['metric_e9'] / 1e9:.4f}",
            " ".join(f"{s['organization']}={s['share_bips'] / 100:g}%" for s in each["shares"]),
            len(each["signers"]),
            each["transaction"],
        )
        for each in rounds
    ]
    show(
        shown | {"rounds": rounds},
        as_json,
        f"{shown['name']} {shown['id']}: {standing(shown)}",
        f"loss {_loss(shown['initial_loss_e9'])} -> {_loss(shown['last_loss_e9'])}, "
        f"target {_loss(shown['target_loss_e9'])}",
        table(("round", "loss", "metric", "shares", "signers", "transaction"), rows),
    )


@app.command("usage", epilog="Example: swarm-market run usage tumors --wallet hospital-a.json")
def show_usage(
    run: RunId,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows what a run cost its nodes, by their own signed word; nothing is paid by it."""
    with options.client(market, access, password_file) as client:
        found = client.usage(run_id(client, run))
    rows = [
        (
            node["spiffe_id"],
            node["samples"],
            f"{node['compute_s']:g}",
            node["bytes_served"],
            node["bytes_fetched"],
            node["restarts"],
            "-" if node["energy_j"] is None else node["energy_j"],
        )
        for each in found["organizations"]
        for node in each["nodes"]
    ]
    head = ("node", "samples", "compute s", "bytes served", "bytes fetched", "restarts", "J")
    show(found, as_json, table(head, rows))


@app.command(
    "note",
    epilog="Example: swarm-market run note tumors --project screening --tag baseline "
    "--set rate=0.1 --wallet hospital-a.json",
)
def write_note(
    run: RunId,
    wallet: options.Wallet,
    project: Annotated[str | None, typer.Option(help="What it belongs to.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is about.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="May be given often; '' for none.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="A hyper-parameter, name=value; often.")
    ] = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Writes down what a run is about; what is not named stays as it is."""
    with options.client(market, wallet, password_file) as client:
        identifier = run_id(client, run)
        known = client.run(identifier)["note"]
        wanted = {name: known[name] for name in ("project", "description", "tags")}
        wanted |= {"hyperparameters": known["hyperparameters"] | _values(values or [])}
        if project is not None:
            wanted["project"] = project
        if description is not None:
            wanted["description"] = description
        if tag is not None:
            wanted["tags"] = [each for each in tag if each]
        written = client.write_note(identifier, wanted)
    show(written, as_json, f"{run}: noted")


@app.command(
    "compare", epilog="Example: swarm-market run compare tumors tumors-2 --wallet hospital-a.json"
)
def compare(
    runs: Annotated[list[str], typer.Argument(help="two to eight runs, by name or id")],
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows runs side by side: results, and what differs in terms and hyper-parameters."""
    with options.client(market, access, password_file) as client:
        found = client.compare([run_id(client, each) for each in runs])
    sides = found["runs"]
    rows: list[tuple[Any, ...]] = [
        ("state", *(standing(each) for each in sides)),
        ("rounds", *(max(each["sealed_rounds"] - 1, 0) for each in sides)),
        ("lowest loss", *(_loss(each["best_loss_e9"]) for each in sides)),
        ("last loss", *(_loss(each["last_loss_e9"]) for each in sides)),
        ("best", *("*" if each["id"] == found["best"] else "" for each in sides)),
    ]
    rows += [(row["name"], *row["values"]) for row in found["differences"]]
    show(found, as_json, table(("", *(each["name"] for each in sides)), rows))


def _values(given: list[str]) -> dict[str, Any]:
    """name=value pairs; a value that is JSON is taken as such."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals:
            raise InvalidInput(f"--set {each} is not name=value", hint="--set rate=0.1")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _warn_of_missing_nodes(client: MarketClient, agreement: str) -> None:
    """A run may begin before all nodes are there; who is not there is not counted."""
    present = {each["party"] for each in client.nodes(agreement) if not each["retired"]}
    missing = [
        each["organization"]
        for each in client.agreement(agreement)["parties"]
        if each["party"] not in present and not each["out"]
    ]
    if missing:
        note(
            f"no node is enrolled yet of {', '.join(missing)}: rounds go on without them, or wait "
            "until enough are there"
        )


def run_id(client: MarketClient, given: str) -> str:
    """The id of the caller's newest run of this name, or of the one whose id begins like this."""
    if len(given) == 66:
        return given
    known = client.runs()
    named = [each["id"] for each in known if each["name"] == given]
    return options.full_id(
        named or [each["id"] for each in known], named[0] if named else given, "run"
    )


def standing(run: dict[str, Any]) -> str:
    """`round 3 of 24`, or why it is over."""
    if run["state"] == "open":
        return f"round {run['round']} of {run['max_rounds']}"
    return str(run["ending"])


def _loss(value_e9: int | None) -> str:
    return "-" if value_e9 is None else f"{value_e9 / 1e9:.6g}"
