"""One connection to a chain: reads, transactions, logs; every wait is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from web3 import AsyncWeb3
from web3.exceptions import BlockNotFound

from contracts import events
from contracts.abi import reverted_answer
from contracts.endpoint import Endpoint, shown
from contracts.errors import ChainRefused, ChainUnreachable, ContractReverted
from contracts.keys import Signer
from contracts.profiles import Profile, profile_for
from contracts.transactions import Call, Transactor

_REQUEST_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that did what it was to do.

    Attributes:
        transaction: 0x-hex hash.
        block: number of its block.
        gas_used: [gas].
        events: what our contracts raised in it, in order.
        contract: address of the contract it deployed, if it did.
    """

    transaction: str
    block: int
    gas_used: int
    events: tuple[events.Event, ...]
    contract: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as anyone here needs it; hashes in 0x-hex, time in unix s."""

    number: int
    hash: str
    parent: str
    timestamp: int


class Chain:
    """A chain behind an endpoint. Made by `connect`; belongs to the event loop it was made in."""

    def __init__(self, web3: AsyncWeb3[Any], rpc_url: str, chain_id: int, profile: Profile) -> None:
        self.rpc_url = rpc_url
        self.chain_id = chain_id
        self.profile = profile
        self._web3 = web3
        self._transactor = Transactor(web3, chain_id, profile)

    @classmethod
    async def connect(
        cls, rpc_url: str, profile: str = "auto", *, request_timeout_s: float = _REQUEST_TIMEOUT_S
    ) -> Chain:
        """Connects and asks which chain it is.

        Args:
            rpc_url: http or https.
            profile: anvil, istanbul, qbft, ethereum; auto tells by the client's version.
            request_timeout_s: for each single request.

        Raises:
            ChainUnreachable: nobody answers there.
            ChainError: no such profile.
        """
        endpoint = Endpoint(rpc_url, request_timeout_s, reverted_answer)
        web3: AsyncWeb3[Any] = AsyncWeb3(endpoint, middleware=[])
        try:
            version = await web3.client_version if profile == "auto" else ""
            known = profile_for(profile, version)
            for middleware in known.middleware:
                web3.middleware_onion.add(middleware)
            return cls(web3, rpc_url, await web3.eth.chain_id, known)
        except BaseException:
            await endpoint.disconnect()
            raise

    async def close(self) -> None:
        await self._web3.provider.disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Chain({self.chain_id} at {shown(self.rpc_url)}, {self.profile.name})"

    async def block_number(self) -> int:
        return await self._web3.eth.block_number

    async def final_block_number(self) -> int:
        """The latest block that will not be taken back, by the profile's depth."""
        return max(0, await self.block_number() - self.profile.finality_depth)

    async def block(self, number: int | None = None) -> Block | None:
        """Returns a block's header, the latest by default; None if there is no such block."""
        try:
            found = await self._web3.eth.get_block("latest" if number is None else number)
        except BlockNotFound:
            return None
        return Block(
            found["number"],
            "0x" + bytes(found["hash"]).hex(),
            "0x" + bytes(found["parentHash"]).hex(),
            found["timestamp"],
        )

    async def balance_wei(self, address: str) -> int:
        """What an account holds of the chain's own currency, which pays gas."""
        return await self._web3.eth.get_balance(address)  # type: ignore[arg-type] # checksum text

    async def has_code(self, address: str) -> bool:
        return bool(await self._web3.eth.get_code(address))  # type: ignore[arg-type] # checksum text

    async def read(self, call: Call, block: int | None = None) -> bytes:
        """Returns what a contract answers, at the end of a block (the latest by default).

        Raises:
            ContractReverted: it refuses.
            ChainUnreachable, ChainRefused: the chain does not answer.
        """
        # Not by `web3.eth.call`: its formatters change nothing here, and take longer than the rest.
        request = {"to": call.to, "data": "0x" + call.data.hex()}
        answer = await self.request("eth_call", request, "latest" if block is None else hex(block))
        return bytes.fromhex(answer.removeprefix("0x"))

    async def transact(
        self, call: Call, signer: Signer, *, timeout_s: float | None = None
    ) -> Receipt:
        """Has a contract do something and waits until it is in a block.

        Args:
            call: what to do.
            signer: whose transaction it is.
            timeout_s: for the receipt; the profile's by default.

        Raises:
            ContractReverted: the contract refuses, on trial (nothing was sent) or in its block.
            TransactionTimeout: sent, but not mined in time.
            ChainUnreachable, ChainRefused: the chain does not take it.
        """
        receipt = await self._transactor.transact(call, signer, timeout_s)
        if receipt["status"] != 1:
            raise await self._reason(call, signer, receipt)
        created = receipt.get("contractAddress")
        return Receipt(
            "0x" + bytes(receipt["transactionHash"]).hex(),
            receipt["blockNumber"],
            receipt["gasUsed"],
            events.decode(receipt["logs"]),
            str(created) if created else None,
        )

    async def logs(
        self, addresses: Sequence[str], from_block: int, to_block: int
    ) -> list[Mapping[str, Any]]:
        """Returns the raw logs of these contracts, asking for a limited range at a time."""
        found: list[Mapping[str, Any]] = []
        for first in range(from_block, to_block + 1, self.profile.log_range):
            last = min(first + self.profile.log_range - 1, to_block)
            query: Any = {"address": list(addresses), "fromBlock": first, "toBlock": last}
            found.extend(await self._web3.eth.get_logs(query))
        return found

    async def request(self, method: str, *parameters: Any) -> Any:
        """Asks anything else of the endpoint, for example of a test chain."""
        answer = await self._web3.provider.make_request(method, parameters)
        return answer["result"]

    async def _reason(
        self, call: Call, signer: Signer, receipt: Mapping[str, Any]
    ) -> ContractReverted:
        """Asks again what was refused: what changed before its block is still there after it."""
        try:
            await self._web3.eth.call(call.request(signer.address), receipt["blockNumber"])
        except ContractReverted as error:
            return error
        except (ChainRefused, ChainUnreachable):
            pass
        transaction = "0x" + bytes(receipt["transactionHash"]).hex()
        return ContractReverted(
            "Unknown",
            {"transaction": transaction},
            f"{call.label} was refused in block {receipt['blockNumber']} ({transaction})",
            hint="try it again: the reason is gone by now, or it ran out of gas",
        )
