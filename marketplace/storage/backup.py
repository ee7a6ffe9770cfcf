"""Copies of everything that a marketplace has, and the way back.

A backup is one `.tar.gz` of the folder's settings and keys, and of the database as it was at one
moment, while the marketplace goes on. What was read from the chain is in it and need not be: an
index that is older than the chain catches up by itself. Of PostgreSQL the rows are copied, table by
table from one snapshot, in a form that either kind of database takes back: so it is also the way
from SQLite to PostgreSQL.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from marketplace.errors import Conflict, InvalidInput
from marketplace.storage import migrate
from marketplace.storage.database import engine_of
from marketplace.storage.models import Base

FORMAT: Final = "swarm-market backup 1"
_MANIFEST: Final = "manifest.json"
_ROWS: Final = "database/{}.jsonl"
_FILES: Final = ("*.key", "ca.pem", "*.crt", "settings.toml", "deployment.json")
_CHUNK: Final = 1_000


def save(database_url: str, folder: Path, file: Path) -> dict[str, Any]:
    """Writes a backup; gives its manifest.

    Raises:
        Conflict: the file is there already.
        InvalidInput: the database has tables of another version.
    """
    if file.exists():
        raise Conflict(f"{file} is there already", hint="choose another name")
    partial = file.with_name(file.name + ".partial")
    engine = engine_of(database_url)
    try:
        _must_be_newest(engine)
        # Keys are in it: for its owner's eyes only, from the first byte on.
        partial.touch(mode=0o600)
        with tarfile.open(partial, "w:gz") as archive:
            counts: dict[str, int] = {}
            hashes: dict[str, str] = {}
            manifest = {
                "format": FORMAT,
                "revision": migrate.current(engine),
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "database": engine.dialect.name,
                "rows": counts,
                "sha256": hashes,
            }
            for name, data in (*_rows(engine, counts), *_kept_files(folder)):
                hashes[name] = hashlib.sha256(data).hexdigest()
                _add(archive, name, data)
            _add(archive, _MANIFEST, json.dumps(manifest, indent=2).encode())
        partial.replace(file)
    finally:
        engine.dispose()
        partial.unlink(missing_ok=True)
    return manifest


def read(file: Path) -> dict[str, bytes]:
    """The parts of a backup, each checked against its hash; the manifest among them.

    Raises:
        InvalidInput: it is none, or not as it was written.
    """
    try:
        with tarfile.open(file, "r:gz") as archive:
            parts = {
                member.name: opened.read()
                for member in archive
                if (opened := archive.extractfile(member)) is not None
            }
        manifest = json.loads(parts[_MANIFEST])
        if manifest["format"] != FORMAT:
            raise InvalidInput(f"{file} is of another kind: {manifest['format']}")
        hashes: dict[str, str] = manifest["sha256"]
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise InvalidInput(f"{file} is no backup: {error}", hint="swarm-market backup") from error
    for name, expected in hashes.items():
        if hashlib.sha256(parts.get(name, b"")).hexdigest() != expected:
            raise InvalidInput(f"{file}: {name} is not as it was written", hint="take another one")
    return parts


def restore(parts: dict[str, bytes], database_url: str) -> dict[str, int]:
    """Puts rows into an empty database; all of them or none. Gives how many, by table.

    Raises:
        Conflict: the database is not empty.
        InvalidInput: the backup is of a version that this program does not know.
    """
    manifest = json.loads(parts[_MANIFEST])
    engine = engine_of(database_url)
    try:
        if sa.inspect(engine).get_table_names():
            raise Conflict(
                "the database is not empty", hint="restore into a new one, then switch to it"
            )
        migrate.upgrade(engine, manifest["revision"])
        if manifest["revision"] != migrate.newest(engine):
            raise InvalidInput(
                f"the backup has the tables of revision {manifest['revision']}",
                hint="restore it with the version that wrote it, then upgrade",
            )
        with engine.begin() as connection:
            found = {
                table.name: _fill(connection, table, parts[_ROWS.format(table.name)])
                for table in Base.metadata.sorted_tables
            }
            _set_counters(connection)
        return found
    finally:
        engine.dispose()


def files_of(parts: dict[str, bytes]) -> dict[str, bytes]:
    """The folder's files in a backup, by name."""
    return {
        name.removeprefix("folder/"): data
        for name, data in parts.items()
        if name.startswith("folder/") and "/" not in name.removeprefix("folder/")
    }


def _rows(engine: sa.Engine, counts: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    # One transaction for all tables: they are of one moment.
    with engine.connect().execution_options(**options) as connection, connection.begin():
        for table in Base.metadata.sorted_tables:
            lines = [
                json.dumps([_plain(value) for value in row], separators=(",", ":"))
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            counts[table.name] = len(lines)
            head = json.dumps([column.name for column in table.columns])
            yield _ROWS.format(table.name), "\n".join([head, *lines]).encode()


def _fill(connection: sa.Connection, table: sa.Table, data: bytes) -> int:
    head, *lines = data.decode().split("\n")
    names = json.loads(head)
    for start in range(0, len(lines), _CHUNK):
        rows = [
            dict(zip(names, json.loads(line), strict=True))
            for line in lines[start : start + _CHUNK]
        ]
        connection.execute(sa.insert(table), rows)
    return len(lines)


def _set_counters(connection: sa.Connection) -> None:
    """PostgreSQL counts on from where it stood, not from what it was given."""
    if connection.dialect.name == "sqlite":
        return
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None or column.foreign_keys:
            continue
        last = connection.scalar(sa.select(sa.func.max(column)))
        if last is not None:
            connection.execute(
                sa.text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
                {"table": table.name, "column": column.name, "last": last},
            )


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def _kept_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for pattern in _FILES:
        for file in sorted(folder.glob(pattern)):
            yield f"folder/{file.name}", file.read_bytes()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))


def _must_be_newest(engine: sa.Engine) -> None:
    if migrate.current(engine) != migrate.newest(engine):
        raise InvalidInput(
            "the database has the tables of another version",
            hint="start this version once, or make the backup with the version that runs",
        )
