"""Statements: one line per round, the same for everybody who computes it, and nothing slips by."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
import pytest_asyncio

from contracts import messages as m
from contracts.embedded import EmbeddedChain
from contracts.keys import new_key
from marketplace import errors
from marketplace.access import Caller
from marketplace.app import Market
from marketplace.money.envelope import Envelope
from marketplace.money.paper import to_pdf
from marketplace.money.statements import reference_of
from metering.statement import Statement, to_csv
from tests.marketplace.economy import ADMIN, LOCAL, TOKEN_WEI, Economy, opinion
from tests.marketplace.statements import ALWAYS, checked, issued, reported, signed_again

# One chain for all: each test reads it, or has organizations of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def earned(market: Market, embedded: EmbeddedChain) -> Economy:
    """Three rounds, a claim, a license, royalties: all that a statement can tell."""
    contracts, treasury = market.contracts, embedded.deployer
    economy = await Economy.of(contracts, treasury, license_price=7 * TOKEN_WEI)
    await economy.start()
    await economy.seal(0.7)
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    await economy.claim(1)
    await economy.seal(0.45)  # a void row: nobody is paid
    await economy.seal(0.3, {0: 1, 1: 3333, 2: 6666})
    await economy.give(contracts.royalties.address, 7 * TOKEN_WEI)
    await contracts.royalties.buy(economy.run, treasury.address, 7 * TOKEN_WEI, signer=treasury)
    wallet = economy.alliance.wallets[1]
    claim = m.Claim((economy.run,), 1, wallet.address, 0, 2**40)
    signature = m.sign(contracts.royalties.domain, claim, wallet)
    await contracts.royalties.claim(claim, signature, signer=treasury)
    await market.indexer.catch_up()
    return economy


async def test_a_statement_has_a_line_for_each_round_and_adds_up_to_what_the_chain_says(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    statement = (await issued(market)).envelope.statement
    assert [line.round for line in statement.lines] == [1, 2, 3]
    first, void, _ = statement.lines
    assert (first.metered_bips, first.equal_bips, first.size_bips) == (4111, 3333, None)
    assert (void.amount_wei, void.vested_wei) == (0, 0)
    account = await market.contracts.rewards.account(earned.run, 1)
    assert statement.totals.credited_wei == account.accrued > 0
    entitled, claimed = await market.contracts.royalties.account(earned.run, 1)
    assert statement.totals.claimed_wei == account.claimed + claimed
    assert statement.closing_wei == account.accrued + entitled - statement.totals.claimed_wei


async def test_anybody_recomputes_a_statement_from_the_chain_alone(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    for organization in ("hospital-a", "hospital-b", "clinic-c"):
        verdict = await checked(embedded, (await issued(market, organization)).envelope)
        assert verdict.differences == ()
        assert verdict.holds


async def test_rounds_of_local_metering_are_recomputed_from_the_rows(
    market: Market, embedded: EmbeddedChain
) -> None:
    names = ("hospital-a", "hospital-b", "clinic-c", "clinic-d")
    economy = await Economy.of(
        market.contracts, embedded.deployer, *names, metering=LOCAL, validation_root=bytes(32)
    )
    await economy.start()
    everyone = range(4)
    rows = {party: opinion(party, 4) for party in everyone}
    rows[0] = m.pack_shares(((0, 0), (1, 5000), (2, 2000), (3, 1000)))
    await economy.seal_local(dict.fromkeys(everyone, (0, 0.7)))
    await economy.seal_local(dict.fromkeys(everyone, (0.7, 0.6)), rows)
    await economy.seal_local(dict.fromkeys((0, 1, 2), (0.6, 0.5)), rows)
    await market.indexer.catch_up()
    own = Caller(economy.alliance.wallets[1].address)
    envelope = (await market.statements.issue(own, "hospital-b", ALWAYS)).envelope
    # Round 2 is sealed and not settled yet: what it comes to is open.
    assert [line.metered_bips is None for line in envelope.statement.lines] == [False, True]
    assert envelope.statement.lines[0].amount_wei > 0
    assert (await checked(embedded, envelope)).holds


async def test_one_altered_wei_is_caught_also_when_it_is_signed_again(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    genuine = (await issued(market)).envelope

    def altered(statement: Statement) -> Statement:
        """One wei more in the second paid line, and all sums made to fit."""
        lines = list(statement.lines)
        lines[2] = replace(lines[2], amount_wei=lines[2].amount_wei + 1)
        sums = replace(statement.totals, credited_wei=statement.totals.credited_wei + 1)
        return replace(
            statement, lines=tuple(lines), totals=sums, closing_wei=statement.closing_wei + 1
        )

    forged = replace(genuine, statement=altered(genuine.statement))
    verdict = await checked(embedded, forged)
    assert not verdict.signed
    again = market.statements.signer.sign(forged.statement, forged.wallet, forged.royalties)
    verdict = await checked(embedded, again)
    assert verdict.signed
    assert not verdict.holds
    first = verdict.differences[0]
    assert (first.where.startswith("line 3 (round 3"), first.field) == (True, "amount_wei")
    assert int(first.stated) == int(first.recomputed) + 1


@pytest.mark.parametrize("field", ["organization", "wallet", "royalties"])
async def test_a_statement_of_nobody_or_of_other_contracts_is_refused(
    market: Market, embedded: EmbeddedChain, earned: Economy, field: str
) -> None:
    genuine = (await issued(market)).envelope
    statement = genuine.statement
    forged = {
        "organization": replace(genuine, statement=replace(statement, organization="clinic-x")),
        "wallet": replace(genuine, wallet=new_key().address),
        "royalties": replace(genuine, royalties=statement.contract),
    }[field]
    with pytest.raises(errors.InvalidInput):
        await checked(embedded, signed_again(forged))


@pytest.mark.parametrize("field", ["last_block", "ends_s", "first_block"])
async def test_a_period_that_leaves_something_out_is_caught(
    market: Market, embedded: EmbeddedChain, earned: Economy, field: str
) -> None:
    genuine = (await issued(market)).envelope
    period = genuine.statement.period
    await market.contracts.chain.request("anvil_mine", "0x2", "0x3c")
    changes = {
        "last_block": {"last_block": period.last_block - 1},
        "ends_s": {"ends_s": period.ends_s + 86_400},
        "first_block": {"first_block": 3},
    }[field]
    statement = replace(genuine.statement, period=replace(period, **changes))
    assert not (await checked(embedded, signed_again(replace(genuine, statement=statement)))).holds


async def test_the_same_statement_is_the_same_bytes_in_every_form(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    first, second = await issued(market), await issued(market)
    assert first.envelope.to_bytes() == second.envelope.to_bytes()
    papers = [to_pdf(each.envelope, each.run_names) for each in (first, second)]
    assert papers[0] == papers[1]
    assert papers[0].startswith(b"%PDF-")
    assert Envelope.parse(first.envelope.to_bytes()) == first.envelope
    table = list(csv.DictReader(io.StringIO(to_csv(first.envelope.statement))))
    rounds = [row for row in table if row["what"] == "round"]
    credited = first.envelope.statement.totals.credited_wei
    assert sum(int(row["amount_wei"]) for row in rounds) == credited


async def test_statements_of_following_periods_continue_each_other(
    market: Market, embedded: EmbeddedChain
) -> None:
    rpc = market.contracts.chain.request
    economy = await Economy.of(market.contracts, embedded.deployer)
    await economy.start()
    await economy.seal(0.7)
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    latest = await market.contracts.chain.block()
    assert latest is not None
    midnight_s = (latest.timestamp // 86_400 + 1) * 86_400
    await rpc("evm_setNextBlockTimestamp", hex(midnight_s))
    await economy.seal(0.3, {0: 1, 1: 3333, 2: 6666})
    await market.indexer.catch_up()
    caller = Caller(economy.alliance.wallets[0].address)
    before = await market.statements.issue(caller, "hospital-a", replace(ALWAYS, ends_s=midnight_s))
    after = await market.statements.issue(
        caller, "hospital-a", replace(ALWAYS, begins_s=midnight_s)
    )
    one, two = before.envelope.statement, after.envelope.statement
    assert [line.round for line in one.lines] == [1]
    assert [line.round for line in two.lines] == [2]
    assert two.opening_wei == one.closing_wei > 0
    for each in (before, after):
        assert (await checked(embedded, each.envelope)).holds


async def test_a_period_that_is_over_is_drawn_up_once_unless_its_blocks_vanish(
    market: Market, embedded: EmbeddedChain
) -> None:
    rpc = market.contracts.chain.request
    economy = await Economy.of(market.contracts, embedded.deployer)
    await economy.start()
    await economy.seal(0.7)
    snapshot = await rpc("evm_snapshot")
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2555})
    latest = await market.contracts.chain.block()
    assert latest is not None
    span = replace(ALWAYS, ends_s=latest.timestamp + 60)
    await rpc("evm_increaseTime", hex(120))
    await rpc("evm_mine")
    await market.indexer.catch_up()
    caller = Caller(economy.alliance.wallets[1].address)
    first = (await market.statements.issue(caller, "hospital-b", span)).envelope
    assert [line.size_bips for line in first.statement.lines] == [None]
    # What nodes report later changes no file that was handed out; nor does who asks.
    market.database.write_now(reported, economy)
    admin = Caller(ADMIN.address, is_admin=True)
    again = (await market.statements.issue(caller, "hospital-b", span)).envelope
    assert again.to_bytes() == first.to_bytes()
    later = (await market.statements.issue(caller, "hospital-b", ALWAYS)).envelope
    assert [line.size_bips for line in later.statement.lines] == [3333]
    await rpc("evm_revert", snapshot)
    await economy.seal(0.4, {0: 5000, 1: 2500, 2: 2500})
    await rpc("evm_increaseTime", hex(180))
    await rpc("evm_mine")
    await rpc("evm_mine")
    await market.indexer.catch_up()
    anew = (await market.statements.issue(caller, "hospital-b", span)).envelope
    assert [line.metered_bips for line in anew.statement.lines] == [2500]
    assert (await checked(embedded, anew)).holds
    with pytest.raises(errors.NotFound):  # kept or not: for the organization and its auditors
        await market.statements.issue(Caller(new_key().address), "hospital-b", span)
    assert (await market.statements.issue(admin, "hospital-b", ALWAYS)).envelope.is_signed


async def test_each_line_has_the_model_the_shares_what_vested_the_amount_and_the_transaction(
    market: Market, embedded: EmbeddedChain
) -> None:
    economy = await Economy.of(market.contracts, embedded.deployer)
    await economy.start()
    await economy.seal(0.7)
    await economy.seal(0.4, {0: 3333, 1: 4111, 2: 2556})
    await market.indexer.catch_up()
    market.database.write_now(reported, economy)
    caller = Caller(economy.alliance.wallets[1].address)
    data = (await market.statements.issue(caller, "hospital-b", ALWAYS)).envelope.to_bytes()
    [line] = json.loads(data)["statement"]["lines"]
    rewards, training = market.contracts.rewards, market.contracts.training
    pool, account = await rewards.pool(economy.run), await rewards.account(economy.run, 1)
    run = await training.run(economy.run)
    receipt = await market.contracts.chain.request("eth_getTransactionReceipt", line["transaction"])
    assert line == {
        "run": economy.run_id,
        "party": 1,
        "round": 1,
        "model": "0x" + run.merged_root.hex(),
        "metered_bips": 4111,
        "equal_bips": 3333,
        "size_bips": 3333,
        "vested_wei": line["vested_wei"],
        "amount_wei": str(account.accrued),
        "transaction": receipt["transactionHash"],
        "block": int(receipt["blockNumber"], 16),
    }
    assert rewards.address.lower() in {log["address"].lower() for log in receipt["logs"]}
    vested_wei = int(line["vested_wei"])
    assert 0 <= vested_wei - pool.credited < 3  # what rounding left, to three parties
    assert account.accrued == vested_wei * 4111 // 10_000


async def test_statements_are_for_the_organization_itself(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    rival = Caller(earned.alliance.wallets[0].address)
    with pytest.raises(errors.NotFound):
        await market.statements.issue(rival, "hospital-b", ALWAYS)
    own = Caller(earned.alliance.wallets[1].address)
    assert (await market.statements.issue(own, "hospital-b", ALWAYS)).envelope.is_signed


async def test_an_agreement_of_the_same_name_and_another_wallet_is_another_organization(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    other = await Economy.of(market.contracts, embedded.deployer)  # the same names, other wallets
    await other.start("another")
    await other.seal(0.7)
    await other.seal(0.4, {0: 5000, 1: 5000})
    await market.indexer.catch_up()
    first = await issued(market)
    assert other.run_id not in {line.run for line in first.envelope.statement.lines}
    theirs = await market.statements.issue(
        Caller(other.alliance.wallets[1].address), "hospital-b", ALWAYS
    )
    assert {line.run for line in theirs.envelope.statement.lines} == {other.run_id}
    for each in (first, theirs):
        assert (await checked(embedded, each.envelope)).holds


async def test_a_file_that_an_editor_touched_is_refused(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    data = (await issued(market)).envelope.to_bytes()
    with pytest.raises(errors.InvalidInput, match="form in which it was issued"):
        Envelope.parse(json.dumps(json.loads(data), indent=2).encode())


async def test_who_joins_by_an_amendment_or_moves_to_another_wallet_stays_the_same_organization(
    market: Market, embedded: EmbeddedChain
) -> None:
    contracts, treasury = market.contracts, embedded.deployer
    economy = await Economy.of(contracts, treasury, max_rounds=9)
    alliance, newcomer, moved = economy.alliance, new_key(), new_key()
    amended = replace(
        alliance.agreement,
        previous=alliance.id,
        version=2,
        parties=(*alliance.agreement.parties, m.Party("clinic-d", newcomer.address, 1)),
    )
    domain = contracts.consortium.domain
    signatures = [m.sign(domain, amended, each) for each in (*alliance.wallets, newcomer)]
    await contracts.consortium.activate(amended, signatures, signer=treasury)
    await economy.start()
    await economy.seal(0.7)
    await economy.seal(0.6, {0: 5000, 1: 2500, 2: 2500})
    await economy.claim(0)
    move = m.Move(alliance.id, 0, moved.address, 0, 2**40)
    council = contracts.council
    await council.move_wallet(
        move,
        m.sign(council.domain, move, alliance.wallets[0]),
        m.sign(council.domain, move, moved),
        signer=treasury,
    )
    await economy.seal(0.5, {0: 5000, 1: 2500, 2: 2500})
    await market.indexer.catch_up()
    for wallet, name, rounds in ((moved, "hospital-a", 2), (newcomer, "clinic-d", 2)):
        found = await market.statements.issue(Caller(wallet.address), name, ALWAYS)
        lines = [each for each in found.envelope.statement.lines if each.run == economy.run_id]
        assert len(lines) == rounds
        assert (await checked(embedded, found.envelope)).holds
        newest = replace(found.envelope, wallet=wallet.address)
        assert (await checked(embedded, signed_again(newest))).holds


async def test_a_reference_price_is_shown_labeled_and_left_unchecked(
    market: Market, embedded: EmbeddedChain, earned: Economy
) -> None:
    reference = reference_of("EUR", "0.25", "fixed by the consortium on 2026-07-01")
    priced = replace(market.statements, reference=reference)
    caller = Caller(earned.alliance.wallets[1].address)
    found = await priced.issue(caller, "hospital-b", ALWAYS)
    table = to_csv(found.envelope.statement)
    assert "EUR (reference; not paid by)" in table
    verdict = await checked(embedded, found.envelope)
    assert verdict.holds
    assert "fixed by the consortium" in verdict.unknown[0]
