"""Brings a database to the newest revision of its tables, or to any other."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Runs the migrations that are missing. Safe to repeat."""
    command.upgrade(_config(engine), revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Takes migrations back, down to `revision` ("base" for all). Loses what only they can hold."""
    command.downgrade(_config(engine), revision)


def current(engine: sa.Engine) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest(engine: sa.Engine) -> str | None:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_config(engine)).get_current_head()


def _config(engine: sa.Engine) -> Config:
    # Found, not imported: `migrations` knows our models, and we must not depend on it in turn.
    found = importlib.util.find_spec("migrations")
    if found is None or found.origin is None:
        raise RuntimeError("the package `migrations` is not installed next to `marketplace`")
    config = Config()
    config.set_main_option("script_location", str(Path(found.origin).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config
