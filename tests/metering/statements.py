"""Statements over a simulated chain."""

from __future__ import annotations

from metering.split import equal_row
from metering.statement import Holder, Period, Statement, draw_up
from tests.metering.simulated_chain import CHAIN_ID, SPONSOR, SimulatedChain, hash_of, run_id

CONTRACT = "0x" + "c0" * 20
BLOCKS_MAX = 400


def holder(party: int) -> Holder:
    return Holder(
        organization=f"hospital-{party}",
        parties={run_id(0): party, run_id(1): party},
        wallets=frozenset({SPONSOR}) if party == 0 else frozenset(),
    )


def period(first_block: int, last_block: int) -> Period:
    return Period(
        first_block=first_block,
        last_block=last_block,
        last_block_hash=hash_of("main", last_block),
        begins_s=first_block * 12,
        ends_s=(last_block + 1) * 12,
    )


def stated(chain: SimulatedChain, party: int, first: int = 0, last: int = BLOCKS_MAX) -> Statement:
    return draw_up(
        chain.facts,
        chain.sealed,
        holder(party),
        period(first, last),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
    )


def three_rounds() -> SimulatedChain:
    """Three rounds, a claim between them, a license, and what was left over."""
    chain = SimulatedChain()
    run = chain.runs[0]
    chain.fund(run, 1_000_003)
    chain.seal(run, 900, ((0, 6000), (1, 3000), (5, 1000)))
    chain.claim(run, 0)
    chain.seal(run, 950, ((0, 6000), (1, 4000)))  # no progress: nothing is credited
    chain.seal(run, 400, equal_row((0, 1)))
    chain.refund(run)
    chain.buy_license(run, 500)
    return chain
