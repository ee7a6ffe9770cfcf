"""Where the book and the chain differ, said in words."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.ledger import (
    Book,
    ChainAccount,
    ChainPool,
    ChainRoyalties,
    Claimed,
    Credited,
    Funded,
    Refunded,
    reconcile,
    record,
)
from metering.split import equal_row
from tests.metering.histories import chains
from tests.metering.simulated_chain import AGREEMENT, PARTIES, SimulatedChain, run_id

POOLED = (Funded, Credited, Claimed, Refunded)


@pytest.fixture
def chain() -> SimulatedChain:
    chain = SimulatedChain()
    run = chain.runs[0]
    chain.fund(run, 1000)
    chain.seal(run, 600, equal_row(PARTIES))
    chain.claim(run, 5)
    chain.stake(1, 77)
    return chain


def balances(chain: SimulatedChain):
    book = Book()
    for fact in chain.facts:
        record(book, fact)
    return book.balances()


def test_nothing_differs_when_all_is_well(chain: SimulatedChain) -> None:
    assert (
        reconcile(
            balances(chain),
            chain.pools(),
            royalties=chain.royalties(),
            stakes=chain.stakes,
            tokens_wei=chain.tokens_wei(),
        )
        == ()
    )


@pytest.mark.parametrize("name", ["funded_wei", "credited_wei", "claimed_wei", "refunded_wei"])
@pytest.mark.parametrize("more", [-1, 1])
def test_one_wei_in_a_pool_is_found(chain: SimulatedChain, name: str, more: int) -> None:
    pool = chain.pools()[0]
    altered = dataclasses.replace(pool, **{name: getattr(pool, name) + more})
    (found,) = reconcile(balances(chain), [altered])
    assert found.what == f"{name.removesuffix('_wei')} of run {pool.run}"
    assert found.chain_wei - found.book_wei == more
    assert str(found).endswith(f"1 wei {'less' if more > 0 else 'more'} in the book")


def test_one_wei_in_an_account_is_found(chain: SimulatedChain) -> None:
    (pool,) = chain.pools()
    altered = dataclasses.replace(pool, accounts={**pool.accounts, 5: ChainAccount(100, 99)})
    (found,) = reconcile(balances(chain), [altered])
    assert str(found) == (
        f"claimed by party 5 in run {pool.run}: 100 wei in the book, 99 wei on chain: "
        "1 wei more in the book"
    )


def test_what_only_one_side_knows_is_zero_on_the_other(chain: SimulatedChain) -> None:
    (pool,) = chain.pools()
    missing = reconcile(balances(chain), [])
    assert f"funded of run {pool.run}" in {each.what for each in missing}
    assert all(each.chain_wei == 0 for each in missing)
    other = ChainPool(run_id(8), 5, 3, 0, 0, {2: ChainAccount(3, 0)})
    unknown = reconcile(balances(chain), [pool, other])
    assert [(each.what.split(" of ")[0], each.book_wei, each.chain_wei) for each in unknown] == [
        ("funded", 0, 5),
        ("credited", 0, 3),
        (f"accrued by party 2 in run {other.run}", 0, 3),
    ]


def test_stakes_and_tokens_are_compared_if_given(chain: SimulatedChain) -> None:
    stakes = {(AGREEMENT, 1): 76, (AGREEMENT, 2): 4}
    tokens_wei = {**chain.tokens_wei(), "Rewards": chain.tokens_wei()["Rewards"] + 1}
    found = reconcile(balances(chain), chain.pools(), stakes=stakes, tokens_wei=tokens_wei)
    assert [each.book_wei - each.chain_wei for each in found] == [1, -4, -1]
    assert found[-1].what == "tokens that Rewards holds"


def test_royalties_are_compared_if_given(chain: SimulatedChain) -> None:
    run = chain.runs[0]
    chain.refund(run)
    chain.buy_license(run, 400)
    chain.claim_royalties(run, 5)
    book = balances(chain)
    altered = ChainRoyalties(run.run, 401, {5: 99, 2: 7})
    found = reconcile(book, chain.pools(), royalties=[altered])
    assert [each.book_wei - each.chain_wei for each in found] == [-1, -7, 1]
    missing = reconcile(book, chain.pools(), royalties=[])
    assert [each.book_wei for each in missing] == [400, 100]


@given(chains(), st.data())
def test_a_book_that_missed_the_last_events_does_not_agree(
    chain: SimulatedChain, data: st.DataObject
) -> None:
    """One that missed an earlier event refuses what does not follow from it: see the rating."""
    kept = data.draw(st.integers(0, len(chain.facts) - 1))
    book = Book()
    for fact in chain.facts[:kept]:
        record(book, fact)
    missed = any(isinstance(fact, POOLED) for fact in chain.facts[kept:])
    assert bool(reconcile(book.balances(), chain.pools())) == missed
