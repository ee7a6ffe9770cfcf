"""One set of contracts: all of them at once, and how they come into being."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, fields
from typing import Any

from contracts.abi import interface
from contracts.addresses import Deployment
from contracts.chain import Chain
from contracts.clerk import Clerk
from contracts.consortium import Consortium
from contracts.contract import Contract
from contracts.council import Council
from contracts.errors import NotDeployed
from contracts.keys import Signer
from contracts.kinds import checksum_address
from contracts.messages import Domain
from contracts.presence import Presence
from contracts.registry import Registry
from contracts.rewards import Rewards
from contracts.roles import Roles
from contracts.royalties import Royalties
from contracts.stakes import Stakes
from contracts.taskrunner import Taskrunner
from contracts.token import SwarmToken
from contracts.training import Training
from contracts.transactions import Call


@dataclass(frozen=True, slots=True)
class Domains:
    """The EIP-712 domains of the contracts that check signatures."""

    token: Domain
    consortium: Domain
    council: Domain
    stakes: Domain
    presence: Domain
    training: Domain
    rewards: Domain
    royalties: Domain
    taskrunner: Domain


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one deployment, ready to be asked."""

    chain: Chain
    deployment: Deployment
    roles: Roles
    token: SwarmToken
    consortium: Consortium
    council: Council
    stakes: Stakes
    presence: Presence
    clerk: Clerk
    training: Training
    rewards: Rewards
    royalties: Royalties
    taskrunner: Taskrunner
    registry: Registry

    @classmethod
    def at(cls, chain: Chain, deployment: Deployment) -> Contracts:
        """Raises NotDeployed: the deployment is on another chain."""
        if chain.chain_id != deployment.chain_id:
            raise NotDeployed(
                f"the contracts are on chain {deployment.chain_id}, and this is {chain.chain_id}",
                hint="use the endpoint of that chain, or the deployment file of this one",
            )
        return cls(
            chain,
            deployment,
            roles=Roles(chain, deployment.roles),
            token=SwarmToken(chain, deployment.token),
            consortium=Consortium(chain, deployment.consortium),
            council=Council(chain, deployment.council),
            stakes=Stakes(chain, deployment.stakes),
            presence=Presence(chain, deployment.presence),
            clerk=Clerk(chain, deployment.clerk),
            training=Training(chain, deployment.training),
            rewards=Rewards(chain, deployment.rewards),
            royalties=Royalties(chain, deployment.royalties),
            taskrunner=Taskrunner(chain, deployment.taskrunner),
            registry=Registry(chain, deployment.registry),
        )

    @property
    def domains(self) -> Domains:
        return Domains(**{each.name: getattr(self, each.name).domain for each in fields(Domains)})

    async def check(self) -> None:
        """Raises NotDeployed: an address has no contract, or they do not belong together."""
        every: list[Contract] = [getattr(self, name) for name in self.deployment.addresses]
        for contract in every:
            if not await self.chain.has_code(contract.address):
                raise NotDeployed(
                    f"there is no contract {contract.NAME} at {contract.address}",
                    hint="is the deployment file that of this chain?",
                )
        training, royalties = self.training, self.royalties
        links: tuple[tuple[Contract, Awaitable[str], Contract], ...] = (
            (self.consortium, self.consortium.council(), self.council),
            (self.stakes, self.stakes.consortium(), self.consortium),
            (self.stakes, self.stakes.token(), self.token),
            (self.presence, self.presence.consortium(), self.consortium),
            (training, training.consortium(), self.consortium),
            (training, training.clerk(), self.clerk),
            (training, training.rewards(), self.rewards),
            (self.clerk, self.clerk.training(), training),
            (self.clerk, self.clerk.stakes(), self.stakes),
            (self.clerk, self.clerk.presence(), self.presence),
            (self.rewards, self.rewards.token(), self.token),
            (royalties, royalties.training(), training),
            (self.taskrunner, self.taskrunner.consortium(), self.consortium),
            (self.registry, self.registry.authority(), self.roles),
        )
        found = await asyncio.gather(*(address for _, address, _ in links))
        for (contract, _, expected), address in zip(links, found, strict=True):
            if address != expected.address:
                raise NotDeployed(
                    f"the contract {contract.NAME} at {contract.address} belongs to another "
                    f"{expected.NAME}, at {address}",
                    hint="take all addresses from one deployment",
                )


async def deploy(
    chain: Chain,
    signer: Signer,
    treasury: str,
    token_name: str,
    cap_wei: int,
    *,
    token_symbol: str = "SWARM",
    token: str | None = None,
) -> Deployment:
    """Deploys a set of contracts.

    Args:
        chain: where to.
        signer: who posts; gets no rights by it.
        treasury: administrator of the roles: may mint the reward token and publish versions,
            without delay. Production deployments divide that up; see Roles.sol.
        token_name: of the reward token.
        cap_wei: [wei] of it that can ever exist.
        token_symbol: of the reward token.
        token: an ERC-20 that is there already, to be used instead of a new one.
    """

    async def create(name: str, *arguments: Any) -> str:
        call = Call(None, interface(name).creation(*arguments), f"deployment of {name}")
        address = (await chain.transact(call, signer)).contract
        if address is None:
            raise NotDeployed(f"the chain gave no address for {name}")
        return checksum_address(address)

    roles, consortium = await asyncio.gather(create("Roles", treasury), create("Consortium"))
    if token is None:
        paid_in = await create("SwarmToken", token_name, token_symbol, cap_wei, roles)
    else:
        paid_in = checksum_address(token)
    stakes, presence, taskrunner, registry = await asyncio.gather(
        create("Stakes", consortium, paid_in),
        create("Presence", consortium),
        create("Taskrunner", consortium),
        create("Registry", roles),
    )
    clerk = await create("Clerk", consortium, stakes, presence)
    training = await create("Training", consortium, paid_in, clerk)
    return Deployment(
        chain_id=chain.chain_id,
        roles=roles,
        token=paid_in,
        consortium=consortium,
        council=await Consortium(chain, consortium).council(),
        stakes=stakes,
        presence=presence,
        clerk=clerk,
        training=training,
        rewards=await Training(chain, training).rewards(),
        royalties=await create("Royalties", training),
        taskrunner=taskrunner,
        registry=registry,
    )


__all__ = ["Contracts", "Deployment", "Domains", "deploy"]
