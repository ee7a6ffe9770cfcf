"""The books: balanced by the database itself, and at every block what the chain says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from marketplace.app import Market
from marketplace.chain import books
from marketplace.money import reconciliation
from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.storage.ledger import LedgerEntry, LedgerPosting
from marketplace.storage.models import Credit, Event
from metering.ledger import Account, Kind
from tests.marketplace.economy import LOCAL, TOKEN_WEI, Economy, founded, opened, opinion
from tests.marketplace.postgres import server

HUGE_WEI = 2**250


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedChain]:
    async with EmbeddedChain() as running:
        await running.start(tmp_path / "chain")
        await founded(running, tmp_path / "market")
        yield running


@pytest.fixture
async def market(embedded: EmbeddedChain, tmp_path: Path) -> AsyncIterator[Market]:
    async with opened(embedded, tmp_path / "market") as started:
        yield started


async def agrees(market: Market) -> reconciliation.Report:
    """Reads what is new, and compares all of the books with the chain."""
    await market.indexer.catch_up()
    report = await reconciliation.compare(market.database, market.contracts)
    assert report.differences == ()
    assert report.agrees
    return report


async def paid_run(market: Market, treasury: object) -> Economy:
    """A run of three with two rounds paid and a claim."""
    economy = await Economy.of(market.contracts, treasury)  # type: ignore[arg-type] # a signer
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
    assert (await agrees(market)).accounts == 6
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
    await economy.seal_local(dict.fromkeys(everyone, (0.6, 0.5)), rows)
    await agrees(market)
    await economy.seal_local(dict.fromkeys(everyone, (0.5, 0.45)), rows)
    await market.contracts.training.settle(economy.run, signer=embedded.deployer)
    await agrees(market)

    def credits(session: Session) -> list[tuple[int, int, int]]:
        query = sa.select(Credit.round, Credit.party, Credit.amount_wei)
        return [tuple(row) for row in session.execute(query.order_by(Credit.round, Credit.party))]

    found = await market.database.read(credits)
    assert {number for number, _, _ in found} == {1, 2, 3}
    for party in everyone:
        account = await market.contracts.rewards.account(economy.run, party)
        assert account.accrued == sum(wei for _, who, wei in found if who == party)


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

    def alter(session: Session) -> None:
        account = session.scalars(
            sa.select(books.LedgerBalance).where(books.LedgerBalance.account.like("claimable:%"))
        ).first()
        assert account is not None
        account.balance_wei += 1

    await market.database.write(alter)
    report = await reconciliation.compare(market.database, market.contracts)
    assert not report.agrees
    assert "1 wei more in the book" in str(report.differences[0])
    assert len(report.miscounted) == 1


# The database itself, whoever writes to it.


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'market.sqlite3'}"
    else:
        url = request.getfixturevalue("postgresql")
    made = Database(url)
    migrate.upgrade(made.engine)
    yield made
    migrate.downgrade(made.engine, "base")
    made.close()


def write(session: Session, number: int, postings: dict[str, int], *, close: bool = True) -> None:
    """Postings and their entry, by plain SQL."""
    table = LedgerPosting.__table__
    rows = [
        {"entry": number, "account": account, "amount_wei": wei}
        for account, wei in postings.items()
    ]
    session.execute(sa.insert(table), rows)
    if not close:
        return
    text = "INSERT INTO ledger_entries VALUES (:n, 1, 1, 'h', :n, 't', 0, :no, 'what')"
    session.execute(sa.text(text), {"n": number, "no": False})


def test_a_balanced_entry_of_any_size_is_taken(database: Database) -> None:
    database.write_now(write, 1, {"a": HUGE_WEI, "b": -HUGE_WEI + 1, "c": -1})
    database.write_now(write, 2, {"a": 10**13, "b": -(10**13)})
    assert database.read_now(lambda session: session.get_one(LedgerEntry, 2).what) == "what"


@pytest.mark.parametrize(
    "postings",
    [
        {"a": 1, "b": -2},
        {"a": HUGE_WEI, "b": -HUGE_WEI + 10**26},
        {"a": 10**13, "b": -(10**13) + 1},
        {"a": 5},
        {"a": 0, "b": 0},
    ],
    ids=["by one", "in the middle digits", "by a carry", "one-sided", "of nothing"],
)
def test_an_unbalanced_entry_is_refused_by_the_database(
    database: Database, postings: dict[str, int]
) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(write, 1, postings)
    assert database.read_now(lambda session: session.get(LedgerEntry, 1)) is None


def test_postings_without_an_entry_do_not_last(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        database.write_now(write, 1, {"a": 1, "b": -1}, close=False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_postings SET account = 'x'",
        "DELETE FROM ledger_postings",
        "UPDATE ledger_entries SET what = 'x'",
        "DELETE FROM ledger_entries",
    ],
)
def test_what_is_written_stays(database: Database, statement: str) -> None:
    database.write_now(write, 1, {"a": 1, "b": -1})
    with pytest.raises(sa.exc.DatabaseError, match="what is written stays"):
        database.write_now(lambda session: session.execute(sa.text(statement)))
    with pytest.raises(sa.exc.DatabaseError, match="is complete"):
        database.write_now(write, 1, {"c": 1, "d": -1}, close=False)
