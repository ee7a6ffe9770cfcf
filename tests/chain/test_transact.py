"""Posting: every transaction counts once, whatever the line, the node or this program do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.chain import Chain
from contracts.deployment import Contracts
from contracts.embedded import EmbeddedChain
from contracts.errors import (
    ChainError,
    ChainRefused,
    ChainUnreachable,
    ContractReverted,
    TransactionTimeout,
)
from contracts.events import Transfer
from contracts.keys import Signer, new_key
from contracts.profiles import ANVIL, PROFILES, profile_for
from tests.chain.conftest import CAP_WEI
from tests.chain.line import Line, line_to

SEND = "eth_sendRawTransaction"


@pytest.fixture
async def line(embedded: EmbeddedChain) -> AsyncIterator[Line]:
    async with line_to(embedded.rpc_url) as opened:
        yield opened


@pytest.fixture
async def far(line: Line, contracts: Contracts) -> AsyncIterator[Contracts]:
    """The same contracts, at the other end of a bad line."""
    async with await Chain.connect(line.url, request_timeout_s=2) as chain:
        yield Contracts.at(chain, contracts.deployment)


async def pooled(chain: Chain, count: int) -> None:
    """Wait until so many transactions are in the node's pool."""
    for _ in range(500):
        if int((await chain.request("txpool_status"))["pending"], 16) == count:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"never {count} transactions in the pool")


async def test_a_receipt_tells_what_happened(contracts: Contracts, treasury: Signer) -> None:
    owner = new_key()
    receipt = await contracts.token.mint(owner.address, 7, signer=treasury)
    (transfer,) = receipt.events
    assert isinstance(transfer, Transfer)
    assert (transfer.to, transfer.value) == (owner.address, 7)
    assert transfer.sender == "0x" + "00" * 20
    assert transfer.contract == contracts.token.address
    assert (transfer.block, transfer.transaction) == (receipt.block, receipt.transaction)
    assert receipt.gas_used > 21_000


async def test_keys_without_funds_can_post(contracts: Contracts, treasury: Signer) -> None:
    owner, other = new_key(), new_key()
    await contracts.token.mint(owner.address, 7, signer=treasury)
    await contracts.token.transfer(other.address, 3, signer=owner)
    assert await contracts.chain.balance_wei(owner.address) == 0
    assert await contracts.token.balance_of(other.address) == 3


async def test_two_signers_post_at_once_and_in_bulk(contracts: Contracts, treasury: Signer) -> None:
    owner, sink = new_key(), new_key()
    await contracts.token.mint(owner.address, 100, signer=treasury)
    receipts = await asyncio.gather(
        *(contracts.token.mint(sink.address, 1000, signer=treasury) for _ in range(20)),
        *(contracts.token.transfer(sink.address, 1, signer=owner) for _ in range(20)),
    )
    assert len({receipt.transaction for receipt in receipts}) == 40
    assert await contracts.token.balance_of(sink.address) == 20 * 1000 + 20


async def test_two_programs_with_one_key_do_not_lose_a_transaction(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer
) -> None:
    sink = new_key().address
    async with (
        await Chain.connect(embedded.rpc_url) as first,
        await Chain.connect(embedded.rpc_url) as second,
    ):
        tokens = [Contracts.at(each, contracts.deployment).token for each in (first, second)]
        for step in range(5):  # in each step both take the same nonce for free
            await asyncio.gather(
                *(
                    token.mint(sink, 10 ** (2 * step + which), signer=treasury)
                    for which, token in enumerate(tokens)
                )
            )
    assert await contracts.token.balance_of(sink) == 1_111_111_111


async def test_a_refused_call_is_a_typed_error_and_costs_no_nonce(
    contracts: Contracts, treasury: Signer
) -> None:
    stranger, sink = new_key(), new_key().address
    with pytest.raises(ContractReverted) as only:
        await contracts.token.mint(sink, 1, signer=stranger)
    assert only.value.name == "AccessManagedUnauthorized"
    assert only.value.values == {"caller": stranger.address}
    with pytest.raises(ContractReverted) as cap:
        await contracts.token.mint(sink, CAP_WEI + 1, signer=treasury)
    assert cap.value.name == "ERC20ExceededCap"
    assert cap.value.values == {"increased_supply": CAP_WEI + 1, "cap": CAP_WEI}
    assert str(CAP_WEI + 1) in str(cap.value)
    assert cap.value.hint == "mint less"
    await contracts.token.mint(sink, 1, signer=treasury)


async def test_a_call_that_is_refused_only_in_its_block_is_the_same_error(
    line: Line, far: Contracts, treasury: Signer
) -> None:
    """As when somebody else's seal of the round came in between."""
    line.answers["eth_estimateGas"] = b'{"jsonrpc":"2.0","id":1,"result":"0x30d40"}'
    with pytest.raises(ContractReverted) as refused:
        await far.token.mint(new_key().address, CAP_WEI + 1, signer=treasury)
    assert refused.value.name == "ERC20ExceededCap"
    assert refused.value.values == {"increased_supply": CAP_WEI + 1, "cap": CAP_WEI}
    await far.token.mint(new_key().address, 1, signer=treasury)


async def test_a_lost_answer_does_not_post_twice(
    line: Line, far: Contracts, treasury: Signer
) -> None:
    sink = new_key().address
    line.lose_answers = [SEND, SEND]
    await far.token.mint(sink, 5, signer=treasury)
    assert await far.token.balance_of(sink) == 5
    await far.token.mint(sink, 5, signer=treasury)
    assert await far.token.balance_of(sink) == 10


async def test_a_lost_request_is_sent_again(line: Line, far: Contracts, treasury: Signer) -> None:
    sink = new_key().address
    line.lose_requests = [SEND, SEND]
    await far.token.mint(sink, 5, signer=treasury)
    assert await far.token.balance_of(sink) == 5


@pytest.mark.parametrize("answer", ["already known", "known transaction: 0xab", "nonce too low"])
async def test_a_node_that_knows_the_transaction_is_asked_for_its_receipt(
    line: Line, far: Contracts, treasury: Signer, answer: str
) -> None:
    """As after a resend through another node: the first one's message is in the pool already."""
    sink = new_key().address
    sending = asyncio.create_task(far.token.mint(sink, 5, signer=treasury))
    line.lose_answers = [SEND]
    await line.seen[SEND].wait()
    line.answers[SEND] = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"%s"}}' % (
        answer.encode()
    )
    receipt = await sending
    assert receipt.gas_used > 0
    assert await far.token.balance_of(sink) == 5


async def test_another_refusal_of_the_node_is_told(
    line: Line, far: Contracts, treasury: Signer
) -> None:
    line.answers[SEND] = (
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,'
        b'"message":"insufficient funds for gas * price + value"}}'
    )
    with pytest.raises(ChainRefused, match="insufficient funds") as refused:
        await far.token.mint(treasury.address, 5, signer=treasury)
    assert refused.value.code == -32000
    assert "gas" in refused.value.hint
    line.answers.clear()
    await far.token.mint(treasury.address, 5, signer=treasury)


async def test_a_transaction_that_is_not_mined_times_out_and_leaves_no_gap(
    line: Line, far: Contracts, treasury: Signer
) -> None:
    sink = new_key().address
    line.answers["eth_getTransactionReceipt"] = b'{"jsonrpc":"2.0","id":1,"result":null}'
    with pytest.raises(TransactionTimeout, match=r"SwarmToken.mint .* not mined within 0.2 s") as e:
        await far.chain.transact(far.token.call("mint", sink, 5), treasury, timeout_s=0.2)
    assert len(e.value.transaction) == 66
    line.answers.clear()
    await far.token.mint(sink, 5, signer=treasury)
    assert await far.token.balance_of(sink) == 10


async def test_a_restarted_program_goes_on_behind_what_is_under_way(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer
) -> None:
    sink = new_key().address
    await contracts.chain.request("evm_setAutomine", False)
    under_way = [
        asyncio.create_task(contracts.token.mint(sink, amount, signer=treasury))
        for amount in (1, 10)
    ]
    await pooled(contracts.chain, 2)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)

    async with await Chain.connect(embedded.rpc_url) as restarted:
        token = Contracts.at(restarted, contracts.deployment).token
        minting = asyncio.create_task(token.mint(sink, 100, signer=treasury))
        await pooled(restarted, 3)
        await restarted.request("evm_mine")
        await minting
        assert await token.balance_of(sink) == 111


async def test_a_chain_that_restarts_in_the_middle_gets_the_transaction_again(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, tmp_path: Path
) -> None:
    """Also: posting to a chain that makes a block a second."""
    sink = new_key().address
    await contracts.chain.request("evm_setAutomine", False)
    minting = asyncio.create_task(contracts.token.mint(sink, 5, signer=treasury))
    await pooled(contracts.chain, 1)
    await embedded.stop()  # what waits in its pool is not part of its state
    port = int(embedded.rpc_url.rsplit(":", 1)[1])
    await embedded.start(tmp_path / "chain", port, block_time_s=1)
    await minting
    assert await contracts.token.balance_of(sink) == 5
    height = await contracts.chain.block_number()
    await asyncio.gather(*(contracts.token.mint(sink, 5, signer=treasury) for _ in range(10)))
    assert await contracts.token.balance_of(sink) == 55
    assert await contracts.chain.block_number() <= height + 3


async def test_a_chain_that_is_not_there_is_named(embedded: EmbeddedChain, chain: Chain) -> None:
    await embedded.stop()
    with pytest.raises(ChainUnreachable) as refused:
        await chain.block_number()
    assert embedded.rpc_url in str(refused.value)
    assert embedded.rpc_url in refused.value.hint
    with pytest.raises(ChainUnreachable):
        await Chain.connect(embedded.rpc_url)


async def test_a_chain_that_does_not_answer_is_not_waited_for() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ChainUnreachable, match=r"web3_clientVersion within 0.1 s .*:\d+"):
            await Chain.connect(f"http://127.0.0.1:{port}", request_timeout_s=0.1)


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'"ok"', b"{}", b'{"jsonrpc":"2.0","id":1}', b"\xff", b""]
)
async def test_what_is_no_json_rpc_is_not_taken_for_an_answer(
    line: Line, far: Contracts, answer: bytes
) -> None:
    line.answers["eth_blockNumber"] = answer
    with pytest.raises(ChainUnreachable, match="eth_blockNumber"):
        await far.chain.block_number()


@pytest.mark.parametrize("url", ["ftp://chain.example", "chain.example:8545", "http://", ""])
async def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ChainUnreachable, match="not the address"):
        await Chain.connect(url)


async def test_secrets_in_an_address_are_not_shown() -> None:
    with pytest.raises(ChainUnreachable) as refused:
        await Chain.connect("http://user:hunter2@127.0.0.1:1/v3/my-api-key")
    shown = f"{refused.value} {refused.value.hint}"
    assert "http://127.0.0.1:1" in shown
    assert "hunter2" not in shown
    assert "my-api-key" not in shown


async def test_the_client_tells_its_profile(chain: Chain) -> None:
    assert chain.profile is ANVIL
    assert chain.chain_id == 31337
    assert profile_for("auto", "besu/v25.1.0/linux-x86_64") is PROFILES["qbft"]
    assert profile_for("auto", "Klaytn/v1.0.3/linux-amd64") is PROFILES["istanbul"]
    assert profile_for("auto", "Geth/v1.16.0") is PROFILES["ethereum"]
    with pytest.raises(ChainError, match="no chain profile 'clique'") as unknown:
        profile_for("clique", "")
    assert "qbft" in unknown.value.hint


@pytest.mark.parametrize("name", PROFILES)
async def test_every_profile_posts_and_reads(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, name: str
) -> None:
    sink = new_key().address
    async with await Chain.connect(embedded.rpc_url, name) as chain:
        token = Contracts.at(chain, contracts.deployment).token
        receipt = await token.mint(sink, 5, signer=treasury)
        assert await token.balance_of(sink) == 5
        block = await chain.block()
        assert block is not None
        # Where blocks come by the clock, others may have come meanwhile.
        assert block.number >= receipt.block
        assert await chain.block(block.number + 1_000) is None
        depth = PROFILES[name].finality_depth
        final = await chain.final_block_number()
        latest = await chain.block_number()
        assert max(0, block.number - depth) <= final <= max(0, latest - depth)


async def test_where_gas_costs_an_empty_account_is_told_what_it_needs(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer
) -> None:
    poor = new_key()
    await contracts.token.mint(poor.address, 5, signer=treasury)
    async with await Chain.connect(embedded.rpc_url, "ethereum") as chain:
        token = Contracts.at(chain, contracts.deployment).token
        with pytest.raises(ChainRefused) as refused:
            await token.transfer(treasury.address, 5, signer=poor)
        assert "gas" in refused.value.hint
        before_wei = await chain.balance_wei(treasury.address)
        await token.mint(poor.address, 5, signer=treasury)
        assert await chain.balance_wei(treasury.address) < before_wei
