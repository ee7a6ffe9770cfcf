"""Transactions: built, signed here, sent, and followed until their receipt is there.

Nonces are handed out one signer at a time. As long as nothing of a signer is under way, the
node's count of pending transactions is believed, so a restart of either side needs no memory;
otherwise whichever of that and our own count is higher. A transaction is signed once and the same
bytes are sent again until it is mined: answers like "known transaction" and "nonce too low" then
only mean that it is time to look for its receipt.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import rlp  # type: ignore[import-untyped] # comes without types
from eth_hash.auto import keccak
from web3 import AsyncWeb3
from web3.exceptions import TransactionNotFound

from contracts.errors import ChainError, ChainRefused, ChainUnreachable, TransactionTimeout
from contracts.keys import Signer
from contracts.profiles import Fees, Profile

_LOG: Final = logging.getLogger(__name__)
_TYPE: Final = b"\x02"  # EIP-1559
# Room for what may change between the estimate and the block.
_GAS_MARGIN_PERCENT: Final = 25
_NONCE_TRIES: Final = 5
_RESEND_AFTER_POLLS: Final = 10
# In small letters and without blanks and underscores; each client has words of its own.
_KNOWN: Final = ("alreadyknown", "knowntransaction", "alreadyimported")
_NONCE_TAKEN: Final = ("noncetoolow", "nonceistoolow", "replacementtransactionunderpriced")


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does.

    Attributes:
        to: the contract; None deploys one.
        data: selector and arguments.
        label: what messages and logs call it.
        value_wei: [wei of the chain's coin] that goes along.
    """

    to: str | None
    data: bytes
    label: str
    value_wei: int = 0

    def request(self, sender: str) -> Any:
        """What eth_call and eth_estimateGas take."""
        request: dict[str, Any] = {"from": sender, "data": self.data, "value": self.value_wei}
        return request if self.to is None else request | {"to": self.to}


@dataclass(slots=True)
class _Account:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_nonce: int = 0
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class _Signed:
    raw: bytes
    transaction: str  # 0x-hex hash
    nonce: int
    label: str


class Transactor:
    """Sends transactions to one chain, for any number of signers and tasks at once."""

    def __init__(self, web3: AsyncWeb3[Any], chain_id: int, profile: Profile) -> None:
        self._web3 = web3
        self._chain_id = chain_id
        self._profile = profile
        self._accounts: dict[str, _Account] = {}

    async def transact(
        self, call: Call, signer: Signer, timeout_s: float | None = None
    ) -> Mapping[str, Any]:
        """Returns the receipt, whatever its status.

        Raises:
            ContractReverted: the contract refuses already on trial; nothing was sent.
            TransactionTimeout: sent, but not mined in time.
            ChainUnreachable: the chain cannot be asked; nothing was sent.
            ChainRefused: the node does not take the transaction.
        """
        # By the block to come: a chain that makes blocks on demand may have an old latest one.
        estimate = await self._web3.eth.estimate_gas(call.request(signer.address), "pending")
        gas = estimate + estimate * _GAS_MARGIN_PERCENT // 100
        fees = await self._profile.fees(self._web3)
        account = self._accounts.setdefault(signer.address, _Account())
        async with self._sent(account, call, signer, gas, fees) as signed:
            return await self._receipt(signed, timeout_s or self._profile.receipt_timeout_s)

    @asynccontextmanager
    async def _sent(
        self, account: _Account, call: Call, signer: Signer, gas: int, fees: Fees
    ) -> AsyncIterator[_Signed]:
        async with account.lock:
            signed = await self._send_new(account, call, signer, gas, fees)
            account.next_nonce = signed.nonce + 1
            account.under_way += 1
        try:
            yield signed
        finally:
            account.under_way -= 1

    async def _send_new(
        self, account: _Account, call: Call, signer: Signer, gas: int, fees: Fees
    ) -> _Signed:
        """Signs with the next nonce and sends; with a later one when another process took it."""
        for _ in range(_NONCE_TRIES):
            pending: int = await self._web3.eth.get_transaction_count(
                signer.address,  # type: ignore[arg-type] # a checksum address, as text
                "pending",
            )
            nonce = max(pending, account.next_nonce) if account.under_way else pending
            signed = self._signed(call, signer, nonce, gas, fees)
            try:
                await self._web3.eth.send_raw_transaction(signed.raw)
            except ChainUnreachable:
                # It may have arrived nevertheless: following it will tell, and send it again.
                _LOG.warning("%s may not have reached the chain", _name(signed))
            except ChainRefused as error:
                if _means(error, _NONCE_TAKEN) and not await self._exists(signed):
                    _LOG.info("nonce %d of %s was taken", nonce, signer.address)
                    await asyncio.sleep(self._profile.receipt_poll_s)
                    continue
                if not _means(error, _KNOWN + _NONCE_TAKEN):
                    raise
            return signed
        raise ChainError(
            f"{call.label}: no free nonce for {signer.address} in {_NONCE_TRIES} attempts",
            hint="another program posts with the same key: give each program its own",
        )

    def _signed(self, call: Call, signer: Signer, nonce: int, gas: int, fees: Fees) -> _Signed:
        to = bytes.fromhex(call.to[2:]) if call.to else b""
        fields: list[Any] = [
            self._chain_id, nonce, fees.tip_wei, fees.most_wei, gas, to, call.value_wei,
            call.data, [],
        ]  # fmt: skip
        signature = signer.sign(keccak(_TYPE + rlp.encode(fields)))
        parts = [
            signature[64] - 27,
            int.from_bytes(signature[:32], "big"),
            int.from_bytes(signature[32:64], "big"),
        ]
        raw = _TYPE + rlp.encode(fields + parts)
        return _Signed(raw, "0x" + keccak(raw).hex(), nonce, call.label)

    async def _receipt(self, signed: _Signed, timeout_s: float) -> Mapping[str, Any]:
        """Looks for the receipt, sending the same bytes again now and then."""
        deadline = time.monotonic() + timeout_s
        looks = 0
        while True:
            try:
                receipt = await self._web3.eth.get_transaction_receipt(
                    signed.transaction  # type: ignore[arg-type] # 0x-hex, as text
                )
                # Some nodes know a transaction's receipt before its block.
                if receipt.get("blockNumber") is not None:
                    return receipt
            except TransactionNotFound:
                pass
            except ChainUnreachable as error:
                _LOG.warning("waiting for %s: %s", _name(signed), error)
            if time.monotonic() >= deadline:
                raise TransactionTimeout(
                    f"{_name(signed)} was not mined within {timeout_s:g} s",
                    transaction=signed.transaction,
                    hint="it may still be: look for it before you post the same again",
                )
            looks += 1
            if looks % _RESEND_AFTER_POLLS == 0:
                await self._resend(signed)
            # No endpoint announces receipts over HTTP: one has to ask.
            await asyncio.sleep(self._profile.receipt_poll_s)

    async def _resend(self, signed: _Signed) -> None:
        try:
            await self._web3.eth.send_raw_transaction(signed.raw)
        except ChainError as error:
            _LOG.debug("sending %s again: %s", _name(signed), error)

    async def _exists(self, signed: _Signed) -> bool:
        try:
            await self._web3.eth.get_transaction(
                signed.transaction  # type: ignore[arg-type] # 0x-hex, as text
            )
        except TransactionNotFound:
            return False
        return True


def _name(signed: _Signed) -> str:
    return f"{signed.label} ({signed.transaction}, nonce {signed.nonce})"


def _means(error: ChainRefused, words: tuple[str, ...]) -> bool:
    text = str(error).lower().replace(" ", "").replace("_", "").replace("-", "")
    return any(word in text for word in words)
