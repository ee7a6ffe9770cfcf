"""`swarm-node logs`, `collect-logs` and `systemd`: for whoever keeps the agent healthy."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from node_agent import health
from node_agent.commands.options import ConfigOption, JsonOption
from node_agent.errors import ConfigError, NodeError


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: swarm-node logs --lines 20 --level warning --follow")(logs)
    app.command(epilog="Example: swarm-node collect-logs --out swarm-node.tar.gz")(collect_logs)
    app.command(
        epilog="Example: swarm-node systemd --config /var/lib/swarm "
        "> /etc/systemd/system/swarm-node.service"
    )(systemd)


def logs(
    config: ConfigOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many to show.")] = 50,
    level: Annotated[Level, typer.Option(help="The least that is shown.")] = Level.DEBUG,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the agent's log, whether it is running or not."""
    from node_agent.operations import logbook

    folder = _folder(config)
    show = json.dumps if as_json else logbook.as_text
    for entry in logbook.last(folder, lines, level):
        print(show(entry))
    if follow:
        for entry in logbook.follow(folder, level):
            print(show(entry), flush=True)


def collect_logs(
    config: ConfigOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Default: swarm-node-<date>.tar.gz, here.")
    ] = None,
) -> None:
    """Pack what a helper needs to see, and no secret: log, settings, status, findings, rounds."""
    import asyncio

    from node_agent import config as settings
    from node_agent.operations import bundle

    loaded = settings.load(config)
    status: dict[str, Any]
    try:
        status = health.ask_status(loaded.socket)
    except NodeError as error:
        status = {"error": str(error)}
    out = out or Path(f"swarm-node-{time.strftime('%Y-%m-%d-%H%M%S')}.tar.gz")
    findings = asyncio.run(_findings(loaded))
    parts = bundle.collect(loaded.folder, health.config_file(config), status, findings)
    try:
        bundle.pack(parts, out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}", hint="use --out") from error
    print(out)
    for part in parts:
        print(f"{len(part.content):>10} bytes  {part.name}", file=sys.stderr)
    print("No keys, leases or tokens are in it; look at it before you send it.", file=sys.stderr)


async def _findings(settings: Any) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from node_agent.validate import validate

    return [asdict(finding) async for finding in validate(settings)]


def systemd(config: ConfigOption = None) -> None:
    """Print a systemd unit that runs the agent with these settings."""
    from importlib.resources import files
    from shutil import which
    from string import Template

    path = health.config_file(config)
    if not path.is_file():
        raise ConfigError(f"no settings at {path}", hint="run `swarm-node enroll` first")
    program = which(sys.argv[0]) or which("swarm-node")
    if program is None:
        raise ConfigError("cannot find the program swarm-node", hint="call it by its path")
    unit = files("node_agent").joinpath("samples/swarm-node.service").read_text("utf-8")
    known = {"program": str(Path(program).absolute()), "config": str(path)}
    print(Template(unit).substitute(known, folder=path.parent, owner=path.owner()), end="")
    print("next: systemctl daemon-reload && systemctl enable --now swarm-node", file=sys.stderr)


def _folder(config: Path | None) -> Path:
    return health.folder_path(config).resolve()
