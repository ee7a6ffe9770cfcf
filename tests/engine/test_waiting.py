"""Nobody is held up by one who never answers, and no wake-up is lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from node_agent.engine.archive import Archive
from node_agent.engine.hedge import first_success
from node_agent.engine.signals import Changed
from node_agent.engine.store import Store, file_root


async def test_a_silent_source_gets_company_and_is_let_go() -> None:
    let_go = asyncio.Event()

    async def silent() -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            let_go.set()
        return False

    async def has_it() -> bool:
        return True

    async with asyncio.timeout(5):
        assert await first_success([silent, has_it], 0.01)
        await let_go.wait()


async def test_a_source_that_has_nothing_costs_no_patience() -> None:
    async def nothing() -> bool:
        return False

    async with asyncio.timeout(5):
        assert not await first_success([nothing] * 3, 60)
        assert not await first_success([], 60)


async def test_a_change_between_two_looks_is_seen() -> None:
    changed, seen = Changed(), 0

    async def wait_for(number: int) -> None:
        await changed.until(lambda: seen >= number)

    waiters = [asyncio.ensure_future(wait_for(k)) for k in range(1, 50)]
    await asyncio.sleep(0)
    for _ in range(49):
        seen += 1
        changed.notify()
    async with asyncio.timeout(5):
        await asyncio.gather(*waiters)


def test_files_that_a_power_cut_has_torn_are_not_taken_for_whole(tmp_path: Path) -> None:
    store = Store(tmp_path, Archive(tmp_path / "archive", 0, 0))
    whole, torn, unnamed = (store.scratch(3, name) for name in ("a", "b", "update"))
    for path in (whole, torn, unnamed):
        path.write_bytes(os.urandom(1000))
    roots = [file_root(path) for path in (whole, torn)]
    store.adopt(whole, 3, roots[0])
    store.adopt(torn, 3, roots[1]).write_bytes(b"")
    store.sweep()
    assert store.find(roots[0])
    assert store.find(roots[1]) is None
    assert unnamed.exists()
