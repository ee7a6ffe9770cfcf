"""A lost database comes back from the chain: the same read models, to the byte."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from contracts.keys import new_key
from marketplace.access import Caller
from marketplace.agreements.drafts import Draft
from marketplace.app import Market
from marketplace.chain import rebuild
from marketplace.money import reconciliation
from marketplace.money.periods import parse_span
from marketplace.storage.models import Agreement, Event, Round
from tests.marketplace.economy import ADMIN, LOCAL, TOKEN_WEI, Economy, opened, opinion
from tests.marketplace.postgres import server
from tests.marketplace.processes import run
from tests.marketplace.world import draft

NAMES = ("hospital-a", "hospital-b", "clinic-c", "clinic-d")


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def economy(embedded: EmbeddedChain, founding: Path) -> Economy:
    async with opened(embedded, founding) as market:
        return await eventful(market, embedded)


@pytest.fixture
def empty(embedded: EmbeddedChain, founding: Path, tmp_path: Path) -> Path:
    """The same marketplace's folder after its database was lost."""
    folder = tmp_path / "market"
    shutil.copytree(founding, folder, ignore=shutil.ignore_patterns("*.sqlite3*"))
    return folder


def lines(session: Session) -> list[bytes]:
    return list(rebuild.dump(session))


async def eventful(market: Market, embedded: EmbeddedChain) -> Economy:
    """Runs of both kinds of metering, money in and out, and a reorganization in between."""
    contracts, treasury = market.contracts, embedded.deployer
    rpc = contracts.chain.request
    local = await Economy.of(contracts, treasury, *NAMES, metering=LOCAL, validation_root=bytes(32))
    await local.start("rows")
    rows = {party: opinion(party, 4) for party in range(4)}
    await local.seal_local(dict.fromkeys(range(4), (0, 0.7)))
    await local.seal_local(dict.fromkeys(range(4), (0.7, 0.6)), rows)
    await local.seal_local(dict.fromkeys(range(3), (0.6, 0.5)), rows)
    bylaws = m.Bylaws(penalty_recipient=ADMIN.address)
    common = await Economy.of(contracts, treasury, bylaws=bylaws, license_price=TOKEN_WEI)
    await common.give(contracts.stakes.address, TOKEN_WEI)
    await contracts.stakes.deposit(common.alliance.id, 0, TOKEN_WEI, signer=treasury)
    await common.start()
    await common.seal(0.7)
    await common.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    await market.indexer.catch_up()
    snapshot = await rpc("evm_snapshot")
    await common.claim(1)
    await market.indexer.catch_up()
    await rpc("evm_revert", snapshot)
    await rpc("anvil_mine", "0x3")
    await market.indexer.catch_up()
    await common.claim(0)
    await market.indexer.catch_up()
    return common


async def test_a_rebuilt_database_is_the_same_to_the_byte(
    embedded: EmbeddedChain, economy: Economy, founding: Path, empty: Path
) -> None:
    async with opened(embedded, founding) as market:
        before = await market.database.read(lines)
    tables = {json.loads(line)[0] for line in before}
    assert tables == {
        *("cursor", "block", "event", "rounds", "round_rows", "credits"),
        *("entry", "balance", "announcement"),
    }
    async with opened(embedded, empty) as market:
        await market.indexer.catch_up()
        assert await market.database.read(lines) == before

        def alter(session: Session) -> None:
            session.scalars(sa.select(Round)).all()[-1].loss_after_e9 += 1

        await market.database.write(alter)
        altered = await market.database.read(lines)
    assert "only the database has" in rebuild.first_difference(altered, before)
    assert rebuild.first_difference(before, before) == ""


async def test_two_marketplaces_on_one_postgresql_rebuild_it_together(
    embedded: EmbeddedChain, economy: Economy, founding: Path, empty: Path
) -> None:
    async with opened(embedded, founding) as market:
        before = await market.database.read(lines)
    with server() as url:
        async with opened(embedded, empty, url) as one, opened(embedded, empty, url) as two:
            await asyncio.gather(one.indexer.catch_up(), two.indexer.catch_up())
            await one.indexer.catch_up()
            after = await two.database.read(lines)
            report = await reconciliation.compare(one.database, one.contracts)
    assert after == before
    assert report.agrees


async def test_agreements_come_back_and_their_texts_from_those_who_have_them(
    embedded: EmbeddedChain, empty: Path
) -> None:
    async with opened(embedded, empty) as market:
        wallets = {name: new_key() for name in NAMES[:3]}
        fields = Draft(**draft(wallets, ADMIN.address))
        caller = Caller(ADMIN.address, is_admin=True)
        drafted = await market.database.write(
            market.agreements.draft, caller, fields, market.clock()
        )
        message = m.from_json(m.Agreement, drafted["agreement"])
        domain = market.contracts.consortium.domain
        # Brought there by each party for itself, not by the marketplace.
        for party, signer in enumerate(wallets.values()):
            await market.contracts.consortium.sign(
                message, party, m.sign(domain, message, signer), signer=embedded.deployer
            )
        await market.indexer.catch_up()
        text = drafted["document"]

        def lose(session: Session) -> None:
            session.execute(sa.text("DELETE FROM admitted_agreements"))
            session.execute(sa.text("DELETE FROM parties"))
            session.execute(sa.text("DELETE FROM agreements"))

        await market.database.write(lose)
        restored = await market.database.write(rebuild.restore_agreements, [text, "another"])
        assert restored.with_text == (drafted["id"],)
        assert len(restored.without_text) == 2

        def look(session: Session) -> tuple[str, str, list[str]]:
            row = session.get_one(Agreement, drafted["id"])
            return row.title, row.document, [each.wallet for each in row.parties]

        title, document, parties = await market.database.read(look)
        assert (title, document) == (text.lstrip("# ").partition("\n")[0], text)
        assert parties == [each.address for each in wallets.values()]
        again = await market.database.write(rebuild.restore_agreements)
        assert (again.with_text, again.without_text) == ((), ())


async def test_an_operator_rebuilds_checks_and_reconciles_and_an_owner_verifies(
    embedded: EmbeddedChain, economy: Economy, founding: Path, empty: Path
) -> None:
    folder = empty
    async with opened(embedded, founding) as market:
        await market.indexer.catch_up()
        issued = await market.statements.issue(
            Caller(economy.alliance.wallets[0].address), "hospital-a", parse_span("all")
        )
    where = ("--folder", str(folder), "--rpc-url", embedded.rpc_url)

    def act() -> None:
        rebuilt = json.loads(run("rebuild", *where, "--json").stdout)
        assert (rebuilt["agrees"], len(rebuilt["agreements"])) == (True, 3)
        checked = run("rebuild", "--check", *where).stdout
        assert rebuilt["digest"] in checked
        assert "the books equal the chain" in run("reconcile", *where).stdout

        file = folder / "statement.json"
        file.write_bytes(issued.envelope.to_bytes())
        proof = ("verify-statement", str(file), "--rpc", embedded.rpc_url)
        assert "holds: all as on chain" in run(*proof).stdout
        told = json.loads(run(*proof, "--json").stdout)
        assert (told["holds"], told["rounds"]) == (True, 1)
        wrong = run(*proof, "--issuer", "ab" * 32, expected=13)
        assert "not that of the issuer" in wrong.stderr
        file.write_bytes(file.read_bytes().replace(b'"amount_wei":"', b'"amount_wei":"1', 1))
        forged = run(*proof, expected=13)
        assert "line 1" in forged.stderr
        assert "amount_wei" in forged.stderr
        assert "NOT VALID" in forged.stdout

    await asyncio.to_thread(act)

    async with opened(embedded, folder) as market:
        await market.database.write(
            lambda session: session.execute(sa.update(Event).values(kind="Nothing"))
        )
    await asyncio.to_thread(run, "rebuild", "--check", *where, expected=13)
