"""The books are balanced by the database itself, whoever writes to it, by whatever SQL."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models.ledger import LedgerEntry, LedgerPosting
from tests.marketplace.postgres import server

HUGE_WEI = 2**250
_numbers = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Both kinds, from the first revision to the newest and back."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("sqlite") / "market.sqlite3"
        yield from migrated(f"sqlite:///{file}")
        return
    with server() as url:
        yield from migrated(url)


def migrated(url: str) -> Iterator[Database]:
    made = Database(url)
    migrate.upgrade(made.engine)
    yield made
    migrate.downgrade(made.engine, "base")
    assert sa.inspect(made.engine).get_table_names() == ["alembic_version"]
    made.close()


def write(session: Session, postings: dict[str, int], number: int = 0, close: bool = True) -> int:
    """Postings and their entry, by plain SQL; gives its number."""
    number = number or next(_numbers)
    table = LedgerPosting.__table__
    rows = [
        {"entry": number, "account": account, "amount_wei": wei}
        for account, wei in postings.items()
    ]
    session.execute(sa.insert(table), rows)
    if not close:
        return number
    text = "INSERT INTO ledger_entries VALUES (:n, 1, 1, 'h', :n, 't', 0, :no, 'what')"
    session.execute(sa.text(text), {"n": number, "no": False})
    return number


def test_a_balanced_entry_of_any_size_is_taken(database: Database) -> None:
    database.write_now(write, {"a": HUGE_WEI, "b": -HUGE_WEI + 1, "c": -1})
    number = database.write_now(write, {"a": 10**13, "b": -(10**13)})
    assert database.read_now(lambda session: session.get_one(LedgerEntry, number).what) == "what"


@pytest.mark.parametrize(
    "postings",
    [
        {"a": 1, "b": -2},
        {"a": HUGE_WEI, "b": -HUGE_WEI + 10**26},
        {"a": 10**13, "b": -(10**13) + 1},
        {"a": 5},
        {"a": 0, "b": 0},
    ],
    ids=["by one", "in the middle digits", "by a carry", "one-sided", "of nothing"],
)
def test_an_unbalanced_entry_is_refused_by_the_database(
    database: Database, postings: dict[str, int]
) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(write, postings)
    found = sa.select(sa.func.count(LedgerPosting.entry)).where(LedgerPosting.account == "a")
    count_before = database.read_now(lambda session: session.scalar(found))
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(write, postings)
    assert database.read_now(lambda session: session.scalar(found)) == count_before


def test_postings_without_an_entry_do_not_last(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(write, {"a": 1, "b": -1}, close=False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_postings SET account = 'x'",
        "DELETE FROM ledger_postings",
        "UPDATE ledger_entries SET what = 'x'",
        "DELETE FROM ledger_entries",
    ],
)
def test_what_is_written_stays(database: Database, statement: str) -> None:
    number = database.write_now(write, {"a": 1, "b": -1})
    with pytest.raises(sa.exc.DatabaseError, match="what is written stays"):
        database.write_now(lambda session: session.execute(sa.text(statement)))
    with pytest.raises(sa.exc.DatabaseError, match="is complete"):
        database.write_now(write, {"c": 1, "d": -1}, number, close=False)
