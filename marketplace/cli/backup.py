"""`swarm-market backup | restore`: copies of a whole marketplace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts.files import replace_file
from marketplace.cli import options
from marketplace.cli.output import note, show
from marketplace.errors import Conflict, InvalidInput


def install(root: typer.Typer) -> None:
    """Adds the commands that stand by themselves."""
    root.command("backup", epilog="Example: swarm-market backup market-monday.tar.gz")(backup)
    root.command(
        "restore", epilog="Example: swarm-market restore market-monday.tar.gz --folder market-2"
    )(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="to be written: .tar.gz, keys included")],
    folder: options.Folder = options.DEFAULT_FOLDER,
    as_json: options.Json = False,
) -> None:
    """Copies settings, keys and database, as of one moment; the marketplace may go on meanwhile."""
    from marketplace.settings import load
    from marketplace.storage import backup as backups

    settings = load(folder)
    manifest = backups.save(settings.database, folder, file)
    rows = sum(manifest["rows"].values())
    note(f"{file} holds the marketplace's keys: keep it where those may be")
    show(manifest, as_json, f"{rows} rows, tables of revision {manifest['revision']}: {file}")


def restore(
    file: Annotated[Path, typer.Argument(help="as `swarm-market backup` wrote it")],
    folder: options.Folder = options.DEFAULT_FOLDER,
    database_url: Annotated[
        str, typer.Option(help="an empty database; default: as the settings in the backup say")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Makes a marketplace of a backup, in a new folder and an empty database."""
    from marketplace.settings import SETTINGS_FILE, load
    from marketplace.storage import backup as backups
    from marketplace.storage.alone import alone

    parts = backups.read(file)
    files = backups.files_of(parts)
    if SETTINGS_FILE not in files:
        raise InvalidInput(f"{file} has no {SETTINGS_FILE}", hint="take another backup")
    if (folder / SETTINGS_FILE).exists():
        raise Conflict(f"{folder} holds a marketplace already", hint="choose another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in sorted(files, key=lambda each: each == SETTINGS_FILE):
        replace_file(folder / name, files[name])
    settings = load(folder, database_url=database_url or None)
    try:
        with alone(settings.database):
            found = backups.restore(parts, settings.database)
    except BaseException:
        # It holds a marketplace once these are there: not if its database is missing.
        (folder / SETTINGS_FILE).unlink()
        raise
    if database_url:
        note(f"set database_url in {folder / SETTINGS_FILE}, or $SWARM_MARKET_DATABASE_URL")
    note("check it: swarm-market trail verify; the index catches up with the chain when it serves")
    show(
        {"folder": str(folder), "rows": found},
        as_json,
        f"{sum(found.values())} rows in {folder}",
    )
