"""The benchmark's rounds are what a chain raises for the same rounds."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from contracts.messages import unpack_shares
from marketplace.chain.records import record_of
from marketplace.storage.models import Event
from scripts.bench_marketplace.rounds import BlockPlace, OpenRun, SealedRound
from tests.chain.people import INITIAL_ROOT
from tests.marketplace.economy import TOKEN_WEI, Economy, founded, opened

_ROWS = (
    (2.0, {}),
    (1.9, {0: 3333, 1: 3333, 2: 3334}),
    (1.95, {0: 5000, 1: 5000}),  # worse: what rounding left is all there is
    (1.2, {0: 4000, 1: 3000, 2: 2999}),
)


async def test_rounds_of_the_benchmark_are_those_that_a_chain_seals_and_pays(
    tmp_path: Path,
) -> None:
    async with EmbeddedChain() as embedded:
        await embedded.start(tmp_path / "chain")
        await founded(embedded, tmp_path / "market")
        async with opened(embedded, tmp_path / "market") as market:
            contracts = market.contracts
            economy = await Economy.of(
                contracts, embedded.deployer, max_rounds=25, loss_ceiling=2 * 10**9
            )
            await economy.start(tokens=1000)
            run = await contracts.training.run(economy.run)
            snapshot = await contracts.consortium.snapshot_at(run.agreement, run.snapshot_version)
            made = OpenRun(
                deployment=contracts.deployment,
                id=economy.run,
                terms=economy.alliance.agreement.terms,
                funded_wei=1000 * TOKEN_WEI,
                snapshot_version=run.snapshot_version,
                snapshot_root=snapshot.root,
                parties=3,
                prev=run.prev,
            )
            for loss, shares in _ROWS:
                await economy.seal(loss, shares)
            await economy.claim(1)
            await market.indexer.catch_up()
            on_chain = await market.database.read(_since_round_0, economy.run_id)

    place = BlockPlace(1, "0x" + "00" * 32, 0, "0x" + "00" * 32)
    raised = [
        event for loss, shares in _ROWS for event in made.seal(_row(made, loss, shares), place)
    ]
    raised += made.claim(1, economy.alliance.wallets[1].address, place)
    records = [record_of(contracts.deployment, each) for each in raised]
    assert [(each.kind, dict(each.data)) for each in records] == on_chain


def _row(run: OpenRun, loss: float, shares: dict[int, int]) -> SealedRound:
    """What `Economy.seal` has the nodes attest."""
    return SealedRound(
        loss_before_e9=0,
        loss_after_e9=round(loss * 1e9),
        metric_e9=0,
        shares=unpack_shares(m.pack_shares(tuple(shares.items()))),
        rejects=(),
        signers=(0, 1, 2),
        merged_root=run.round.to_bytes(32, "big") if run.round else INITIAL_ROOT,
        roster_root=b"\x01" * 32 if run.round else bytes(32),
    )


def _since_round_0(session: Session, run_id: str) -> list[tuple[str, dict[str, object]]]:
    rows = list(session.scalars(sa.select(Event).order_by(Event.block, Event.log_index)))
    first = next(n for n, row in enumerate(rows) if row.kind == "Sealed" and row.run_id == run_id)
    return [(row.kind, row.data) for row in rows[first:]]
