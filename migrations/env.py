"""Run by Alembic: connects to the database of the caller's choice and runs the migrations.

The marketplace hands over its engine in `config.attributes["engine"]`; the `alembic` command line
tool gives a URL with `-x url=sqlite:///…`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from marketplace.storage.models import Base


def _engine() -> sa.Engine:
    given: sa.Engine | None = context.config.attributes.get("engine")
    if given is not None:
        return given
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("which database? alembic -x url=sqlite:///path/to/market.sqlite3 …")
    return sa.create_engine(url)


with _engine().connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite changes tables by copying them.
        render_as_batch=connection.dialect.name == "sqlite",
        # A migration that fails leaves nothing behind, on SQLite too.
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
