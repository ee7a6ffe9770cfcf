"""Two marketplaces on one PostgreSQL: they share the work, and either may die at any moment."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.keys import new_key
from marketplace.client import MarketClient
from marketplace.storage.database import Database
from marketplace.storage.models import Event, Operation
from tests.marketplace.conftest import serving
from tests.marketplace.processes import Process, free_port, run
from tests.marketplace.test_crash import pool, rpc
from tests.marketplace.world import CLINICS, Federation, World, draft, eventually


@dataclass
class Pair:
    """Two processes of one marketplace."""

    world: World
    database: Database
    urls: list[str]
    processes: list[Process]

    def federation(self, through: int) -> Federation:
        return Federation(dataclasses.replace(self.world, market_url=self.urls[through]))

    def start(self, number: int) -> None:
        started = serving(
            dataclasses.replace(self.world, market_url=self.urls[number]), free_port()
        )
        started.wait_for(f"{self.urls[number]}/healthz")
        self.processes[number : number + 1] = [started]

    def on_duty(self) -> int:
        """Which of them posts: the log of one says so last."""
        logs = self.processes[0].log.read_text().splitlines()
        takes = [line for line in logs if "on duty: posting" in line]
        assert takes, logs
        return len(takes) - 1


@pytest.fixture
def pair(world: World, postgres: Callable[[], str], tmp_path: Path) -> Iterator[Pair]:
    folder, url = tmp_path / "market", postgres()
    run("init", str(folder), "--admin", world.admin.address)
    with (folder / "settings.toml").open("a") as settings:
        settings.write(f'database_url = "{url}"\n')
    shutil.copy(world.folder / "deployment.json", folder)
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    made = Pair(dataclasses.replace(world, folder=folder), Database(url), urls, [])
    made.start(0)
    made.start(1)
    yield made
    for process in made.processes:
        process.stop()
    made.database.close()


def sign_all(federation: Federation) -> str:
    """Everybody signs; gives the operation."""
    federation.draft()
    for name in federation.wallets:
        with federation.owner(name) as owner:
            shown = owner.sign_agreement(federation.agreement_id)
    return str(shown["operation"]["id"])


def posted_times(pair: Pair, agreement_id: str) -> int:
    """How often the chain, as it was read, brought an agreement into force."""
    query = sa.select(sa.func.count(Event.id)).where(
        Event.kind == "AgreementActivated", Event.agreement_id == agreement_id
    )
    return int(pair.database.read_now(lambda session: session.scalar(query)) or 0)


def test_what_one_process_took_in_the_other_one_finishes_after_a_kill(pair: Pair) -> None:
    relayer = pair.world.relayer().address
    rpc(pair.world, "evm_setAutomine", False)
    try:
        federation = pair.federation(1)  # asked of the one that is not on duty
        operation = sign_all(federation)
        eventually(lambda: pool(pair.world), lambda waiting: waiting == 1)
        pair.processes[0].kill()  # sent, and not confirmed
    finally:
        rpc(pair.world, "evm_setAutomine", True)
    rpc(pair.world, "evm_mine")
    with federation.owner("clinic-a") as owner:
        owner.wait(operation)
    assert posted_times(pair, federation.agreement_id) == 1
    assert rpc(pair.world, "eth_getTransactionCount", relayer, "latest") == "0x1"
    pair.start(0)  # comes back, and finds the other one on duty


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.25])
def test_killed_while_much_is_under_way_nothing_is_lost_and_nothing_happens_twice(
    pair: Pair, pause_s: float
) -> None:
    federations = [pair.federation(1) for _ in range(4)]
    operations = [sign_all(each) for each in federations]
    time.sleep(pause_s)  # somewhere within the work
    pair.processes[0].kill()
    with federations[0].owner("clinic-a") as owner:
        for operation in operations:
            assert owner.wait(operation)["state"] == "confirmed"
    for each in federations:
        assert posted_times(pair, each.agreement_id) == 1
    states = pair.database.read_now(
        lambda session: set(session.scalars(sa.select(Operation.state)))
    )
    assert states == {"confirmed"}
    assert duplicates(pair) == 0


def duplicates(pair: Pair) -> int:
    """Events that were kept more than once."""
    query = (
        sa.select(Event.transaction)
        .group_by(Event.transaction, Event.log_index)
        .having(sa.func.count() > 1)
    )
    return len(pair.database.read_now(lambda session: session.execute(query).all()))


def test_a_second_process_on_sqlite_is_refused_with_a_way_out(world: World) -> None:
    done = run(
        *("serve", "--folder", str(world.folder), "--rpc-url", world.rpc_url),
        *("--web-port", str(free_port()), "--agent-port", str(free_port())),
        expected=3,
    )
    assert "another process of this marketplace uses" in done.stderr
    assert "PostgreSQL" in done.stderr


def test_both_take_in_the_same_draft_at_once_and_make_one_agreement(pair: Pair) -> None:
    fields = draft(CLINICS, new_key().address)
    clients = [MarketClient(url, CLINICS["clinic-a"]) for url in pair.urls]
    made = {client.draft(fields | {"not_before": 1})["id"] for client in clients * 3}
    assert len(made) == 1
    for client in clients:
        client.__exit__(None, None, None)
