"""Databases for tests: SQLite files, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from marketplace.storage.database import engine_of


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes empty databases on a PostgreSQL server that runs as long as the tests."""
    import pgserver

    # Not in pytest's folder: as root, pgserver runs the server as another user, who has to get in.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    engine = engine_of(server.get_uri()).execution_options(isolation_level="AUTOCOMMIT")

    with engine.connect() as connection:
        # The tests' marketplaces are killed; the machine is not.
        connection.execute(sa.text("ALTER SYSTEM SET fsync = off"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))

    def new() -> str:
        name = f"market_{uuid.uuid4().hex[:12]}"
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return str(server.get_uri(database=name))

    try:
        yield new
    finally:
        engine.dispose()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'market.sqlite3'}"
    new: Callable[[], str] = request.getfixturevalue("postgres")
    return new()
