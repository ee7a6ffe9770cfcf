"""`swarm-market lease …`: seats of the software, and who holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show, table
from marketplace.clock import iso

app = typer.Typer(help="Leases of the software: seats, and who holds them.", no_args_is_help=True)


@app.command("list", epilog="Example: swarm-market lease list --wallet hospital-a.json")
def list_leases(
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the leases of your organizations that are live."""
    with options.client(market, access, password_file) as client:
        found = client.many("/api/leases")
    rows = [
        (
            each["id"],
            each["spiffe_id"],
            ", ".join(each["features"]),
            iso(each["expires_s"]),
            "ended" if each["ended_s"] else "file" if each["exported_by"] else "floating",
        )
        for each in found
    ]
    show(found, as_json, table(("lease", "node", "features", "expires", "kind"), rows))


@app.command("seats", epilog="Example: swarm-market lease seats --wallet hospital-a.json")
def seats(
    organization: Annotated[str, typer.Option(help="whose seats to set; for admins")] = "",
    feature: Annotated[str, typer.Option(help="that the seats are for")] = "training",
    count: Annotated[int | None, typer.Option(help="how many there are from now on")] = None,
    days: Annotated[int | None, typer.Option(help="for how long; default: without end")] = None,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows how many nodes may run at the same time; with --count, an admin sets it."""
    with options.client(market, access, password_file) as client:
        if count is not None:
            client.set_seats(organization, feature, count, days)
        found = client.many("/api/seats")
    rows = [
        (
            each["organization"],
            each["feature"],
            f"{each['taken']}/{each['seats']}",
            iso(each["until_s"]) if each["until_s"] else "-",
        )
        for each in found
        if not organization or each["organization"] == organization
    ]
    show(found, as_json, table(("organization", "feature", "taken", "until"), rows))


@app.command(
    "export",
    epilog="Example: swarm-market lease export spiffe://swarm.example/org/clinic-a/node/site-1 "
    "--days 30 --file site-1.lease --wallet hospital-a.json",
)
def export(
    node: Annotated[str, typer.Argument(help="SPIFFE ID of a node that is enrolled")],
    file: Annotated[Path, typer.Option("--file", help="where to write the lease")],
    days: Annotated[int, typer.Option(help="for how long")] = 30,
    feature: Annotated[
        list[str] | None, typer.Option(help="what it is to cover; repeatable; default: training")
    ] = None,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Takes a seat as a file, for a node that does not reach the marketplace."""
    with options.client(market, access, password_file) as client:
        made = client.export_lease(node, feature or ["training"], days)
    file.write_text(made["lease"] + "\n", encoding="ascii")
    note(f"on the node: swarm-node lease import {file.name}")
    show(made, as_json, f"lease {made['id']}, until {iso(made['expires_s'])}: {file}")


@app.command("end", epilog="Example: swarm-market lease end 3f… --wallet hospital-a.json")
def end(
    lease: Annotated[str, typer.Argument(help="id of a lease, or how it begins")],
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Has a lease renewed no more; its seat is free when it has lapsed."""
    with options.client(market, access, password_file) as client:
        known = [each["id"] for each in client.many("/api/leases")]
        ended = client.end_lease(options.full_id(known, lease, "lease"))
    show(ended, as_json, f"lease {ended['id']} lapses at {iso(ended['live_until_s'])}")
