"""What organizations decide together, on chain."""

from __future__ import annotations

from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import Motion, Move, Veto, to_abi
from contracts.votes import Votings, ascending


class Action(IntEnum):
    """What a motion asks for."""

    SUSPEND = 0
    RESUME = 1
    TERMINATE = 2
    REMOVE = 3
    REPLACE_WALLET = 4


class Council(Contract):
    """One organization, one vote. See ICouncil.sol for what each function requires."""

    NAME = "Council"

    async def decide(self, motion: Motion, votes: Votings, *, signer: Signer) -> Receipt:
        """Posts a motion with the signatures of the parties in favor."""
        return await self._write("decide", to_abi(motion), *ascending(votes), signer=signer)

    async def move_wallet(
        self, move: Move, old_signature: bytes, new_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write(
            "moveWallet", to_abi(move), old_signature, new_signature, signer=signer
        )

    async def veto(self, veto: Veto, signature: bytes, *, signer: Signer) -> Receipt:
        return await self._write("veto", to_abi(veto), signature, signer=signer)

    async def require_votes(self, agreement: bytes, digest: bytes, votes: Votings) -> None:
        """Raises ContractReverted: the organizations do not carry what the digest stands for."""
        await self._read("requireVotes", agreement, digest, *ascending(votes))

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def nonce(self, agreement: bytes) -> int:
        """Returns the nonce of the next motion."""
        return int(await self._read_one("nonce", agreement))

    async def wallet_nonce(self, agreement: bytes, party: int) -> int:
        """Returns the nonce of the party's next move or veto."""
        return int(await self._read_one("walletNonce", agreement, party))

    async def electorate(self, agreement: bytes, action: Action, party: int = 0) -> tuple[int, int]:
        """Returns (who may vote, how many carry it); the first is a set of parties."""
        voters, needed = await self._read("electorate", agreement, int(action), party)
        return int(voters), int(needed)
