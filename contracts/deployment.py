"""The addresses of one set of contracts: a JSON file, and how they come into being."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from contracts.abi import interface
from contracts.chain import Chain
from contracts.consortium import Consortium
from contracts.errors import MessageError, NotDeployed
from contracts.files import replace_file
from contracts.keys import Signer
from contracts.kinds import checksum_address
from contracts.messages import Domain
from contracts.rewards import Rewards
from contracts.token import SwarmToken
from contracts.training import Training
from contracts.transactions import Call


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts are."""

    chain_id: int
    token: str
    consortium: str
    training: str
    rewards: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Deployment:
        """Raises NotDeployed: not what `to_json` gives."""
        names = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or value.keys() != set(names):
            raise NotDeployed("not a deployment", hint=f"expected exactly {', '.join(names)}")
        if type(value["chain_id"]) is not int:
            raise NotDeployed("not a deployment: chain_id is no number")
        try:
            return cls(value["chain_id"], *(checksum_address(value[name]) for name in names[1:]))
        except MessageError as error:
            raise NotDeployed(f"not a deployment: {error}", hint=error.hint) from error

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        data = (json.dumps(self.to_json(), indent=2) + "\n").encode()
        replace_file(path, data, mode=0o644)  # no secret in it

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Raises NotDeployed: no such file, or not a deployment."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NotDeployed(
                f"cannot read the deployment file {path}: {error}",
                hint="deploy the contracts first, or get the file from who did",
            ) from error
        return cls.from_json(value)


@dataclass(frozen=True, slots=True)
class Domains:
    """The EIP-712 domain of each contract."""

    token: Domain
    consortium: Domain
    training: Domain
    rewards: Domain


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one deployment, ready to be asked."""

    chain: Chain
    deployment: Deployment
    token: SwarmToken
    consortium: Consortium
    training: Training
    rewards: Rewards

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
            SwarmToken(chain, deployment.token),
            Consortium(chain, deployment.consortium),
            Training(chain, deployment.training),
            Rewards(chain, deployment.rewards),
        )

    @property
    def domains(self) -> Domains:
        return Domains(
            self.token.domain, self.consortium.domain, self.training.domain, self.rewards.domain
        )

    async def check(self) -> None:
        """Raises NotDeployed: an address has no contract, or they do not belong together."""
        for contract in (self.token, self.consortium, self.training, self.rewards):
            if not await self.chain.has_code(contract.address):
                raise NotDeployed(
                    f"there is no contract {contract.NAME} at {contract.address}",
                    hint="is the deployment file that of this chain?",
                )
        linked = await self.training.consortium(), await self.training.rewards()
        if linked != (self.consortium.address, self.rewards.address):
            raise NotDeployed(
                f"the training contract {self.training.address} belongs to other contracts",
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
        treasury: the account that may mint the reward token.
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

    async def token_address() -> str:
        if token is not None:
            return checksum_address(token)
        return await create("SwarmToken", token_name, token_symbol, cap_wei, treasury)

    paid_in, consortium = await asyncio.gather(token_address(), create("Consortium"))
    training = await create("Training", consortium, paid_in)
    rewards = await Training(chain, training).rewards()
    return Deployment(chain.chain_id, paid_in, consortium, training, rewards)
