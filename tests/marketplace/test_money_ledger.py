"""The books: balanced by the database itself, and at every block what the chain says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer
from marketplace.access import Caller
from marketplace.app import Market
from marketplace.chain import books
from marketplace.chain.rebuild import restore_agreements
from marketplace.errors import Conflict
from marketplace.money import reconciliation
from marketplace.runs import views
from marketplace.runs.readmodel import run_seen
from marketplace.storage.models import Credit, Event
from marketplace.storage.models.ledger import LedgerBalance, LedgerEntry
from metering.ledger import Account, Kind
from tests.marketplace.economy import LOCAL, TOKEN_WEI, Economy, opinion

# One chain for all: each test has organizations of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def agrees(market: Market) -> reconciliation.Report:
    """Reads what is new, and compares all of the books with the chain."""
    await market.indexer.catch_up()
    report = await reconciliation.compare(market.database, market.contracts)
    assert report.differences == ()
    assert report.agrees
    return report


async def paid_run(market: Market, treasury: Signer) -> Economy:
    """A run of three with two rounds paid and a claim."""
    economy = await Economy.of(market.contracts, treasury)
    await economy.start()
    await economy.seal(0.7)
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    await economy.claim(1)
    await economy.seal(0.3, {0: 1, 1: 3333, 2: 6666})
    return economy


async def test_the_books_equal_the_chain_after_every_step(
    market: Market, embedded: EmbeddedChain
) -> None:
    treasury = embedded.deployer
    contracts = market.contracts
    bylaws = m.Bylaws(penalty_recipient=market.settings.admin_wallets[0], min_stake=TOKEN_WEI)
    economy = await Economy.of(contracts, treasury, bylaws=bylaws, license_price=7 * TOKEN_WEI)
    agreement = economy.alliance.id
    await economy.give(contracts.stakes.address, 9 * TOKEN_WEI)
    for party in range(3):
        await contracts.stakes.deposit(agreement, party, 3 * TOKEN_WEI, signer=treasury)
    await agrees(market)
    await economy.start()
    await agrees(market)
    await economy.seal(0.7)
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    await agrees(market)
    await economy.claim(1)
    await agrees(market)
    await economy.fund(333)
    await economy.seal(0.35, {0: 9999})
    await agrees(market)
    await economy.seal(0.3, {0: 1, 1: 3333, 2: 6666})  # the last round: the pool is closed
    await contracts.rewards.refund(economy.run, signer=treasury)
    await agrees(market)
    await economy.give(contracts.royalties.address, 20 * TOKEN_WEI)
    await contracts.royalties.buy(economy.run, treasury.address, 7 * TOKEN_WEI, signer=treasury)
    await contracts.royalties.pay(economy.run, 11, signer=treasury)
    wallet = economy.alliance.wallets[2]
    claim = m.Claim((economy.run,), 2, wallet.address, 0, 2**40)
    signature = m.sign(contracts.royalties.domain, claim, wallet)
    await contracts.royalties.claim(claim, signature, signer=treasury)
    await agrees(market)
    await contradict(economy)
    await contracts.stakes.collect(treasury.address, signer=treasury)
    report = await agrees(market)
    assert report.given_wei == report.received_wei > 0
    # Tokens that somebody sends to a contract are nobody's, and no difference.
    await contracts.token.mint(contracts.rewards.address, 5, signer=treasury)
    assert (await agrees(market)).strays_wei == {"Rewards": 5}


async def contradict(economy: Economy) -> None:
    """A node signs two updates of one round, and is slashed for it."""
    contracts, node = economy.contracts, economy.alliance.nodes[0]
    first = m.Update(economy.run, 1, b"\x07" * 32, 0, b"\x01" * 32, 10, 64)
    second = replace(first, root=b"\x02" * 32)
    domain = contracts.training.domain
    signed = [(each, m.sign(domain, each, node)) for each in (first, second)]
    await contracts.stakes.slash_updates(
        contracts.training.address, 0, *signed, signer=economy.treasury
    )


async def test_rows_of_local_metering_are_settled_to_the_wei(
    market: Market, embedded: EmbeddedChain
) -> None:
    names = ("hospital-a", "hospital-b", "clinic-c", "clinic-d")
    economy = await Economy.of(
        market.contracts, embedded.deployer, *names, metering=LOCAL, validation_root=bytes(32)
    )
    await economy.start(tokens=0)
    await economy.fund(1000 * TOKEN_WEI + 7)
    everyone = range(4)
    await economy.seal_local(dict.fromkeys(everyone, (0, 0.7)))
    rows = {party: opinion(party, 4) for party in everyone}
    rows[0] = m.pack_shares(((0, 0), (1, 5000), (2, 2000), (3, 1000)))
    await economy.seal_local({party: (0.7, 0.61 - party / 100) for party in (0, 1, 2)}, rows)
    await agrees(market)
    # Late money vests at once; of this round's roster, the only organization says nothing.
    await economy.fund(500 * TOKEN_WEI)
    about_another = m.pack_shares(((3, 0),))
    await economy.seal_local(
        dict.fromkeys((0, 1, 2), (0.6, 0.5)), dict.fromkeys(everyone, about_another)
    )
    await agrees(market)
    await economy.seal_local(dict.fromkeys(everyone, (0.5, 0.45)), rows)
    await agrees(market)
    await market.database.write(restore_agreements)

    def standing(session: Session) -> tuple[str, int | None, str | None]:
        run = views.show_run(session, Caller(None, sees_all=True), economy.run_id)
        return run["state"], run["round"], run["leader"]

    assert await market.database.read(standing) == ("settling", None, None)
    await market.contracts.training.settle(economy.run, signer=embedded.deployer)
    await agrees(market)
    assert await market.database.read(standing) == ("finished", None, None)

    def credits(session: Session) -> list[tuple[int, int, int]]:
        query = sa.select(Credit.round, Credit.party, Credit.amount_wei).where(
            Credit.run_id == economy.run_id
        )
        return [tuple(row) for row in session.execute(query.order_by(Credit.round, Credit.party))]

    found = await market.database.read(credits)
    assert {number for number, _, _ in found} == {1, 2, 3}
    for party in everyone:
        account = await market.contracts.rewards.account(economy.run, party)
        assert account.accrued == sum(wei for _, who, wei in found if who == party)

    def vested(session: Session) -> tuple[int, int]:
        history = run_seen(session, Caller(None, sees_all=True), economy.run_id)
        return history.vested_wei, history.credited_wei

    pool = await market.contracts.rewards.pool(economy.run)
    shown = await market.database.read(vested)
    assert shown[1] == pool.credited
    assert 0 <= shown[0] - pool.credited < 4  # what rounding left


async def test_nobody_pays_twice_while_a_payment_is_not_final(
    market: Market, embedded: EmbeddedChain
) -> None:
    economy = await Economy.of(market.contracts, embedded.deployer)
    await economy.start(tokens=5)
    await agrees(market)
    await market.database.write(restore_agreements)
    await economy.fund(3 * TOKEN_WEI)
    await economy.give(market.contracts.rewards.address, 2 * TOKEN_WEI)
    asked = Caller(None, sees_all=True), economy.run_id, embedded.deployer.address, "2"
    with pytest.raises(Conflict, match=r"3 tokens were paid into the pool .* are not final"):
        await market.pools.funding(*asked)
    await agrees(market)
    (paying,) = (await market.pools.funding(*asked))["transactions"]
    assert paying["to"] == market.contracts.rewards.address


async def test_a_reorganization_is_answered_by_reversals(
    market: Market, embedded: EmbeddedChain
) -> None:
    economy = await Economy.of(market.contracts, embedded.deployer)
    await economy.start()
    await economy.seal(0.7)
    before = (await agrees(market)).entries
    rpc = market.contracts.chain.request
    snapshot = await rpc("evm_snapshot")
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    await economy.claim(1)
    earned = await agrees(market)
    assert earned.entries == before + 2

    await rpc("evm_revert", snapshot)
    await rpc("anvil_mine", hex(9))
    taken = await agrees(market)
    assert taken.entries == before + 4
    claimable = Account(Kind.CLAIMABLE, economy.run_id, 1)
    assert await market.database.read(books.balance_wei, claimable) == 0

    await economy.seal(0.5, {0: 5000, 1: 5000})
    again = await agrees(market)
    assert again.entries == before + 5
    assert len(await market.database.read(books.standing_entries)) == before + 1


async def test_the_blocks_of_a_branch_that_comes_back_are_entered_again(
    market: Market, embedded: EmbeddedChain
) -> None:
    economy = await paid_run(market, embedded.deployer)
    rpc = market.contracts.chain.request
    before = await agrees(market)
    depth = 2
    await rpc("anvil_reorg", depth, [])  # the last blocks again, with the same transactions gone
    after = await agrees(market)
    assert after.block_hash != before.block_hash
    assert after.entries > before.entries

    def turns(session: Session) -> int:
        return session.scalar(sa.select(sa.func.max(LedgerEntry.turn))) or 0

    # The very same events, as if the chain had changed its mind twice.
    rows = await market.database.read(books.standing_entries)
    await market.database.write(books.take_back, rows[0].chain_id, rows[0].block - 1)
    await market.database.write(lambda session: session.execute(sa.delete(Event)))
    await market.database.write(lambda session: session.execute(sa.text("DELETE FROM cursors")))
    await agrees(market)
    assert await market.database.read(turns) == 1
    assert economy.run


async def test_an_altered_balance_is_found(market: Market, embedded: EmbeddedChain) -> None:
    await paid_run(market, embedded.deployer)
    await agrees(market)

    def alter(session: Session, wei: int) -> None:
        account = session.scalars(
            sa.select(LedgerBalance)
            .where(LedgerBalance.account.like("claimable:%"))
            .order_by(LedgerBalance.account)
        ).first()
        assert account is not None
        account.balance_wei += wei

    await market.database.write(alter, 1)
    report = await reconciliation.compare(market.database, market.contracts)
    await market.database.write(alter, -1)
    assert not report.agrees
    assert "1 wei more in the book" in str(report.differences[0])
    assert len(report.miscounted) == 1
