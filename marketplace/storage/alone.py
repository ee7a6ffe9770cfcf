"""One process at a time on a SQLite file."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from marketplace.errors import SettingsError


@contextmanager
def alone(database_url: str) -> Iterator[None]:
    """Holds a SQLite database against other processes that serve or restore; PostgreSQL is free.

    The lock is the kernel's: it ends with the process, however that ends.

    Raises:
        SettingsError: another process has it.
    """
    file = sqlite_file(database_url)
    if file is None:
        yield
        return
    with file.with_name(file.name + ".lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"another process of this marketplace uses {file}",
                hint="stop it first; several processes need PostgreSQL: set database_url",
            ) from error
        yield


def sqlite_file(database_url: str) -> Path | None:
    """The file behind a URL; None if it is not one of SQLite."""
    url = sa.make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)
