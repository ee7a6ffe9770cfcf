"""Who may mint the reward token and publish versions: an AccessManager."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from contracts.abi import interface
from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.transactions import Call


class Role(IntEnum):
    """The numbers of Roles.sol."""

    ADMINISTRATOR = 0
    MINTER = 1
    PUBLISHER = 2
    GUARDIAN = 3


class Roles(Contract):
    """Roles and delays; of AccessManager, what a deployment needs. See Roles.sol."""

    NAME = "Roles"

    async def set_target_function_role(
        self, target: Contract, functions: Sequence[str], role: Role, *, signer: Signer
    ) -> Receipt:
        """Says which role may call these functions of a contract."""
        known = interface(target.NAME).functions
        selectors = [known[name].selector for name in functions]
        return await self._write(
            "setTargetFunctionRole", target.address, selectors, int(role), signer=signer
        )

    async def set_role_guardian(self, role: Role, guardian: Role, *, signer: Signer) -> Receipt:
        """Says who may cancel what holders of the role have announced."""
        return await self._write("setRoleGuardian", int(role), int(guardian), signer=signer)

    async def grant_role(
        self, role: Role, account: str, delay_s: int, *, signer: Signer
    ) -> Receipt:
        """Grants a role; its holder has to announce every call so long before."""
        return await self._write("grantRole", int(role), account, delay_s, signer=signer)

    async def revoke_role(self, role: Role, account: str, *, signer: Signer) -> Receipt:
        return await self._write("revokeRole", int(role), account, signer=signer)

    async def renounce_role(self, role: Role, *, signer: Signer) -> Receipt:
        """Gives up a role of the signer's own."""
        return await self._write("renounceRole", int(role), signer.address, signer=signer)

    async def schedule(self, call: Call, when: int, *, signer: Signer) -> Receipt:
        """Announces a call, as `Contract.call` makes it, for a time in unix s."""
        return await self._write("schedule", call.to, call.data, when, signer=signer)

    async def cancel(self, caller: str, call: Call, *, signer: Signer) -> Receipt:
        """Takes back a call that the caller announced."""
        return await self._write("cancel", caller, call.to, call.data, signer=signer)

    async def has_role(self, role: Role, account: str) -> tuple[bool, int]:
        """Returns (whether it has the role, its delay in s)."""
        member, delay_s = await self._read("hasRole", int(role), account)
        return bool(member), int(delay_s)
