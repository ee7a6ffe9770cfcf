"""A chain of one's own on this machine: anvil, for trying things out and for single hosts.

Gas is free, so keys without funds can post. The chain is saved, whole or not at all, while it
runs, and by anvil itself when it is stopped or its parent dies; it goes on from there at the next
start. Only a kill -9 of anvil can lose blocks: those of the last moments, unless `save` was called.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final, Self

from contracts import anvil
from contracts.chain import Chain
from contracts.errors import ChainError, EmbeddedChainError
from contracts.keys import Signer, read_private, write_private

_LOG: Final = logging.getLogger(__name__)
_CHAIN_ID: Final = 31337
_START_TRIES: Final = 5
_SAVE_INTERVAL_S: Final = 0.5
# Saving may take up to this part of the time, however large the state has become.
_SAVE_SHARE: Final = 0.05
_FUNDS_WEI: Final = 10**24
# So large that no block is ever half full: the base fee stays at zero.
_GAS_LIMIT: Final = 10**12
_KEPT_STATES: Final = 256  # of past blocks, for reads at a block


class EmbeddedChain:
    """An anvil of this process. It ends with the thread that started it, at the latest.

    Attributes:
        rpc_url: where it answers, on loopback only.
        deployer: a key with funds, the first of the folder's mnemonic.
    """

    rpc_url: str
    deployer: Signer

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._chain: Chain | None = None
        self._saver: asyncio.Task[None] | None = None
        self._lock: int | None = None
        self._saved_block = -1

    async def start(
        self, folder: Path, port: int | None = None, *, block_time_s: int | None = None
    ) -> str:
        """Starts the chain, or goes on with the one that the folder holds.

        Args:
            folder: for state, mnemonic and log; made if it is not there.
            port: on loopback; any free one by default.
            block_time_s: between two blocks; by default each transaction makes its own at once.

        Returns:
            The URL of its endpoint.

        Raises:
            EmbeddedChainError: not installed, already running from this folder, or did not start.
        """
        self._prepare(folder)
        try:
            self.deployer = _deployer(self._folder / "mnemonic")
            anvil.recover_state(self._folder / "state.json", self._folder / "exit.json")
            self._chain = await self._launch(port, self._options(block_time_s))
            await self._chain.request("anvil_setBalance", self.deployer.address, hex(_FUNDS_WEI))
            await self._save(self._chain)
        except BaseException:
            await self.stop()
            raise
        self._saver = asyncio.create_task(
            self._keep_saving(self._chain), name="embedded chain saver"
        )
        return self.rpc_url

    async def stop(self) -> None:
        """Ends the chain and has it write its last state."""
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
        if self._chain is not None:
            await self._chain.close()
        if self._process is not None:
            await anvil.end(self._process)
        if self._lock is not None:
            os.close(self._lock)
        self._saver = self._chain = self._process = self._lock = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """Of anvil; None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def save(self) -> None:
        """Writes the present state; once this returns, not even a kill -9 loses it.

        Raises:
            EmbeddedChainError: the chain does not run, or the disk does not take it.
        """
        if self._chain is None:
            raise EmbeddedChainError("the embedded chain does not run")
        await self._save(self._chain)

    async def _save(self, chain: Chain) -> None:
        try:
            block = await chain.block_number()
            packed = await chain.request("anvil_dumpState")
            await asyncio.to_thread(anvil.write_state, self._folder / "state.json", packed)
        except (ChainError, OSError) as error:
            raise EmbeddedChainError(f"the chain's state was not saved: {error}") from error
        self._saved_block = block

    async def _keep_saving(self, chain: Chain) -> None:
        pause_s = _SAVE_INTERVAL_S
        while True:
            # anvil does not say when it has a new block to those who ask over HTTP.
            await asyncio.sleep(pause_s)
            started = time.monotonic()
            try:
                if await chain.block_number() != self._saved_block:
                    await self._save(chain)
            except ChainError as error:
                _LOG.warning("%s", error)
            pause_s = max(_SAVE_INTERVAL_S, (time.monotonic() - started) / _SAVE_SHARE)

    def _prepare(self, folder: Path) -> None:
        """Makes the folder and takes its lock, which the kernel lifts when this process ends."""
        self._folder = folder.absolute()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise EmbeddedChainError(
                f"a chain already runs from {self._folder}",
                hint="use its endpoint, or another folder",
            ) from error
        self._lock = lock

    async def _launch(self, port: int | None, options: list[str]) -> Chain:
        log = self._folder / "anvil.log"
        for _ in range(_START_TRIES):
            chosen = port or anvil.free_port()
            self._process = await anvil.spawn([*options, f"--port={chosen}"], log)
            if await anvil.listens(self._process, chosen):
                self.rpc_url = f"http://{anvil.HOST}:{chosen}"
                return await Chain.connect(
                    self.rpc_url, "anvil", request_timeout_s=anvil.START_TIMEOUT_S
                )
            await anvil.end(self._process)
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            if port is not None or "in use" not in said:
                break
        raise EmbeddedChainError(
            f"anvil did not start on port {chosen}: {said[-500:] or 'it did not say why'}",
            hint=f"its log is {log}",
        )

    def _options(self, block_time_s: int | None) -> list[str]:
        state = self._folder / "state.json"
        options = [
            f"--host={anvil.HOST}",
            f"--chain-id={_CHAIN_ID}",
            "--accounts=0",  # none of its own: whoever reaches the port could use them
            "--hardfork=cancun",
            "--gas-price=0",
            "--base-fee=0",
            "--no-priority-fee",
            f"--gas-limit={_GAS_LIMIT}",
            f"--prune-history={_KEPT_STATES}",
            f"--dump-state={self._folder / 'exit.json'}",
            "--no-cors",  # no web page in a browser on this machine may use it
            "--quiet",
        ]
        if state.exists():
            options.append(f"--load-state={state}")
        if block_time_s is not None:
            options.append(f"--block-time={block_time_s}")
        return options


def _deployer(path: Path) -> Signer:
    """The first key of the folder's mnemonic, which is made at the first start."""
    # Costs half a second, and only those who run a chain of their own need it.
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    if not path.exists():
        _, mnemonic = Account.create_with_mnemonic()
        write_private(path, mnemonic + "\n")
    try:
        return Signer(bytes(Account.from_mnemonic(read_private(path).strip()).key))
    except ValueError as error:
        raise EmbeddedChainError(f"{path} holds no mnemonic: {error}") from error
