"""`swarm-node`: what an operator types. Data goes to stdout, everything else to stderr.

What a command needs is imported when it runs: `--help` and `healthcheck` must be quick. Exit codes
are those of `node_agent.errors`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node_agent import health
from node_agent.commands import lease, logs, models, part
from node_agent.commands.options import ConfigOption, JsonOption
from node_agent.errors import CHAIN_EXIT_CODE, IdentityError, NodeError

if TYPE_CHECKING:
    from node_agent.config import Settings
    from node_agent.validate import Finding

NOT_HEALTHY = 1

app = typer.Typer(
    help="The node agent of swarm learning: trains one model together with peers.",
    epilog="Example: swarm-node enroll --token TOKEN --url https://clinic-a.example:7443 "
    "&& swarm-node validate && swarm-node run",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

logs.add_to(app)
models.add_to(app)
app.add_typer(lease.app, name="lease")
part.add_to(app)


@app.command(epilog="Example: swarm-node run --config /var/lib/swarm")
def run(config: ConfigOption = None) -> None:
    """Run the agent until it is told to stop, or the run is over."""
    settings = _settings(config, keep_log=True)
    import uvloop

    from node_agent.app import run_agent
    from node_agent.stop import until_told

    uvloop.run(until_told(run_agent(settings)))


@app.command(
    name="exec",
    context_settings={"allow_interspersed_args": False},
    epilog="Example: swarm-node exec --config /var/lib/swarm -- python train.py",
)
def execute(
    program: Annotated[list[str], typer.Argument(help="The training program and its arguments.")],
    config: ConfigOption = None,
) -> None:
    """Start a training program that finds the agent, also one written for HPE Swarm Learning."""
    from node_agent.exec import run_program

    run_program(program, config)


@app.command(epilog="Example: swarm-node validate --config /var/lib/swarm")
def validate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check everything that the agent needs, and say what to do about what is missing."""
    settings = _settings(config)
    import asyncio

    failed = asyncio.run(_validate(settings, as_json))
    raise typer.Exit(NOT_HEALTHY if failed else 0)


async def _validate(settings: Settings, as_json: bool) -> bool:
    from node_agent.validate import validate as check

    failed = False
    async for finding in check(settings):
        failed |= finding.level == "failed"
        print(_as_json(finding) if as_json else _as_line(finding), flush=True)
    return failed


def _as_json(finding: Finding) -> str:
    from dataclasses import asdict

    return json.dumps(asdict(finding))


def _as_line(finding: Finding) -> str:
    line = f"{finding.level:<8} {finding.check + ':':<20} {finding.text}"
    return line + (f"\n{'':30}hint: {finding.hint}" if finding.hint else "")


@app.command(epilog="Example: swarm-node healthcheck --config /var/lib/swarm")
def healthcheck(config: ConfigOption = None) -> None:
    """Exit with 0 if the agent is running and answers, else with 1."""
    try:
        health.ask_status(health.socket_path(config))
    except NodeError as error:
        _complain(error)
        raise typer.Exit(NOT_HEALTHY) from None


@app.command(epilog="Example: swarm-node status --json")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the running agent is doing."""
    answer = health.ask_status(health.socket_path(config))
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    width = max((len(name) for name in answer), default=0)
    for name, value in answer.items():
        shown = _usage(value) if name == "usage" and value else _shown(value)
        print(f"{name:<{width}}  {shown}")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _usage(usage: dict[str, Any]) -> str:
    """The last round's, in words; `--json` has the numbers."""
    energy_j = usage["energy_j"]
    parts = [
        f"round {usage['round']}: {usage['bytes_served'] / 1e6:.3f} MB served",
        f"{usage['bytes_fetched'] / 1e6:.3f} MB fetched",
        f"{usage['training_ms'] / 1e3:.3f} s training",
        f"{usage['evaluation_ms'] / 1e3:.3f} s evaluation",
        f"{usage['merge_ms'] / 1e3:.3f} s merge",
        f"{usage['samples']} samples",
        "energy not readable" if energy_j is None else f"{energy_j} J",
    ]
    if usage["restarts"]:
        parts.append(f"incomplete: {usage['restarts']} restarts")
    if usage["waiting_reports"]:
        parts.append(f"{usage['waiting_reports']} reports wait for the marketplace")
    return ", ".join(parts)


@app.command(
    epilog="Example: swarm-node enroll --token TOKEN --url https://clinic-a.example:7443 "
    "--folder /var/lib/swarm"
)
def enroll(
    token: Annotated[
        str | None,
        typer.Option(
            help="As your consortium gave it; - reads it from stdin. "
            "Without: the one that was used in this folder before.",
            show_default=False,
            envvar="SWARM_ENROLLMENT_TOKEN",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help='Where peers reach this node, https://host:port; "" if nothing is let in.',
            show_default=False,
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the agent keeps its state.")] = Path("."),
    listen: Annotated[str, typer.Option(help="Address and port to listen on.")] = "0.0.0.0:7443",
    lead: Annotated[bool, typer.Option(help="Whether this node may lead rounds.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Enroll this node with a token; run it again if it was interrupted, or the SVID expired."""
    import asyncio

    from node_agent import enroll as enrollment
    from node_agent.operations.listen import address

    host, port = address(listen)

    if token == "-":
        token = sys.stdin.readline().strip()
    done = asyncio.run(
        enrollment.enroll(
            folder,
            token,
            url,
            listen_host=host,
            listen_port=port,
            may_lead=lead,
        )
    )
    if as_json:
        from dataclasses import asdict

        print(json.dumps(asdict(done), indent=2))
        return
    print(f"node        {done.spiffe_id}\nkey         {done.key}")
    print(f"enrollment  {done.enrollment} ({done.state})\nfolder      {done.folder}")
    print("next: the owner approves the enrollment on the marketplace's page;", file=sys.stderr)
    print(f"then set the run in {done.folder}/agent.toml and validate", file=sys.stderr)
    if not done.url:
        print(
            "without a URL this node opens all connections itself, to nodes that have one",
            file=sys.stderr,
        )


@app.command(epilog="Example: swarm-node version")
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    print(installed("swarm-marketplace"))


def main() -> None:
    """Runs the command line and exits; errors become numbers and hints here."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Runs one command and returns its exit code."""
    try:
        app(arguments, prog_name="swarm-node")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else NOT_HEALTHY
    except Exception as raised:
        error = _first(raised)
        code = _exit_code(error)
        if code is None:
            raise
        _complain(error)
        return code
    return 0


def _first(error: BaseException) -> BaseException:
    """The error that came first, where tasks that ran together failed together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _exit_code(error: BaseException) -> int | None:
    """The number for an error that is one of ours; None: it is a defect, to be seen in full."""
    if isinstance(error, NodeError):
        return error.exit_code
    from contracts.errors import ChainError, KeyFileError

    if isinstance(error, KeyFileError):
        return IdentityError.exit_code
    return CHAIN_EXIT_CODE if isinstance(error, ChainError) else None


def _settings(config: Path | None, *, keep_log: bool = False) -> Settings:
    from node_agent import config as settings
    from node_agent.logs import configure

    loaded = settings.load(config)
    configure(loaded.log_format, loaded.log_level, loaded.folder if keep_log else None)
    return loaded


def _complain(error: BaseException) -> None:
    print(f"error: {error}", file=sys.stderr)
    if hint := getattr(error, "hint", ""):
        print(f"hint: {hint}", file=sys.stderr)
