"""`swarm-node lease …`: show it, put one from a file in place, give it back."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent.commands.options import ConfigOption, JsonOption
from node_agent.errors import ConfigError, LeaseError, NodeError

if TYPE_CHECKING:
    from node_agent.config import Settings

app = typer.Typer(help="The right to run the software.", no_args_is_help=True)


@app.command(epilog="Example: swarm-node lease show --config /var/lib/swarm")
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the lease, and whether a run could be joined with it now."""
    from node_agent import lease

    settings = _settings(config)
    found = lease.read(settings.lease, settings.lease_key)
    try:
        lease.usable(settings.lease, settings.lease_key, settings.spiffe_id, time.time())
        trouble = ""
    except LeaseError as error:
        trouble = str(error)
    shown = {
        "id": found.id,
        "organization": found.organization,
        "node": found.node,
        "features": list(found.features),
        "issued_s": found.issued_s,
        "expires_s": found.expires_s,
        "grace_s": found.grace_s,
        "usable": not trouble,
        "trouble": trouble,
    }
    if as_json:
        print(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        print(f"{name:<13} {', '.join(value) if isinstance(value, list) else value}")


@app.command("import", epilog="Example: swarm-node lease import site-1.lease")
def import_lease(
    file: Annotated[
        Path, typer.Argument(help="as `swarm-market lease export` wrote it; - reads stdin")
    ],
    config: ConfigOption = None,
) -> None:
    """Put a lease from a file in place, on a node that does not reach the marketplace."""
    from node_agent import lease

    settings = _settings(config)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    key = settings.lease_key.read_text(encoding="ascii") if settings.lease_key.exists() else ""
    lease.verify(text, key).check(settings.spiffe_id, time.time())
    found = lease.adopt(text, settings.lease, settings.lease_key)
    print(f"lease {found.id} of {found.organization}, for {', '.join(found.features)}")


@app.command("return", epilog="Example: swarm-node lease return --config /var/lib/swarm")
def give_back(config: ConfigOption = None) -> None:
    """Give the seat back, so that another node can have it; stop the agent first."""
    from node_agent import health

    settings = _settings(config)
    try:
        health.ask_status(health.socket_path(config))
    except NodeError:
        returned = asyncio.run(_give_back(settings))
        print(f"returned {returned}" if returned else "there was no lease to return")
        return
    raise LeaseError("the agent is running and would take a seat again", hint="stop it first")


async def _give_back(settings: Settings) -> str | None:
    from node_agent import lease
    from node_agent.errors import MarketplaceError
    from node_agent.identity.choose import source_for
    from node_agent.marketplace import MarketplaceClient

    bundle = settings.folder / "bundle.pem"
    if settings.marketplace_url is None or not bundle.is_file():
        raise ConfigError(
            "this node knows no marketplace to give a lease back to",
            hint="set marketplace_url; `swarm-node enroll` does",
        )

    async def no_renewal(csr_pem: bytes) -> tuple[bytes, bytes]:
        raise MarketplaceError("the SVID is over", hint="run `swarm-node enroll` again")

    async with source_for(settings, no_renewal) as source:
        client = MarketplaceClient(settings.marketplace_url, bundle.read_bytes(), source.current)
        try:
            return await lease.give_back(settings.lease, settings.lease_key, client.return_lease)
        finally:
            await client.close()


def _settings(config: Path | None) -> Settings:
    from node_agent.config import load  # not for --help: it takes time

    return load(config)
