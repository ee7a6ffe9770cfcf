"""A payment that is asked for a thousand times at once is made once, on either database."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from contracts.messages import Claim, from_json, sign
from marketplace.storage.database import Database
from marketplace.storage.models import Event, Operation, Retry
from scripts.ports import free_port
from tests.marketplace.conftest import serving
from tests.marketplace.processes import run
from tests.marketplace.world import CLINICS, Federation, World, eventually

pytestmark = pytest.mark.slow

RETRIES = 1_000
AT_ONCE = 100


@pytest.fixture
def paid(world: World, database_url: str, tmp_path: Path) -> Iterator[Federation]:
    """A federation that earned something, in a marketplace on a database of the given kind."""
    folder, url = tmp_path / "market", f"http://127.0.0.1:{free_port()}"
    run("init", str(folder), "--admin", world.admin.address)
    with (folder / "settings.toml").open("a") as settings:
        settings.write(f'database_url = "{database_url}"\nrequests_per_minute = 100000\n')
    shutil.copy(world.folder / "deployment.json", folder)
    federation = Federation(dataclasses.replace(world, folder=folder, market_url=url))
    with serving(federation.world, free_port()) as market:
        market.wait_for(f"{url}/healthz")
        federation.agree()
        for name in federation.wallets:
            federation.enroll(name)
        federation.start()
        federation.fund(100)
        federation.seal(2.0)
        federation.seal(1.0, {0: 5_000, 1: 3_000, 2: 2_000})
        yield federation


def test_a_thousand_retries_of_one_payment_have_one_effect(
    paid: Federation, database_url: str
) -> None:
    with paid.owner("clinic-a") as owner:
        session = owner.sign_in()["token"]
        prepared = owner.request(
            "POST", "/api/claims/prepare", {"run": paid.run_id, "organization": "clinic-a"}
        )
        claim = from_json(Claim, prepared["claim"])
        domain = paid.world.on_chain(_rewards_domain)
        signature = "0x" + sign(domain, claim, CLINICS["clinic-a"]).hex()
        body = {"claim": prepared["claim"], "signature": signature}
        answers = asyncio.run(ask_often(paid.world.market_url, session, "payment-1", body))
        assert Counter(each.status for each in answers) == {202: RETRIES}
        assert len({each.text for each in answers}) == 1
        assert sum(not each.repeated for each in answers) == 1
        done = owner.wait(answers[0].json["operation"]["id"])
        assert done["result"]["amount"] == prepared["amount_wei"]
        [late] = asyncio.run(ask_often(paid.world.market_url, session, "payment-1", body, 1))
        assert late.text == answers[0].text
        [other] = asyncio.run(
            ask_often(paid.world.market_url, session, "payment-1", body | {"signature": "0x"}, 1)
        )
        assert other.status == 422
        assert "another request" in other.json["detail"]
    database = Database(database_url)
    kept = database.read_now(
        lambda found: found.scalar(
            sa.select(sa.func.count(Operation.id)).where(Operation.kind == "claim")
        )
    )
    assert kept == 1
    paid_out = eventually(
        lambda: database.read_now(
            lambda found: found.scalar(
                sa.select(sa.func.count(Event.id)).where(
                    Event.kind == "Claimed", Event.run_id == paid.run_id
                )
            )
        ),
        lambda count: count == 1,
    )
    assert paid_out == 1

    # Killed after the effect and before the answer: the row has none, the operation has the key.
    def lose_the_answer(found: Any) -> None:
        row = found.scalars(sa.select(Retry).where(Retry.status == 202)).first()
        row.status = row.body = row.content_type = None
        row.started_s = 1 + row.started_s - 61

    database.write_now(lose_the_answer)
    [again] = asyncio.run(ask_often(paid.world.market_url, session, "payment-1", body, 1))
    assert again.status == 202
    assert again.json["operation"]["id"] == answers[0].json["operation"]["id"]
    database.close()


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    repeated: bool

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def ask_often(
    url: str, token: str, key: str, body: dict[str, Any], times: int = RETRIES
) -> list[Answer]:
    """So many requests, all under way at the same time."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as client:

        async def ask() -> Answer:
            async with client.post("/api/claims", json=body) as answer:
                text = await answer.text()
                return Answer(answer.status, text, "idempotent-replayed" in answer.headers)

        return await asyncio.gather(*(ask() for _ in range(times)))


async def _rewards_domain(contracts: Any) -> Any:
    return contracts.domains.rewards
