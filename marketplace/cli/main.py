"""The commands, put together, and the rim where errors become exit codes."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import typer

from contracts.errors import ChainError, KeyFileError
from marketplace.cli import (
    admissions,
    agreements,
    amending,
    announcements,
    audit,
    backup,
    drafts,
    invitations,
    leases,
    money,
    motions,
    nodes,
    operate,
    org,
    rebuilding,
    runs,
    statements,
    trail,
    wallets,
)
from marketplace.cli.output import complain
from marketplace.errors import MarketError, SettingsError

app = typer.Typer(
    help="Marketplace for swarm learning: agreements, nodes, runs, rewards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Example: swarm-market init market --admin 0x… && swarm-market serve --folder market\n\n"
    "Exit codes: 2 usage, 3 settings or keys, 4 invalid input, 5 sign-in required, 6 not allowed, "
    "7 wrong signature, 8 not found, 9 conflict, 10 refused by a contract, 11 nobody answers, "
    "12 still waiting, 13 something is not as on chain, 14 an audit could not recompute all, "
    "20 too many requests, 21 records were changed.",
)
operate.install(app)
backup.install(app)
money.install(app)
statements.install(app, money.app)
rebuilding.install(app)
announcements.install(app)
wallets.install(app)
audit.install(app)
app.add_typer(wallets.app, name="wallet")
amending.install(agreements.app)
app.add_typer(agreements.app, name="agreement")
app.add_typer(drafts.templates, name="template")
invitations.install(drafts.app)
app.add_typer(drafts.app, name="draft")
app.add_typer(motions.app, name="motion")
app.add_typer(admissions.app, name="admission")
app.add_typer(nodes.app, name="node")
app.add_typer(runs.app, name="run")
app.add_typer(money.app, name="rewards")
app.add_typer(leases.app, name="lease")
app.add_typer(org.app, name="org")
app.add_typer(org.tokens, name="token")
app.add_typer(trail.app, name="trail")
app.add_typer(announcements.app, name="webhook")


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits: 0, or the code of the error."""
    logging.basicConfig(
        level=os.environ.get("SWARM_MARKET_LOG", "INFO").upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for chatty in ("httpx", "uvicorn.error", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(given, prog_name="swarm-market")
    except (MarketError, ChainError) as error:
        ours = _translated(error)
        complain(ours, as_json="--json" in given)
        raise SystemExit(ours.exit_code) from error


def _translated(error: Any) -> MarketError:
    if isinstance(error, MarketError):
        return error
    if isinstance(error, KeyFileError):
        return SettingsError(str(error), hint=error.hint)
    from marketplace.web.problems import translated

    return translated(error)
