"""Word of changes: what is one, and who is told when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.models import Event, NodeStatus
from marketplace.web.live import Changes, version

NOW_S = 900


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'market.sqlite3'}")
    migrate.upgrade(made.engine)
    yield made
    made.close()


def heard(session: Session, node: str, received_s: int) -> None:
    session.merge(NodeStatus(spiffe_id=node, received_s=received_s, status={}))


def happened(session: Session, block_hash: str) -> None:
    session.execute(sa.delete(Event))
    place = {"chain_id": 1, "block": 7, "log_index": 0, "transaction": "0x01"}
    session.add(Event(id=1, block_hash=block_hash, kind="Sealed", data={}, **place))


def test_many_nodes_that_say_they_live_are_news_a_few_times_a_minute(database: Database) -> None:
    def now(at_s: int = NOW_S) -> str:
        return database.read_now(version, at_s)

    database.write_now(heard, "a", NOW_S)
    first = now()
    database.write_now(heard, "a", NOW_S + 14)
    assert now() == first
    database.write_now(heard, "a", NOW_S + 15)
    later = now()
    assert later != first
    database.write_now(heard, "b", NOW_S + 15)  # one more
    assert now() != later
    assert now(NOW_S + 59) == now()
    assert now(NOW_S + 60) != now()  # when nobody says anything any more


def test_another_block_in_place_of_the_last_one_is_news(database: Database) -> None:
    before = database.read_now(version, NOW_S)
    database.write_now(happened, "0xaa")
    first = database.read_now(version, NOW_S)
    database.write_now(happened, "0xbb")
    assert len({before, first, database.read_now(version, NOW_S)}) == 3


async def test_of_one_change_many_are_told_one_after_the_other(database: Database) -> None:
    changes = Changes(database, lambda: NOW_S, lambda: False)
    loop, ready = asyncio.get_running_loop(), asyncio.Barrier(11)

    async def listen() -> tuple[str | None, float]:
        async with aclosing(changes.versions()) as versions:
            await anext(versions)
            await ready.wait()
            return await anext(versions), loop.time()

    listening = [asyncio.create_task(listen()) for _ in range(10)]
    await ready.wait()
    written_s = loop.time()
    await database.write(heard, "a", NOW_S)
    told = await asyncio.wait_for(asyncio.gather(*listening), 10)
    assert {each for each, _ in told} == {database.read_now(version, NOW_S)}
    waited_s = sorted(at_s - written_s for _, at_s in told)
    assert all(each > 0.09 * turn for turn, each in enumerate(waited_s))


async def test_who_listens_is_let_go_when_the_server_ends(database: Database) -> None:
    ending = False
    changes = Changes(database, lambda: NOW_S, lambda: ending)
    async with aclosing(changes.versions()) as versions:
        await anext(versions)
        ending = True
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(versions), 5)
