"""Histories of a simulated chain, for properties that have to hold after any of them."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from metering.split import metered_row
from tests.metering.simulated_chain import CHARITY, PARTIES, SimulatedChain

SELDOM = ("refund", "license", "royalties", "unstake", "slash", "collect")
ACTIONS = (*("fund", "stake") * 2, *("seal",) * 9, *("claim",) * 6, *SELDOM)


@st.composite
def chains(draw: st.DrawFn, *, runs: int = 2, branch: str = "main") -> SimulatedChain:
    """Histories of up to 60 steps. The seed makes them long, the length lets them shrink."""
    random, steps = Random(draw(st.integers(0, 2**32))), draw(st.integers(0, 60))
    chain = SimulatedChain(runs, branch)
    for run in chain.runs:
        chain.fund(run, amount(random))
    for _ in range(steps):
        step(chain, random)
    return chain


def amount(random: Random) -> int:
    """Often a few wei, so that rounding shows, often millions of tokens."""
    return random.randint(1, 10 ** random.choice([1, 2, 4, 18, 24]))


def step(chain: SimulatedChain, random: Random) -> None:
    run, party, wei = random.choice(chain.runs), random.choice(PARTIES), amount(random)
    match random.choice(ACTIONS):
        case "fund":
            chain.fund(run, wei)
        case "seal":
            roster = random.sample(PARTIES, random.randint(0, len(PARTIES)))
            row = metered_row({each: random.uniform(-0.2, 1) for each in roster})
            chain.seal(run, max(0, run.pool.best_loss_e9 + random.randint(-120, 20)), row)
        case "claim":
            chain.claim(run, party)
        case "refund" if run.rounds > 3:
            chain.refund(run)
        case "license" if run.rounds > 3:
            chain.refund(run)
            for _ in range(random.randint(1, 4)):
                chain.buy_license(run, amount(random))
        case "royalties":
            for each in PARTIES:
                chain.claim_royalties(run, each)
        case "stake":
            chain.stake(party, wei)
        case "unstake":
            chain.unstake(party)
        case "slash":
            chain.slash(party)
        case "collect":
            chain.collect(CHARITY)
