"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database on a server that ends with the context."""
    import pgserver

    # Not in pytest's folder: as root, pgserver runs the server as another user, who has to get in.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    started = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield started.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
