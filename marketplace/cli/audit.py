"""`swarm-market audit`: recompute every payment of a run, asking only the chain and the files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from marketplace.cli import options
from marketplace.cli.output import note, show
from marketplace.errors import InvalidInput

DIFFERENT = 13
INCOMPLETE = 14


def install(root: typer.Typer) -> None:
    """Adds the command."""
    root.command(
        "audit",
        epilog="Exit codes: 0 everything was recomputed and is the same, 13 something is "
        "different, 14 nothing is, but not everything could be recomputed.\n\n"
        "Example: swarm-market audit tumors --rpc http://127.0.0.1:8545 "
        "--deployment deployment.json --artifacts node",
    )(audit)


def audit(
    run: Annotated[str, typer.Argument(help="id of a run, or its name")],
    rpc: Annotated[
        str, typer.Option("--rpc", help="Ethereum endpoint; your own is the one to trust")
    ] = "",
    deployment: Annotated[Path, typer.Option(help="file with the contracts' addresses")] = Path(
        "deployment.json"
    ),
    artifacts: Annotated[
        list[Path] | None,
        typer.Option(help="folder of a node, or a copy of its files; repeatable"),
    ] = None,
    initial: Annotated[
        Path | None, typer.Option(help="the initial parameters that the terms name by their hash")
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="measures models on the agreed validation set; see marketplace/README.md",
        ),
    ] = "",
    retrain: Annotated[
        str,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="trains a set of organizations and returns the loss: adds the retrain audit, "
            "2N + 1 trainings",
        ),
    ] = "",
    by_metric: Annotated[
        bool,
        typer.Option(
            "--by-metric", help="--retrain returns the metric that ends the run, not the loss"
        ),
    ] = False,
    from_block: Annotated[int, typer.Option(help="where to look for events from")] = 0,
    records: Annotated[
        Path | None, typer.Option(help="audit these records instead of asking a chain")
    ] = None,
    save_records: Annotated[
        Path | None, typer.Option(help="also write what the chain has of the run")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Recomputes every payment of a run from public records and the nodes' files.

    Commits, merged models, shares, wei, transfers: prints the first difference, if there is one,
    and where it is. The marketplace is not asked.
    """
    from contracts.deployment import Deployment
    from marketplace.audit.artifacts import Artifacts
    from marketplace.audit.gather import gather
    from marketplace.audit.records import Records
    from marketplace.audit.report import as_json as report_json
    from marketplace.audit.report import as_text
    from marketplace.audit.retrain import By, better, load_function
    from marketplace.audit.retrain import retrain as train_again
    from marketplace.audit.walk import audit as walk

    if bool(rpc) == bool(records):
        raise InvalidInput("name either a chain (--rpc) or records of one (--records)")
    if by_metric and not retrain:
        raise InvalidInput("--by-metric says what --retrain returns: name that, too")
    measuring = load_function(measure) if measure else None
    training = load_function(retrain) if retrain else None
    files = Artifacts(artifacts or [], [initial] if initial else [])
    if records:
        found = Records.load(records)
        if run not in (found.run.name, "0x" + found.run_id.hex()):
            raise InvalidInput(f"the records are of the run {found.run.name}, not of {run}")
    else:
        addresses = Deployment.load(deployment)
        found = asyncio.run(gather(rpc, addresses, run, from_block=from_block))
    by = By.METRIC if by_metric else By.LOSS
    better(found.terms.stopping, by)  # asked before hours of training
    if save_records:
        found.save(save_records)
    result = walk(found, files, measuring)
    if training and not result.difference:
        note("training again, with and without each organization")
    retrained = train_again(result, training, by) if training and not result.difference else ()
    show(report_json(result, retrained, by), as_json, *as_text(result, retrained, by))
    if result.difference:
        raise typer.Exit(DIFFERENT)
    if not result.complete:
        raise typer.Exit(INCOMPLETE)
