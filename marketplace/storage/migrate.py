"""Brings a database to the newest revision of its tables, or to any other."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from marketplace.errors import SettingsError

_MIGRATIONS_LOCK = 0x5357_0002


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Runs the migrations that are missing. Safe to repeat."""
    with _alone(engine):
        try:
            command.upgrade(_config(engine), revision)
        except CommandError as error:
            raise SettingsError(
                f"the database is not one that this program knows: {error}",
                hint="was it written by a newer version? Start that one",
            ) from error


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Takes migrations back, down to `revision` ("base" for all). Loses what only they can hold."""
    with _alone(engine):
        command.downgrade(_config(engine), revision)


def current(engine: sa.Engine) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest(engine: sa.Engine) -> str | None:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_config(engine)).get_current_head()


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Of several processes that start at once, the others wait until the tables are there."""
    if engine.dialect.name == "sqlite":
        yield  # where every migration is one transaction that keeps the others out
        return
    with engine.connect() as connection:
        connection.execute(sa.text(f"SELECT pg_advisory_lock({_MIGRATIONS_LOCK})"))
        connection.commit()
        try:
            yield
        finally:
            connection.execute(sa.text(f"SELECT pg_advisory_unlock({_MIGRATIONS_LOCK})"))
            connection.commit()


def _config(engine: sa.Engine) -> Config:
    # Found, not imported: `migrations` knows our models, and we must not depend on it in turn.
    found = importlib.util.find_spec("migrations")
    if found is None or found.origin is None:
        raise RuntimeError("the package `migrations` is not installed next to `marketplace`")
    config = Config()
    config.set_main_option("script_location", str(Path(found.origin).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config
