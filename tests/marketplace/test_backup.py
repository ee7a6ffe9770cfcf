"""A backup has everything, and gives it back to either kind of database; the trail shows it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models import Agreement, Base, TrailEntry
from marketplace.trail import log
from marketplace.trail.actor import acting_as
from tests.marketplace.processes import run
from tests.marketplace.test_migrations import HASH, fill, fill_usage

ADMIN = "0x" + "11" * 20


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Path:
    """A marketplace with something in its database."""
    made = tmp_path / "market"
    run("init", str(made), "--admin", "0x52908400098527886E0F7030069857D2E4169EE7")
    with (made / "settings.toml").open("a") as settings:
        settings.write(f'database_url = "{database_url}"\n')
    database = Database(database_url, log.recorder(lambda: 1))
    migrate.upgrade(database.engine)
    acting_as("clinic-a")
    database.write_now(fill)
    database.write_now(fill_usage)
    database.close()
    return made


def contents(url: str) -> dict[str, list[str]]:
    """All rows of all tables, as text."""
    database = Database(url)
    with database.engine.connect() as connection:
        found = {
            table.name: [
                json.dumps([str(value) for value in row])
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }
    database.close()
    return found


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_a_backup_gives_everything_back(
    folder: Path, database_url: str, into: str, tmp_path: Path, postgres: Callable[[], str]
) -> None:
    file, new = tmp_path / "monday.tar.gz", tmp_path / "new"
    run("backup", str(file), "--folder", str(folder))
    assert file.stat().st_mode & 0o777 == 0o600
    target = postgres() if into == "postgresql" else f"sqlite:///{tmp_path / 'new.sqlite3'}"
    run("restore", str(file), "--folder", str(new), "--database-url", target)
    assert contents(target) == contents(database_url)
    for name in ("ca.key", "lease.key", "relayer.key", "settings.toml"):
        assert (new / name).read_bytes() == (folder / name).read_bytes()
        assert (new / name).stat().st_mode & 0o777 == 0o600
    # It goes on counting where it stood.
    database = Database(target, log.recorder(lambda: 2))
    database.write_now(lambda session: session.delete(session.get_one(Agreement, HASH).parties[0]))
    assert database.read_now(log.verify).broken == ()
    database.close()


def test_a_backup_that_was_altered_is_refused(folder: Path, tmp_path: Path) -> None:
    file, altered = tmp_path / "monday.tar.gz", tmp_path / "altered.tar.gz"
    run("backup", str(file), "--folder", str(folder))
    with tarfile.open(file) as old, tarfile.open(altered, "w:gz") as new:
        for member in old:
            opened = old.extractfile(member)
            assert opened
            data = opened.read().replace(b'"one"', b'"two"')
            member.size = len(data)
            import io

            new.addfile(member, io.BytesIO(data))
    done = run("restore", str(altered), "--folder", str(tmp_path / "new"), expected=4)
    assert "agreements.jsonl is not as it was written" in done.stderr
    assert not (tmp_path / "new").exists()


def test_nothing_is_restored_over_something(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday.tar.gz"
    run("backup", str(file), "--folder", str(folder))
    done = run("restore", str(file), "--folder", str(folder), expected=9)
    assert "holds a marketplace already" in done.stderr
    done = run("restore", str(file), "--folder", str(tmp_path / "new"), expected=9)
    assert "the database is not empty" in done.stderr
    run("backup", str(file), "--folder", str(folder), expected=9)


def test_the_trail_says_who_changed_what(folder: Path, database_url: str) -> None:
    database = Database(database_url)
    first, second = database.read_now(log.entries, 0, 10)
    assert (first["who"], first["what"]) == ("clinic-a", f"{fill.__module__}.fill")
    assert [(each["verb"], each["table"]) for each in first["changes"]] == [
        ("insert", "agreements"),
        ("insert", "parties"),
        ("insert", "operations"),
    ]
    assert second["previous"] == first["hash"]
    database.close()


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("UPDATE trail SET who = 'somebody' WHERE number = 1", "entry 1 was changed"),
        ("DELETE FROM trail WHERE number = 1", "entries 1 to 1 are missing"),
        ("UPDATE trail SET previous = hash WHERE number = 2", "does not follow"),
        (
            "INSERT INTO anchors VALUES (2, 'another', '0x', 1, 1)",
            "not the one that was anchored",
        ),
        ("INSERT INTO anchors VALUES (9, 'x', '0x', 1, 1)", "entry 9 was anchored and is missing"),
    ],
)
def test_whoever_tampers_with_the_trail_is_found_out(
    folder: Path, database_url: str, tamper: str, found: str
) -> None:
    database = Database(database_url)
    assert database.read_now(log.verify).broken == ()
    with database.engine.begin() as connection:
        connection.exec_driver_sql(tamper)
    assert any(found in each for each in database.read_now(log.verify).broken)
    assert database.read_now(lambda session: session.scalars(sa.select(TrailEntry)).first())
    database.close()
