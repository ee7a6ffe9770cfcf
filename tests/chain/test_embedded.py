"""The embedded chain: of this machine only, and there again after whatever ended it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.chain import Chain
from contracts.deployment import Contracts
from contracts.embedded import EmbeddedChain
from contracts.errors import EmbeddedChainError
from contracts.keys import Signer, new_key

OWNER = new_key().address


async def mint(contracts: Contracts, treasury: Signer, amount_wei: int) -> None:
    await contracts.token.mint(OWNER, amount_wei, signer=treasury)


async def test_its_state_outlives_a_kill_of_the_chain(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, tmp_path: Path
) -> None:
    for amount_wei in range(1, 11):
        await mint(contracts, treasury, amount_wei)
    await embedded.save()
    height = await contracts.chain.block_number()
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGKILL)
    await embedded.stop()

    await embedded.start(tmp_path / "chain")
    async with await Chain.connect(embedded.rpc_url) as chain:
        restored = Contracts.at(chain, contracts.deployment)
        assert await chain.block_number() == height
        assert await restored.token.balance_of(OWNER) == 55
        assert embedded.deployer.address == treasury.address
        await mint(restored, embedded.deployer, 45)
        assert await restored.token.balance_of(OWNER) == 100


async def test_it_saves_by_itself(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, tmp_path: Path
) -> None:
    await mint(contracts, treasury, 5)
    height = await contracts.chain.block_number()
    state = tmp_path / "chain" / "state.json"
    for _ in range(500):
        if json.loads(state.read_bytes())["best_block_number"] == height:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the last block was never saved")


async def test_a_stop_loses_nothing(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, tmp_path: Path
) -> None:
    await mint(contracts, treasury, 5)
    await embedded.stop()
    await embedded.start(tmp_path / "chain")
    async with await Chain.connect(embedded.rpc_url) as chain:
        assert await Contracts.at(chain, contracts.deployment).token.balance_of(OWNER) == 5


@pytest.mark.parametrize("torn", [b"", b'{"best_block_number": 99'])
async def test_a_state_that_was_cut_short_is_not_loaded(
    embedded: EmbeddedChain, contracts: Contracts, treasury: Signer, tmp_path: Path, torn: bytes
) -> None:
    """As when the machine went down while anvil wrote on its way out."""
    await mint(contracts, treasury, 5)
    await embedded.save()
    await embedded.stop()
    (tmp_path / "chain" / "exit.json").write_bytes(torn)
    await embedded.start(tmp_path / "chain")
    async with await Chain.connect(embedded.rpc_url) as chain:
        assert await Contracts.at(chain, contracts.deployment).token.balance_of(OWNER) == 5


PARENT = """
import asyncio, sys
from pathlib import Path
from contracts.chain import Chain
from contracts.embedded import EmbeddedChain

async def main():
    embedded = EmbeddedChain()
    url = await embedded.start(Path(sys.argv[1]))
    async with await Chain.connect(url) as chain:
        for _ in range(3):
            await chain.request("evm_mine")
    print(embedded.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_it_dies_with_its_parent_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    parent = subprocess.Popen(  # noqa: ASYNC220 # a program of its own, to be killed
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        if not os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC240 # no disk behind /proc
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("anvil outlived the program that started it")
    embedded = EmbeddedChain()
    async with await Chain.connect(await embedded.start(folder)) as chain, embedded:
        assert await chain.block_number() == 3


async def test_a_folder_has_one_chain(embedded: EmbeddedChain, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedChainError, match="already runs"):
        await EmbeddedChain().start(tmp_path / "chain")
    with pytest.raises(EmbeddedChainError, match="already runs"):
        await embedded.start(tmp_path / "chain")
    assert embedded.pid is not None


async def test_a_port_that_is_taken_is_told(embedded: EmbeddedChain, tmp_path: Path) -> None:
    port = int(embedded.rpc_url.rsplit(":", 1)[1])
    with pytest.raises(EmbeddedChainError, match=f"port {port}: .*in use") as refused:
        await EmbeddedChain().start(tmp_path / "other", port)
    assert "anvil.log" in refused.value.hint


async def test_it_is_for_this_machine_and_this_user(
    embedded: EmbeddedChain, chain: Chain, tmp_path: Path
) -> None:
    folder = tmp_path / "chain"
    assert embedded.rpc_url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "mnemonic").stat().st_mode) == 0o600
    words = (folder / "mnemonic").read_text().split()
    assert len(words) == 12
    assert len(set(words)) > 4
    with open(f"/proc/{embedded.pid}/cmdline") as file:  # noqa: ASYNC230 # no disk behind /proc
        command_line = file.read()
    assert words[0] not in command_line.replace("-", " ").split()
    assert "--host=127.0.0.1" in command_line
    # No account of anvil's own that anybody could post from.
    assert await chain.request("eth_accounts") == []


async def test_gas_stays_free(contracts: Contracts, chain: Chain, treasury: Signer) -> None:
    await asyncio.gather(*(mint(contracts, treasury, 1) for _ in range(30)))
    latest = await chain.request("eth_getBlockByNumber", "latest", False)
    assert int(latest["baseFeePerGas"], 16) == 0
    assert await chain.request("eth_gasPrice") == "0x0"


async def test_the_recent_past_can_be_read(contracts: Contracts, treasury: Signer) -> None:
    await mint(contracts, treasury, 5)
    then = await contracts.chain.block_number()
    await mint(contracts, treasury, 6)
    assert await contracts.token.at_block(then).balance_of(OWNER) == 5
    assert await contracts.token.balance_of(OWNER) == 11
