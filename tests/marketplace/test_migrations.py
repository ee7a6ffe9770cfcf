"""Migrations: what they make is what the models say, and data gets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.orm import Session

from marketplace.runs.rounds import count_of
from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models import (
    AdmittedAgreement,
    Agreement,
    Base,
    Certificate,
    Credit,
    Event,
    Lease,
    NodeStatus,
    Operation,
    Party,
    Round,
    UsageReport,
    UsageTotal,
)

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "cd" * 20
HUGE_WEI = 2**128 - 1


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrate.upgrade(made.engine)
    yield made
    made.close()


def fill(session: Session) -> None:
    session.add(
        Agreement(
            id=HASH,
            title="one",
            fields={},
            document="text",
            message={},
            drafted_by=ADDRESS,
            created_s=1,
            parties=[Party(number=0, organization="a", wallet=ADDRESS, weight=1)],
        )
    )
    session.flush()
    session.add(operation("1"))
    event = Event(
        chain_id=1,
        block=7,
        block_hash=HASH,
        log_index=0,
        transaction=HASH,
        kind="Sealed",
        run_id=HASH,
        data={},
    )
    session.add(event)
    session.flush()
    session.add(
        Round(
            event_id=event.id,
            run_id=HASH,
            number=1,
            term=0,
            merged_root=HASH,
            loss_before_e9=1,
            loss_after_e9=1,
            metric_e9=-1,
            shares=[[0, 10_000]],
            rejects=[],
            signers=[0],
            credited_wei=HUGE_WEI,
            paid=1,
        )
    )
    credit = {"party": 0, "run_id": HASH, "round": 1, "share_bips": 1, "amount_wei": HUGE_WEI}
    session.add(Credit(event_id=event.id, **credit))


def fill_usage(session: Session) -> None:
    counts = ("bytes_served", "bytes_fetched", "training_ms", "evaluation_ms", "merge_ms")
    session.add(
        UsageReport(
            run_id=HASH,
            round=1,
            spiffe_id="spiffe://swarm.example/org/a/node/1",
            key=ADDRESS,
            signature="0x",
            received_s=1,
            samples=2**53,
            restarts=0,
            **dict.fromkeys(counts, 2**63 - 1),
        )
    )


def operation(name: str) -> Operation:
    return Operation(
        id=name,
        kind="activate",
        effect="activate:it",
        agreement_id=HASH,
        payload={},
        state="queued",
        attempts=0,
        created_s=1,
        updated_s=1,
    )


def test_the_newest_revision_has_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_amounts_beyond_64_bits_come_back_as_they_went(database: Database) -> None:
    database.write_now(fill)
    read = database.read_now(lambda session: session.scalars(sa.select(Credit.amount_wei)).one())
    assert read == HUGE_WEI


def test_an_upgrade_of_an_up_to_date_database_keeps_its_data(database: Database) -> None:
    database.write_now(fill)
    migrate.upgrade(database.engine)
    assert database.read_now(lambda session: session.get_one(Agreement, HASH).title) == "one"
    assert migrate.current(database.engine) == migrate.newest(database.engine)


def test_a_database_with_data_can_be_taken_down_and_up_again(database: Database) -> None:
    database.write_now(fill)
    database.write_now(fill_usage)
    migrate.downgrade(database.engine, "base")
    assert migrate.current(database.engine) is None
    assert sa.inspect(database.engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(database.engine)
    database.write_now(fill)
    database.write_now(fill_usage)


def test_each_revision_can_be_taken_back_with_data_in_every_table(database: Database) -> None:
    populate(database.engine)
    while (revision := migrate.current(database.engine)) is not None:
        before = counted(database.engine)
        migrate.downgrade(database.engine, "-1")
        assert migrate.current(database.engine) != revision
        after = counted(database.engine)
        # What a revision brought goes with it; what was there before it stays.
        for name in REREAD & after.keys():
            before[name] = after[name]
        assert {name: before[name] for name in after if name in before} == after
    assert counted(database.engine) == {}
    migrate.upgrade(database.engine)
    populate(database.engine)


def populate(engine: sa.Engine) -> None:
    """A row in every table: each column has what its type allows, and keys fit each other."""
    tables = list(Base.metadata.sorted_tables)
    # An entry of the books closes its postings: they come first.
    tables.sort(key=lambda each: each.name == "ledger_entries")
    with engine.begin() as connection:
        for table in tables:
            row = {column.name: sample(column) for column in table.columns}
            if table.name == "ledger_postings":  # an entry has two, and they sum to zero
                received = row | {"account": "y", "amount_wei": 1}
                connection.execute(table.insert().values(received))
                row["amount_wei"] = -1
            connection.execute(table.insert().values(row))
    assert 0 not in counted(engine).values()


# What a change of the books lets go of: it is read from the chain again.
REREAD = {"cursors", "events", "rounds", "credits"}
# Where not every text will do.
SAID = {
    "members.role": "operator",
    "deliveries.state": "waiting",
    "negotiations.state": "open",
    "operations.state": "queued",
}


def sample(column: sa.Column[Any]) -> Any:
    if column.name.endswith("_wei"):
        return 0
    match column.type:
        case sa.Boolean():
            return False
        case sa.Integer():
            return 1
        case sa.JSON():
            return {}
        case _:
            return SAID.get(str(column), "x")


def counted(engine: sa.Engine) -> dict[str, int]:
    """Rows of each table that there is."""
    with engine.connect() as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in sa.inspect(engine).get_table_names()
            if name != "alembic_version"
        }


def test_usage_goes_with_its_revision_and_leaves_the_rest_as_it_was(database: Database) -> None:
    database.write_now(fill)
    database.write_now(fill_usage)
    migrate.downgrade(database.engine, "0002")
    assert "usage_reports" not in sa.inspect(database.engine).get_table_names()
    assert database.read_now(lambda session: session.get_one(Agreement, HASH).title) == "one"
    migrate.upgrade(database.engine)
    found = database.read_now(lambda session: session.scalars(sa.select(UsageReport)).all())
    assert found == []


def test_agreements_of_before_there_was_a_policy_stay_admitted(database_url: str) -> None:
    old = Database(database_url)
    migrate.upgrade(old.engine, "0003")
    with old.engine.begin() as connection:
        agreed(connection)
    migrate.upgrade(old.engine)
    found = old.read_now(lambda session: session.get_one(AdmittedAgreement, HASH).admitted_by)
    assert found == ADDRESS
    migrate.downgrade(old.engine, "0003")
    assert "motions" not in sa.inspect(old.engine).get_table_names()
    assert old.read_now(lambda session: session.get_one(Agreement, HASH).title) == "one"
    old.close()


def test_certificates_of_before_stand_for_the_latest_enrollment_of_their_name(
    database_url: str,
) -> None:
    old = Database(database_url)
    migrate.upgrade(old.engine, "0001")
    enrolled_twice(old, "INSERT INTO certificates VALUES ('ab', 'spiffe://x', 's', 1, 9)")
    migrate.upgrade(old.engine)
    found = old.read_now(lambda session: session.get_one(Certificate, "ab").enrollment_id)
    assert found == "e2"
    migrate.downgrade(old.engine, "0001")
    old.close()


def test_leases_of_before_become_one_seat_for_each_holder(database_url: str) -> None:
    old = Database(database_url)
    migrate.upgrade(old.engine, "0003")
    leases = [
        f"INSERT INTO leases VALUES ('l{n}', 'spiffe://x', 'a', '[\"training\"]', {n}, {n + 5})"
        for n in (1, 2, 3)
    ]
    enrolled_twice(old, *leases)
    migrate.upgrade(old.engine)
    [(seat, holder, live_until_s)] = old.read_now(
        lambda session: session.execute(sa.select(Lease.id, Lease.holder, Lease.live_until_s)).all()
    )
    assert (seat, holder, live_until_s) == ("l3", "e2", 8)
    migrate.downgrade(old.engine, "0003")
    with old.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT id, expires_s FROM leases").all()
        assert [tuple(row) for row in kept] == [("l3", 8)]
        assert connection.exec_driver_sql("SELECT id FROM enrollments").all() != []
    old.close()


def test_rounds_and_reports_of_before_get_their_sums(database: Database) -> None:
    database.write_now(fill)
    database.write_now(fill_usage)
    everybody = ", ".join(f"[{party}, 156]" for party in range(64))

    def all_were_paid(session: Session) -> None:
        session.execute(sa.text(f"UPDATE rounds SET shares = '[{everybody}]'"))

    database.write_now(all_were_paid)
    migrate.downgrade(database.engine, "0007")
    assert "usage_totals" not in sa.inspect(database.engine).get_table_names()
    migrate.upgrade(database.engine)

    def kept(session: Session) -> tuple[int, int, int, int | None]:
        usage = session.scalars(sa.select(UsageTotal)).one()
        paid = session.scalars(sa.select(Round.paid)).one()
        return count_of(paid), usage.reports, usage.bytes_served, usage.energy_j

    assert database.read_now(kept) == (64, 1, 2**63 - 1, None)


def agreed(connection: sa.Connection) -> None:
    """An agreement and a party of it, as the first revisions have them."""
    for statement in (
        f"INSERT INTO agreements VALUES ('{HASH}', 'one', '{{}}', 'text', '{{}}', '{ADDRESS}', 1)",
        "INSERT INTO parties (agreement_id, number, organization, wallet, weight) "
        f"VALUES ('{HASH}', 0, 'a', '{ADDRESS}', 1)",
    ):
        connection.exec_driver_sql(statement)


def enrolled_twice(old: Database, *further: str) -> None:
    """Two enrollments under one name, as the first revisions have them."""
    with old.engine.begin() as connection:
        agreed(connection)
        connection.exec_driver_sql(
            "INSERT INTO operations (id, kind, effect, agreement_id, payload, state, attempts, "
            f"created_s, updated_s) VALUES ('o', 'enroll', 'x', '{HASH}', '{{}}', 'sent', 1, 1, 1)"
        )
        for n in ("1", "2"):
            for statement in (
                f"INSERT INTO enrollment_tokens VALUES ('t{n}', '{HASH}', 0, 'x', 'w', 1, 2)",
                "INSERT INTO enrollments (id, token_hash, agreement_id, party, spiffe_id, key, "
                "csr_hash, svid_pem, svid_expires_s, message, operation_id, created_s) VALUES "
                f"('e{n}', 't{n}', '{HASH}', 0, 'spiffe://x', 'k', 'c', 'p', 9, '{{}}', 'o', {n})",
            ):
                connection.exec_driver_sql(statement)
        for statement in further:
            connection.exec_driver_sql(statement)


def test_rounds_and_credits_go_with_the_event_that_they_came_from(database: Database) -> None:
    database.write_now(fill)
    database.write_now(lambda session: session.execute(sa.delete(Event)))
    assert database.read_now(lambda session: session.scalars(sa.select(Round)).all()) == []
    assert database.read_now(lambda session: session.scalars(sa.select(Credit)).all()) == []


def test_the_same_effect_cannot_be_under_way_twice(database: Database) -> None:
    database.write_now(fill)
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(lambda session: session.add(operation("2")))

    def fail_first(session: Session) -> None:
        session.get_one(Operation, "1").state = "failed"

    database.write_now(fail_first)
    database.write_now(lambda session: session.add(operation("2")))


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def half(session: Session) -> None:
        session.add(NodeStatus(spiffe_id="x", received_s=1, status={}))
        session.flush()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        database.write_now(half)
    found = database.read_now(lambda session: session.get(NodeStatus, "x"))
    assert found is None
