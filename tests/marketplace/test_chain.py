"""The outbox and the index: nothing is lost, nothing happens twice, whatever dies when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.chain import Chain
from contracts.deployment import deploy
from contracts.embedded import EmbeddedChain
from contracts.errors import TransactionTimeout
from contracts.keys import Signer, load_key, new_key
from contracts.messages import Agreement, from_json, sign, to_abi
from marketplace.access import Caller
from marketplace.agreements.drafts import Draft
from marketplace.app import Market
from marketplace.chain import outbox
from marketplace.chain.postings import Activation
from marketplace.cli.operate import init
from marketplace.settings import load
from marketplace.storage.models import Cursor, Event, Operation
from tests.marketplace.world import CLINICS, draft

ADMIN = new_key()


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[EmbeddedChain]:
    """A chain of the test's own, which it may stop, stall and turn back."""
    async with EmbeddedChain() as running:
        rpc_url = await running.start(tmp_path / "chain")
        init(tmp_path / "market", [ADMIN.address], "swarm.example")
        async with await Chain.connect(rpc_url) as connection:
            address = running.deployer.address
            deployment = await deploy(connection, running.deployer, address, "Swarm", 10**27)
            deployment.save(tmp_path / "market" / "deployment.json")
        yield running


@pytest.fixture
async def market(chain: EmbeddedChain, tmp_path: Path, database_url: str) -> AsyncIterator[Market]:
    """A marketplace whose relayer and indexer move only when the test says so."""
    opened = await Market.open(
        load(tmp_path / "market", rpc_url=chain.rpc_url, database_url=database_url)
    )
    yield opened
    await opened.close()


async def agree(market: Market, **changes: Any) -> str:
    """Three parties sign an agreement; gives the operation that activates it."""
    caller = Caller(ADMIN.address, is_admin=True)
    fields = draft(CLINICS, ADMIN.address)
    shown = await market.database.write(
        market.agreements.draft, caller, Draft(**fields | changes), market.clock()
    )
    message = from_json(Agreement, shown["agreement"])
    for name, wallet in CLINICS.items():
        signature = sign(market.agreements.domain, message, wallet)
        shown = await market.database.write(
            market.agreements.sign, caller, shown["id"], name, signature, market.clock()
        )
    return str(shown["operation"]["id"])


async def settle(market: Market) -> None:
    """Lets the relayer and the indexer do all there is to do now."""
    await market.indexer.catch_up()
    while await market.relayer.step():
        await market.indexer.catch_up()


async def operation(market: Market, operation_id: str) -> Operation:
    def find(session: Session) -> Operation:
        row = session.get_one(Operation, operation_id)
        session.expunge(row)
        return row

    return await market.database.read(find)


async def events(market: Market) -> list[Event]:
    """What the index has of agreements; the deployment raised events of its own."""

    def find(session: Session) -> list[Event]:
        query = sa.select(Event).where(Event.agreement_id.is_not(None))
        rows = list(session.scalars(query.order_by(Event.block, Event.log_index)))
        session.expunge_all()
        return rows

    return await market.database.read(find)


async def sent(market: Market) -> int:
    """How many transactions the relayer has on chain."""
    address = relayer(market).address
    count = await market.contracts.chain.request("eth_getTransactionCount", address, "latest")
    return int(count, 16)


def relayer(market: Market) -> Signer:
    return load_key(market.settings.path("relayer.key"))


async def posting(market: Market, operation_id: str) -> Activation:
    return Activation.read((await operation(market, operation_id)).payload)


async def test_an_operation_is_posted_and_confirmed(market: Market) -> None:
    posted = await agree(market)
    assert (await operation(market, posted)).state == "queued"
    await settle(market)
    row = await operation(market, posted)
    assert row.state == "confirmed"
    assert [event.kind for event in await events(market)] == ["AgreementActivated"]
    assert (await events(market))[0].transaction == row.transaction


async def test_killed_before_it_sent_the_relayer_sends(market: Market) -> None:
    posted = await agree(market)
    await market.database.write(outbox.sending, posted, market.clock())
    await settle(market)
    assert (await operation(market, posted)).state == "confirmed"
    assert await sent(market) == 1


async def test_killed_before_the_receipt_the_relayer_finds_what_it_did(market: Market) -> None:
    posted = await agree(market)
    await market.database.write(outbox.sending, posted, market.clock())
    receipt = await (await posting(market, posted)).post(market.contracts, relayer(market))
    await settle(market)
    row = await operation(market, posted)
    assert (row.state, row.transaction) == ("confirmed", receipt.transaction)
    assert await sent(market) == 1


async def test_killed_while_the_transaction_waits_to_be_mined_nothing_happens_twice(
    market: Market,
) -> None:
    posted = await agree(market)
    await market.database.write(outbox.sending, posted, market.clock())
    rpc = market.contracts.chain.request
    await rpc("evm_setAutomine", False)
    waiting = await posting(market, posted)
    arguments = to_abi(waiting.agreement), list(waiting.signatures)
    call = market.contracts.consortium.call("activate", *arguments)
    with pytest.raises(TransactionTimeout):
        await market.contracts.chain.transact(call, relayer(market), timeout_s=0.3)
    await rpc("evm_setAutomine", True)
    await rpc("evm_mine")
    await settle(market)
    assert (await operation(market, posted)).state == "confirmed"
    assert len(await events(market)) == 1


async def test_what_somebody_else_posted_first_counts_as_done(
    market: Market, chain: EmbeddedChain
) -> None:
    posted = await agree(market)
    receipt = await (await posting(market, posted)).post(market.contracts, chain.deployer)
    row_before = await operation(market, posted)
    await market.relayer.step()  # refused: already active; the index does not know yet
    await settle(market)
    row = await operation(market, posted)
    assert (row_before.state, row.state) == ("queued", "confirmed")
    assert row.transaction == receipt.transaction


async def test_a_refusal_of_the_contracts_is_told_with_its_reason(market: Market) -> None:
    posted = await agree(market, not_before=1, duration_days=1)
    await settle(market)
    row = await operation(market, posted)
    assert row.state == "failed"
    assert "in force from" in (row.error or "")
    assert row.hint


async def test_the_index_resumes_where_it_stopped(market: Market) -> None:
    await agree(market)
    await settle(market)
    again = await Market.open(market.settings)
    try:
        await agree(again, title="another")
        await settle(again)
        await again.indexer.catch_up()
        assert len(await events(again)) == 2
    finally:
        await again.close()


async def test_reading_everything_again_adds_nothing(market: Market) -> None:
    await agree(market)
    await settle(market)

    def forget(session: Session) -> None:
        session.execute(sa.delete(Cursor))

    await market.database.write(forget)
    await market.indexer.catch_up()
    assert len(await events(market)) == 1


async def test_a_reorganization_takes_events_back_and_their_operations_are_posted_again(
    market: Market,
) -> None:
    rpc = market.contracts.chain.request
    kept = await agree(market)
    await settle(market)
    snapshot = await rpc("evm_snapshot")
    lost = await agree(market, title="another")
    await settle(market)
    before = (await operation(market, lost)).transaction
    block_before = (await events(market))[-1].block_hash

    await rpc("evm_revert", snapshot)
    await rpc("anvil_mine", hex(7))  # the other branch is longer, and has none of it
    await market.indexer.catch_up()
    assert len(await events(market)) == 1
    assert (await operation(market, kept)).state == "confirmed"
    assert (await operation(market, lost)).state == "sent"

    await settle(market)
    row = await operation(market, lost)
    assert row.state == "confirmed"
    assert len(await events(market)) == 2
    assert (await events(market))[-1].block_hash != block_before
    assert before is not None


async def test_a_chain_that_lost_its_last_blocks_is_followed_back(market: Market) -> None:
    rpc = market.contracts.chain.request
    snapshot = await rpc("evm_snapshot")
    posted = await agree(market)
    await settle(market)
    await rpc("evm_revert", snapshot)
    await market.indexer.catch_up()
    assert await events(market) == []
    await settle(market)
    assert (await operation(market, posted)).state == "confirmed"


async def test_a_chain_that_was_restarted_is_the_same_chain(
    market: Market, chain: EmbeddedChain, tmp_path: Path
) -> None:
    await agree(market)
    await settle(market)
    port = int(chain.rpc_url.rpartition(":")[2])
    await chain.stop()
    await chain.start(tmp_path / "chain", port)
    await market.indexer.catch_up()
    assert len(await events(market)) == 1
    await agree(market, title="another")
    await settle(market)
    assert len(await events(market)) == 2
