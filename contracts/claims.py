"""How organizations take what is due to them: the same for rewards and royalties."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import Claim, Delegation, to_abi


class Claims(Contract):
    """Payments to parties. See IClaims.sol for what each function requires."""

    async def claim(self, claim: Claim, wallet_signature: bytes, *, signer: Signer) -> Receipt:
        return await self._write("claim", to_abi(claim), wallet_signature, signer=signer)

    async def claim_to(
        self, run_ids: Sequence[bytes], party: int, recipient: str, *, signer: Signer
    ) -> Receipt:
        """Claims for the party whose wallet signs the transaction."""
        return await self._write("claimTo", list(run_ids), party, recipient, signer=signer)

    async def claim_for(self, run_ids: Sequence[bytes], party: int, *, signer: Signer) -> Receipt:
        """Claims as the party's claimer, for the recipient of the delegation."""
        return await self._write("claimFor", list(run_ids), party, signer=signer)

    async def delegate(
        self, delegation: Delegation, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write("delegate", to_abi(delegation), wallet_signature, signer=signer)

    async def token(self) -> str:
        return str(await self._read_one("token"))

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def claim_nonce(self, agreement: bytes, party: int) -> int:
        """Returns the nonce of the party's next claim or delegation."""
        return int(await self._read_one("claimNonce", agreement, party))

    async def delegate_of(self, agreement: bytes, party: int) -> tuple[str, str]:
        """Returns (claimer, recipient); zero addresses where there is none."""
        claimer, recipient = await self._read("delegateOf", agreement, party)
        return str(claimer), str(recipient)
