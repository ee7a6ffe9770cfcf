"""Never more usable leases than seats, whatever is lost, repeated or killed in between."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy.orm import Session

from contracts.keys import new_key
from marketplace.errors import Conflict, Unavailable
from marketplace.leases import service
from marketplace.leases import signing as leases
from marketplace.leases.service import CLOCK_TOLERANCE_S, Policy
from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models import (
    Agreement,
    Enrollment,
    EnrollmentToken,
    Event,
    Lease,
    Operation,
    Party,
    SeatLimit,
)
from node_agent import lease as agent
from node_agent.errors import LeaseError

NODES = 5
SEATS = 2
POLICY = Policy(lifetime_s=3_600, grace_s=600, seats=SEATS)
START_S = 1_800_000_000
FEATURE = "training"
HASH = "0x" + "ab" * 32


def populate(session: Session) -> None:
    """An organization with more nodes than seats, all enrolled."""
    wallet = new_key().address
    session.add(
        Agreement(
            id=HASH,
            title="one",
            fields={},
            document="text",
            message={"not_after": 2**40},
            drafted_by=wallet,
            created_s=1,
            parties=[Party(number=0, organization="clinic-a", wallet=wallet, weight=1)],
        )
    )
    session.flush()
    for n in range(NODES):
        session.add(
            EnrollmentToken(
                secret_hash=f"t{n}",
                agreement_id=HASH,
                party=0,
                node=f"site-{n}",
                created_by=wallet,
                created_s=1,
                expires_s=2,
            )
        )
        session.add(
            Operation(
                id=f"o{n}",
                kind="enroll",
                effect=f"enroll:{n}",
                agreement_id=HASH,
                payload={},
                state="confirmed",
                attempts=1,
                created_s=1,
                updated_s=1,
            )
        )
        session.flush()
        session.add(
            Enrollment(
                id=f"e{n}",
                token_hash=f"t{n}",
                agreement_id=HASH,
                party=0,
                spiffe_id=name_of(n),
                key=f"key-{n}",
                csr_hash="c",
                svid_pem="p",
                svid_expires_s=2**40,
                message={"deadline": 1},
                operation_id=f"o{n}",
                created_s=1,
            )
        )
        session.add(
            Event(
                chain_id=1,
                block=n,
                block_hash=HASH,
                log_index=n,
                transaction=HASH,
                kind="NodeEnrolled",
                agreement_id=HASH,
                data={
                    "registration": n,
                    "party": 0,
                    "key": f"key-{n}",
                    "spiffe_id": name_of(n),
                    "url": "",
                    "version": 1,
                },
            )
        )


def name_of(node: int) -> str:
    return f"spiffe://swarm.example/org/clinic-a/node/site-{node}"


class LeasesUnderCrashes(RuleBasedStateMachine):
    """Nodes check out, renew and check in; answers get lost, clocks and seats change."""

    @initialize()
    def begin(self) -> None:
        folder = Path(os.environ["SEATS_FOLDER"])
        file = folder / f"{time.monotonic_ns()}.sqlite3"
        shutil.copy(folder / "populated.sqlite3", file)
        self.url = f"sqlite:///{file}"
        self.database = Database(self.url)
        self.signer = leases.LeaseSigner(leases.Ed25519PrivateKey.generate())
        self.now_s = START_S
        self.seats = SEATS
        self.held: dict[int, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    def ask(self, node: int, now_s: int) -> str | None:
        try:
            return self.database.write_now(
                service.lease_for, self.signer, f"e{node}", [FEATURE], now_s, POLICY
            )
        except (Conflict, Unavailable):
            return None

    @rule(node=st.integers(0, NODES - 1))
    def check_out_or_renew(self, node: int) -> None:
        if (text := self.ask(node, self.now_s)) is not None:
            self.held[node] = text

    @rule(node=st.integers(0, NODES - 1))
    def the_answer_is_lost(self, node: int) -> None:
        self.ask(node, self.now_s)

    @rule(node=st.integers(0, NODES - 1), back_s=st.integers(1, 20_000))
    def the_marketplaces_clock_is_wrong(self, node: int, back_s: int) -> None:
        text = self.ask(node, self.now_s - back_s)
        if text is not None:
            self.held[node] = text

    @rule(node=st.integers(0, NODES - 1))
    def the_marketplace_dies_while_it_writes(self, node: int) -> None:
        def dying(session: Session) -> None:
            service.lease_for(session, self.signer, f"e{node}", [FEATURE], self.now_s, POLICY)
            raise KeyboardInterrupt

        with suppress(KeyboardInterrupt, Conflict, Unavailable):
            self.database.write_now(dying)
        self.database.close()
        self.database = Database(self.url)

    @rule(node=st.integers(0, NODES - 1), told=st.booleans())
    def check_in(self, node: int, told: bool) -> None:
        text = self.held.pop(node, None)  # deleted first
        if text is None or not told:  # killed before it could tell
            return
        lease_id = leases.verify(text, self.signer.public_key).id
        for _ in range(2):  # and once more, for it never heard the answer
            self.database.write_now(service.check_in, f"e{node}", lease_id, self.now_s)

    @rule(count=st.integers(SEATS, NODES))
    def an_admin_adds_seats(self, count: int) -> None:
        def change(session: Session) -> None:
            session.merge(
                SeatLimit(
                    organization="clinic-a",
                    feature=FEATURE,
                    count=count,
                    set_by="x",
                    set_s=self.now_s,
                )
            )

        if count >= self.seats:
            self.database.write_now(change)
            self.seats = count

    @rule(passed_s=st.sampled_from([10, 1_000, 3_700, 5_000]))
    def time_passes(self, passed_s: int) -> None:
        self.now_s += passed_s

    @invariant()
    def there_are_never_more_usable_leases_than_seats(self) -> None:
        usable = 0
        for node, text in getattr(self, "held", {}).items():
            with suppress(LeaseError):
                agent.verify(text, self.signer.public_key).check(name_of(node), self.now_s)
                usable += 1
        assert usable <= getattr(self, "seats", 0)


@pytest.fixture
def seats_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATS_FOLDER", str(tmp_path))
    made = Database(f"sqlite:///{tmp_path / 'populated.sqlite3'}")
    migrate.upgrade(made.engine)
    made.write_now(populate)
    made.close()


@pytest.mark.usefixtures("seats_folder")
def test_there_are_never_more_usable_leases_than_seats() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        LeasesUnderCrashes,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    migrate.upgrade(made.engine)
    made.write_now(populate)
    yield made
    made.close()


def take_seats(url: str, key: bytes, first: int) -> None:
    """A marketplace of a test's own, that gives nodes seats until it is killed."""
    database = Database(url)
    signer = leases.LeaseSigner(leases.Ed25519PrivateKey.from_private_bytes(key))
    for n in range(first, first + 10**6):
        with suppress(Conflict):
            node = n % NODES
            database.write_now(service.lease_for, signer, f"e{node}", [FEATURE], START_S, POLICY)


def test_processes_that_are_killed_give_no_seat_away_twice(
    database: Database, database_url: str
) -> None:
    key = leases.Ed25519PrivateKey.generate().private_bytes_raw()
    context = multiprocessing.get_context("spawn")
    for attempt in range(2):
        processes = [
            context.Process(target=take_seats, args=(database_url, key, attempt + n))
            for n in range(2)
        ]
        for each in processes:
            each.start()
        deadline = time.monotonic() + 60
        while not live(database) and time.monotonic() < deadline:
            time.sleep(0.02)  # until they are in the middle of it
        for each in processes:
            assert each.pid
            os.kill(each.pid, signal.SIGKILL)
            each.join()
        assert len(live(database)) <= SEATS
    signer = leases.LeaseSigner(leases.Ed25519PrivateKey.from_private_bytes(key))
    for n in range(NODES):
        with suppress(Conflict):
            database.write_now(service.lease_for, signer, f"e{n}", [FEATURE], START_S, POLICY)
    assert len(live(database)) == SEATS  # and none of them is lost


def live(database: Database) -> list[str]:
    query = sa.select(Lease.holder).where(Lease.live_until_s > START_S)
    return list(database.read_now(lambda session: session.scalars(query).all()))


class TestOne:
    """What holds of a single lease."""

    def ask(self, database: Database, node: int, now_s: int = START_S, **kwargs: Any) -> Lease:
        def act(session: Session) -> Lease:
            held, _ = service.check_out(
                session, SIGNER, f"e{node}", [FEATURE], now_s, POLICY, **kwargs
            )
            session.expunge(held)
            return held

        return database.write_now(act)

    def test_a_node_that_asks_again_keeps_its_seat(self, database: Database) -> None:
        first, second = self.ask(database, 0), self.ask(database, 0, START_S + 100)
        assert first.id == second.id
        assert second.expires_s == START_S + 100 + POLICY.lifetime_s

    def test_a_seat_is_free_when_its_lease_has_lapsed_everywhere(self, database: Database) -> None:
        for node in (0, 1):
            self.ask(database, node)
        lapsed_s = START_S + POLICY.lifetime_s + POLICY.grace_s + CLOCK_TOLERANCE_S
        with pytest.raises(Conflict, match="all 2 seats") as refused:
            self.ask(database, 2, lapsed_s - 1)
        assert "free in 1 s" in refused.value.hint
        assert self.ask(database, 2, lapsed_s).holder == "e2"

    def test_a_seat_that_was_given_back_is_free_at_once(self, database: Database) -> None:
        held = [self.ask(database, node) for node in (0, 1)]
        database.write_now(service.check_in, "e0", held[0].id, START_S)
        assert self.ask(database, 2).holder == "e2"

    def test_a_file_lasts_as_long_as_it_was_taken_for(self, database: Database) -> None:
        taken = self.ask(database, 0, lifetime_s=86_400, exported_by="0xme")
        assert taken.expires_s == START_S + 86_400
        self.ask(database, 0)  # it came online: a shorter one, but the file is still there
        assert self.ask(database, 0).live_until_s == START_S + 86_400 + CLOCK_TOLERANCE_S

    def test_a_clock_that_was_set_back_far_issues_nothing(self, database: Database) -> None:
        self.ask(database, 0)
        with pytest.raises(Unavailable, match="3600 s behind"):
            self.ask(database, 1, START_S - 3_600)

    def test_seats_that_are_over_are_none(self, database: Database) -> None:
        def grant(session: Session) -> None:
            session.add(
                SeatLimit(
                    organization="clinic-a",
                    feature=FEATURE,
                    count=5,
                    until_s=START_S,
                    set_by="x",
                    set_s=1,
                )
            )

        database.write_now(grant)
        with pytest.raises(Conflict, match="no seats"):
            self.ask(database, 0)


SIGNER = leases.LeaseSigner(leases.Ed25519PrivateKey.generate())
