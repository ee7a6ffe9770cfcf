"""The trail's head on chain: whoever rewrites the whole trail is found out all the same."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from contracts.chain import Chain
from contracts.deployment import Contracts
from marketplace.settings import load
from marketplace.storage.database import Database
from marketplace.storage.models import Anchor, TrailEntry
from marketplace.trail import log
from marketplace.trail.anchors import Anchors
from tests.marketplace.processes import run
from tests.marketplace.world import Federation, World


def test_an_anchor_on_chain_betrays_a_trail_that_was_written_anew(world: World) -> None:
    Federation(world).draft()
    settings = load(world.folder, rpc_url=world.rpc_url)
    database = Database(settings.database)

    async def anchor() -> Anchor | None:
        async with await Chain.connect(world.rpc_url) as chain:
            contracts = Contracts.at(chain, world.deployment)
            return await Anchors(database, contracts, world.relayer(), 3_600, lambda: 1).step()

    made = asyncio.run(anchor())
    assert made is not None
    checked = ("trail", "verify", "--folder", str(world.folder), "--rpc-url", world.rpc_url)
    assert "1 anchors on chain: nothing was changed" in run(*checked).stdout

    original: list[tuple[int, str, str, str]] = []

    def rewrite(session: object) -> None:
        """Changes the first entry, and every hash after it, and the anchor that is kept."""
        assert isinstance(session, sa.orm.Session)
        previous = log.BEGINNING
        for row in session.scalars(sa.select(TrailEntry).order_by(TrailEntry.number)):
            original.append((row.number, row.who, row.previous, row.hash))
            row.who = "somebody else" if row.number == 1 else row.who
            row.previous = previous
            previous = row.hash = log.hash_of(row)
            if (kept := session.get(Anchor, row.number)) is not None:
                kept.hash = row.hash

    def put_back(session: object) -> None:
        assert isinstance(session, sa.orm.Session)
        for number, who, previous, digest in original:
            row = session.get_one(TrailEntry, number)
            row.who, row.previous, row.hash = who, previous, digest
        session.execute(sa.delete(Anchor))

    database.write_now(rewrite)
    try:
        assert database.read_now(log.verify).broken == ()  # it agrees with itself
        done = run(*checked, expected=21)
        assert f"the anchor of entry {made.number} on chain has another hash" in done.stderr
    finally:
        database.write_now(put_back)
        database.close()
