"""Fills a consortium's runs with rounds, and with what its nodes say beside them."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts, events
from contracts.deployment import Deployment
from contracts.keys import Signer
from contracts.personal import personal_digest
from marketplace.chain import projections
from marketplace.chain.indexer import indexed_block
from marketplace.chain.records import Record, record_of
from marketplace.money.announcements import Notices
from marketplace.nodes.usage import row_of
from marketplace.storage.database import Database
from marketplace.storage.models import Base, Cursor, NodeStatus, UsageReport, UsageTotal
from metering.split import FULL_BIPS
from metering.usage import Usage, UsageSum
from scripts.bench_marketplace.rounds import BlockPlace, OpenRun, SealedRound

CLAIM_EVERY = 250  # rounds
_CHUNK = 100  # rounds stored in one go
_BLOCKS = 100  # made in one go
_REPORTS_CHUNK = 5_000
_AT_ONCE = 16  # requests to the chain
_FIRST_LOSS_E9 = 2_000_000_000
_MB = 10**6


async def seal(
    database: Database,
    contracts: Contracts,
    runs: Sequence[tuple[OpenRun, int]],
    wallets: Sequence[Signer],
    registrations: Sequence[int],
    seed: int = 7,
) -> None:
    """Seals so many rounds of each run, in blocks that the chain really has.

    The indexer goes on behind them: the last one is what it takes for the last that was read.

    Args:
        runs: each with how many rounds.
        wallets: by party.
        registrations: of each party's node.
        seed: of what the rounds bring.
    """
    deployment, draw = contracts.deployment, random.Random(seed)
    first = await database.read(indexed_block, deployment.chain_id) + 1
    needed = sum(rounds + _claims(run, rounds) for run, rounds in runs)
    # A second each: nothing of the consortium is over when all of them are there.
    for begun in range(0, needed, _BLOCKS):
        blocks = min(_BLOCKS, needed - begun)
        await contracts.chain.request("anvil_mine", hex(blocks), hex(1))
    places = iter(await _places(contracts, first, first + needed))
    for run, rounds in runs:
        for chunk in _chunks(_transactions(run, rounds, places, wallets, registrations, draw)):
            records = [record for each in chunk for record in _records(deployment, *each)]
            await database.write(_store, deployment, records, chunk[-1][0])


async def report(
    database: Database, runs: Sequence[OpenRun], nodes: dict[str, tuple[str, Signer]], now_s: int
) -> None:
    """What each round cost each node, signed by it, and a heartbeat of each.

    Args:
        nodes: SPIFFE ID to its version and key.
    """
    rows: list[dict[str, object]] = []
    for run in runs:
        for number in range(1, run.round):
            rows += (
                _usage(run, number, spiffe_id, key, now_s) for spiffe_id, (_, key) in nodes.items()
            )
            if len(rows) >= _REPORTS_CHUNK:
                await database.write(_insert_reports, rows)
                rows = []
    if rows:
        await database.write(_insert_reports, rows)
    await database.write(_add_up)
    await database.write(_heartbeats, runs[0].round, nodes, now_s)


def _claims(run: OpenRun, rounds: int) -> int:
    return rounds // CLAIM_EVERY * run.parties


async def _places(contracts: Contracts, first: int, last: int) -> list[BlockPlace]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def place(number: int) -> BlockPlace:
        async with turn:
            block = await contracts.chain.block(number)
        if block is None:
            raise RuntimeError(f"the chain has no block {number}")
        transaction = "0x" + hashlib.sha256(block.hash.encode()).hexdigest()
        return BlockPlace(number, block.hash, block.timestamp, transaction)

    return list(await asyncio.gather(*map(place, range(first, last))))


def _transactions(
    run: OpenRun,
    rounds: int,
    places: Iterator[BlockPlace],
    wallets: Sequence[Signer],
    registrations: Sequence[int],
    draw: random.Random,
) -> Iterator[tuple[BlockPlace, list[events.Event]]]:
    loss_e9 = _FIRST_LOSS_E9
    for number in range(rounds):
        place = next(places)
        before_e9, loss_e9 = loss_e9, _next_loss_e9(loss_e9, number, draw)
        yield place, run.seal(_round(run, before_e9, loss_e9, registrations, draw), place)
        if (number + 1) % CLAIM_EVERY == 0:
            for party in sorted(run.accrued_wei):
                place = next(places)
                yield place, run.claim(party, wallets[party].address, place)


def _next_loss_e9(loss_e9: int, number: int, draw: random.Random) -> int:
    """Falls by a thousandth of what is left, with noise: about every fourth round is worse."""
    if number == 0:
        return loss_e9
    left = loss_e9 - 300_000_000
    return loss_e9 - left // 1_000 + round(draw.gauss(0, left / 700))


def _round(
    run: OpenRun,
    before_e9: int,
    after_e9: int,
    registrations: Sequence[int],
    draw: random.Random,
) -> SealedRound:
    everybody = list(range(run.parties))
    if run.round == 0:
        root = run.terms.initial_root
        return SealedRound(0, after_e9, 0, (), (), sorted(registrations), root)
    missing = set(draw.sample(everybody, draw.randrange(4)))
    rejected = draw.sample(sorted(set(everybody) - missing), draw.randrange(2))
    present = [party for party in everybody if party not in missing]
    merged = [party for party in present if party not in rejected]
    return SealedRound(
        loss_before_e9=before_e9,
        loss_after_e9=after_e9,
        metric_e9=10**9 - after_e9 // 3,
        shares=_shares(merged, draw),
        rejects=[(registrations[party], 1 + draw.randrange(6)) for party in rejected],
        signers=sorted(registrations[party] for party in present),
        merged_root=draw.randbytes(32),
        roster_root=draw.randbytes(32),
    )


def _shares(parties: Sequence[int], draw: random.Random) -> list[tuple[int, int]]:
    """Up to a fifth above or below an equal part; all of it together."""
    weights = [draw.uniform(0.8, 1.2) for _ in parties]
    total = sum(weights)
    bips = [int(FULL_BIPS * each / total) for each in weights]
    bips[0] += FULL_BIPS - sum(bips)
    return list(zip(parties, bips, strict=True))


def _chunks(
    transactions: Iterator[tuple[BlockPlace, list[events.Event]]],
) -> Iterator[list[tuple[BlockPlace, list[events.Event]]]]:
    chunk = []
    for each in transactions:
        chunk.append(each)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _records(deployment: Deployment, place: BlockPlace, raised: list[events.Event]) -> list[Record]:
    return [record_of(deployment, each, place.time_s) for each in raised]


def _store(
    session: Session, deployment: Deployment, records: list[Record], last: BlockPlace
) -> None:
    projections.store(session, deployment, records, Notices())
    session.merge(Cursor(chain_id=deployment.chain_id, block=last.number, block_hash=last.hash))


def _usage(run: OpenRun, number: int, spiffe_id: str, key: Signer, now_s: int) -> dict[str, object]:
    usage = Usage(
        run="0x" + run.id.hex(),
        round=number,
        node=spiffe_id,
        bytes_served=90 * _MB,
        bytes_fetched=110 * _MB,
        training_ms=52_000 + number,
        evaluation_ms=4_100,
        merge_ms=730,
        samples=4_096,
        restarts=0,
        energy_j=None,
    )
    signature = key.sign(personal_digest(usage.to_bytes().decode()))
    row = row_of(usage, key.address, signature, now_s)
    return {column.key: getattr(row, column.key) for column in UsageReport.__table__.columns}


def _table(model: type[Base]) -> sa.Table:
    return cast(sa.Table, model.__table__)


def _insert_reports(session: Session, rows: list[dict[str, object]]) -> None:
    session.execute(sa.insert(_table(UsageReport)), rows)


def _add_up(session: Session) -> None:
    """What each node's reports come to, as it is kept when they come one by one."""
    names = [each.name for each in fields(UsageSum) if "reports" not in each.name]
    columns = [getattr(UsageReport, name) for name in names]
    sums = sa.select(
        UsageReport.run_id,
        UsageReport.spiffe_id,
        sa.func.count(),
        sa.func.count(UsageReport.energy_j),
        *(sa.func.sum(each) for each in columns),
    ).group_by(UsageReport.run_id, UsageReport.spiffe_id)
    kept = ["run_id", "spiffe_id", "reports", "energy_reports", *names]
    session.execute(sa.insert(_table(UsageTotal)).from_select(kept, sums))


def _heartbeats(
    session: Session, round_: int, nodes: dict[str, tuple[str, Signer]], now_s: int
) -> None:
    for spiffe_id, (version, _) in nodes.items():
        said = {
            "state": "training",
            "round": round_,
            "training": True,
            "last": {"samples": 4_096},
            "version": version,
            "svid_expires_s": now_s + 200_000,
            "troubles": [],
        }
        session.add(NodeStatus(spiffe_id=spiffe_id, received_s=now_s, status=said))


def analyze(session: Session) -> None:
    """Has PostgreSQL look at what it holds, as it does by itself after a while."""
    session.execute(sa.text("ANALYZE"))


def counts(session: Session) -> dict[str, int]:
    """Rows by table."""
    return {
        name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for name, table in sorted(Base.metadata.tables.items())
    }
