"""`swarm-node pause`, `resume` and `report-proof`: what an operator decides during a run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent import health
from node_agent.commands.options import ConfigOption

if TYPE_CHECKING:
    from contracts.chain import Receipt
    from node_agent.config import Settings


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: swarm-node pause --config /var/lib/swarm")(pause)
    app.command(epilog="Example: swarm-node resume --config /var/lib/swarm")(resume)
    app.command(
        "report-proof",
        epilog="Example: swarm-node report-proof /var/lib/swarm/proofs/update-….json",
    )(report_proof)


def pause(config: ConfigOption = None) -> None:
    """Commit and attest nothing until resumed, also after a restart; files are served on."""
    health.ask(health.socket_path(config), "pause")
    print("paused: the node stays a member, and is missed in the rounds until it is resumed")


def resume(config: ConfigOption = None) -> None:
    """Take part again, from the open round on."""
    health.ask(health.socket_path(config), "resume")
    print("resumed")


def report_proof(
    proof: Annotated[
        Path | None,
        typer.Argument(help="Without: list those that this node has seen.", show_default=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Post the proof that a node contradicted itself, which costs its organization stake."""
    from node_agent import config as settings
    from node_agent import proofs

    loaded = settings.load(config)
    if proof is None:
        for path in proofs.kept(loaded.folder):
            found = proofs.load(path)
            print(f"{found.node}  {found.kind}  round {found.messages[0]['round']}  {path}")
        return
    receipt = asyncio.run(_report(loaded, proof))
    print(f"posted in transaction {receipt.transaction}")


async def _report(settings: Settings, path: Path) -> Receipt:
    from contracts import Contracts
    from contracts.chain import Chain
    from contracts.deployment import Deployment
    from contracts.keys import load_key
    from node_agent import proofs

    found = proofs.load(path)
    signer = load_key(settings.node_key)
    async with await Chain.connect(settings.rpc_url) as chain:
        contracts = Contracts.at(chain, Deployment.load(settings.deployment))
        return await proofs.report(found, contracts, signer)
