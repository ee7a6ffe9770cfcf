"""Two marketplaces on one PostgreSQL: they share the work, and either may die at any moment."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from marketplace.client import MarketClient
from marketplace.storage.database import Database
from marketplace.storage.models import Event, Operation
from scripts.ports import free_port
from tests.marketplace.conftest import serving
from tests.marketplace.processes import Process, run
from tests.marketplace.test_crash import pool, rpc
from tests.marketplace.world import CLINICS, Federation, World, eventually

pytestmark = pytest.mark.slow


@dataclass
class Pair:
    """Two processes of one marketplace; the first one is on duty, and dies."""

    world: World
    database: Database
    urls: list[str]
    processes: list[Process]

    def federation(self) -> Federation:
        """Organizations that ask the process which stays."""
        return Federation(dataclasses.replace(self.world, market_url=self.urls[1]))

    def start(self) -> None:
        """Starts the next one, which waits for its turn."""
        url = f"http://127.0.0.1:{free_port()}"
        self.urls.append(url)
        self.processes.append(serving(dataclasses.replace(self.world, market_url=url), free_port()))
        self.processes[-1].wait_for(f"{url}/healthz")

    def kill_the_one_on_duty(self) -> None:
        self.processes.pop(0).kill()
        self.urls.pop(0)


@pytest.fixture(scope="module")
def pair(
    world: World, postgres: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder, url = tmp_path_factory.mktemp("pair") / "market", postgres()
    run("init", str(folder), "--admin", world.admin.address)
    with (folder / "settings.toml").open("a") as settings:
        settings.write(f'database_url = "{url}"\n')
    shutil.copy(world.folder / "deployment.json", folder)
    made = Pair(dataclasses.replace(world, folder=folder), Database(url), [], [])
    made.start()
    made.start()
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


def test_what_one_process_has_sent_the_other_one_finishes_after_a_kill(pair: Pair) -> None:
    relayer = pair.world.relayer().address
    rpc(pair.world, "evm_setAutomine", False)
    try:
        federation = pair.federation()
        operation = sign_all(federation)
        eventually(lambda: pool(pair.world), lambda waiting: waiting == 1)
        pair.kill_the_one_on_duty()  # sent, and not confirmed
    finally:
        rpc(pair.world, "evm_setAutomine", True)
    rpc(pair.world, "evm_mine")
    federation.world = dataclasses.replace(pair.world, market_url=pair.urls[0])
    with federation.owner("clinic-a") as owner:
        owner.wait(operation)
    assert posted_times(pair, federation.agreement_id) == 1
    assert rpc(pair.world, "eth_getTransactionCount", relayer, "latest") == "0x1"


@pytest.mark.parametrize("pause_s", [0.0, 0.15])
def test_killed_while_much_is_under_way_nothing_is_lost_and_nothing_happens_twice(
    pair: Pair, pause_s: float
) -> None:
    pair.start()
    federations = [pair.federation() for _ in range(3)]
    operations = [sign_all(each) for each in federations]
    time.sleep(pause_s)  # somewhere within the work
    pair.kill_the_one_on_duty()
    with MarketClient(pair.urls[0], CLINICS["clinic-a"]) as owner:
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
