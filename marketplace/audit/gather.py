"""Reads what a chain has of a run, from any Ethereum endpoint: nothing of ours has to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from contracts.chain import Block, Chain
from contracts.deployment import Contracts, Deployment
from contracts.events import (
    AgreementAmended,
    Claimed,
    Event,
    Funded,
    Refunded,
    RoundOpened,
    RowCounted,
    RunCreated,
    Sealed,
    Transfer,
    logs,
)
from contracts.kinds import checksum_address
from contracts.messages import Party
from marketplace.audit.records import Posted, Records
from marketplace.errors import InvalidInput, NotFound, Unavailable

_AT_ONCE = 16  # requests under way
MOVES = (Claimed, Funded, Refunded, Transfer)


async def gather(rpc_url: str, deployment: Deployment, run: str, *, from_block: int = 0) -> Records:
    """Read a run's records up to the latest block that will not be taken back.

    Args:
        rpc_url: of the chain.
        deployment: the contracts' addresses.
        run: its id, or its name if no other run has it.
        from_block: where to begin looking for events; the contracts' first is soon enough.

    Raises:
        NotFound: no such run there. InvalidInput: the name is that of several.
        ChainError: the chain does not answer.
    """
    async with await Chain.connect(rpc_url) as chain:
        contracts = Contracts.at(chain, deployment)
        await contracts.check()
        last = await chain.final_block_number()
        block = await chain.block(last)
        if block is None:
            raise Unavailable(f"the chain has no block {last}", hint="try again")
        everything = await logs(chain, deployment, from_block, last)
        run_id = _run_id(everything, run)
        records = await _records(contracts, block, run_id, _of_run(everything, run_id))
        return replace(records, parties=await _parties(contracts, everything, records))


def _run_id(events: Sequence[Event], run: str) -> bytes:
    created = [event for event in events if isinstance(event, RunCreated)]
    found = [event for event in created if run in (event.name, "0x" + event.run_id.hex())]
    if not found:
        raise NotFound(
            f"no run {run} was created there",
            hint="is it the right chain and deployment? --from-block may be too late",
        )
    if len({event.run_id for event in found}) > 1:
        ids = ", ".join("0x" + event.run_id.hex() for event in found)
        raise InvalidInput(f"{len(found)} runs are named {run}", hint=f"give the id: {ids}")
    return found[0].run_id


def _of_run(events: Sequence[Event], run_id: bytes) -> tuple[Event, ...]:
    """The run's events, and those of other runs that moved tokens in the same transactions."""
    own = {event.transaction for event in events if getattr(event, "run_id", None) == run_id}
    return tuple(
        event
        for event in events
        if getattr(event, "run_id", None) == run_id
        or (isinstance(event, MOVES) and event.transaction in own)
    )


async def _parties(
    contracts: Contracts, events: Sequence[Event], records: Records
) -> tuple[Party, ...]:
    """The parties as they were when the run was created; those that joined later as they are now.

    Only where the agreement was amended since is the chain asked for an old state.
    """
    created = next(e.block for e in records.events if isinstance(e, RunCreated))
    amendments = (event for event in events if isinstance(event, AgreementAmended))
    if not any(e.agreement == records.agreement and e.block > created for e in amendments):
        return records.parties
    first = await contracts.consortium.at_block(created).parties(records.agreement)
    return (*first, *records.parties[len(first) :])


async def _records(
    contracts: Contracts, at: Block, run_id: bytes, events: tuple[Event, ...]
) -> Records:
    block = at.number
    training, rewards = contracts.training.at_block(block), contracts.rewards.at_block(block)
    consortium = contracts.consortium.at_block(block)
    run = await training.run(run_id)
    terms, pool, parties, registrations, escrow_wei = await asyncio.gather(
        training.terms(run_id),
        rewards.pool(run_id),
        consortium.parties(run.agreement),
        consortium.registrations(run.agreement),
        contracts.token.at_block(block).balance_of(rewards.address),
    )
    limit = asyncio.Semaphore(_AT_ONCE)

    async def root(version: int) -> bytes:
        async with limit:
            return (await consortium.snapshot_at(run.agreement, version)).root

    async def posted(transaction: str) -> Posted:
        async with limit:
            return await _posted(contracts.chain, transaction)

    versions = sorted({e.snapshot_version for e in events if isinstance(e, RoundOpened)})
    sent = list(dict.fromkeys(e.transaction for e in events if isinstance(e, Sealed | RowCounted)))
    roots, transactions, accounts = await asyncio.gather(
        asyncio.gather(*map(root, versions)),
        asyncio.gather(*map(posted, sent)),
        asyncio.gather(*(rewards.account(run_id, party) for party in range(len(parties)))),
    )
    return Records(
        deployment=contracts.deployment,
        block=block,
        block_hash=at.hash,
        run_id=run_id,
        agreement=run.agreement,
        terms=terms,
        parties=parties,
        registrations=registrations,
        snapshots=dict(zip(versions, roots, strict=True)),
        events=events,
        posted=dict(zip(sent, transactions, strict=True)),
        run=run,
        pool=pool,
        accounts=tuple(accounts),
        escrow_wei=escrow_wei,
    )


async def _posted(chain: Chain, transaction: str) -> Posted:
    found = await chain.request("eth_getTransactionByHash", transaction)
    if not found:
        raise Unavailable(
            f"the endpoint does not know the transaction {transaction}",
            hint="ask one that keeps all transactions",
        )
    to, data = found.get("to"), found.get("input") or found.get("data") or "0x"
    return Posted(checksum_address(to) if to else "", bytes.fromhex(data[2:]))
