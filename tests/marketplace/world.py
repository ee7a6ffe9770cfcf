"""Organizations that meet in a marketplace, and what they do there, step by step."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from contracts.chain import Chain
from contracts.deployment import Contracts, Deployment
from contracts.keys import Signer, load_key, new_key
from contracts.messages import Attestation, Retirement, pack_shares, sign
from contracts.rewards import Account
from marketplace.client import MarketClient
from tests.marketplace.nodes import Node

ROOT = "0x" + "11" * 32
T = TypeVar("T")
TOKEN_WEI = 10**18
E9 = 10**9
# A name belongs to one wallet in a marketplace: so the tests' organizations have one each.
CLINICS = {name: new_key() for name in ("clinic-a", "clinic-b", "clinic-c")}
_numbers = itertools.count()


@dataclass(frozen=True)
class World:
    """A marketplace that runs, and the chain under it."""

    folder: Path
    market_url: str
    rpc_url: str
    admin: Signer
    treasury: Signer

    def client(self, signer: Signer | None = None) -> MarketClient:
        return MarketClient(self.market_url, signer)

    @property
    def deployment(self) -> Deployment:
        return Deployment.load(self.folder / "deployment.json")

    def relayer(self) -> Signer:
        return load_key(self.folder / "relayer.key")

    def on_chain(self, act: Callable[[Contracts], Awaitable[T]]) -> T:
        async def connected() -> T:
            async with await Chain.connect(self.rpc_url) as chain:
                return await act(Contracts.at(chain, self.deployment))

        # A thread of its own: who drives a browser has a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, connected()).result()


def draft(parties: Mapping[str, Signer], sponsor: str, **terms: Any) -> dict[str, Any]:
    """A draft that nobody would object to."""
    return {
        "title": "Tumor model",
        "purpose": "A model that tells benign from malignant tumors.",
        "data_exposure": "Measurements of cell nuclei, at each site only.",
        "shared": "Model parameters, with the other parties.",
        "expected_outcome": "A model that each party may use.",
        "model": "Logistic regression over 30 features.",
        "terms": {
            "initial_root": ROOT,
            "schema_hash": "0x" + "22" * 32,
            "validation_root": "0x" + "33" * 32,
            "sponsor": sponsor,
            "budget": str(1000 * TOKEN_WEI),
            "loss_ceiling": 2 * E9,
            "target_loss": E9 // 10,
            "max_rounds": 24,
        }
        | terms,
        "parties": [
            {"organization": name, "wallet": signer.address} for name, signer in parties.items()
        ],
    }


@dataclass
class Federation:
    """Three organizations under one agreement, a node each, and perhaps a run."""

    world: World
    wallets: dict[str, Signer] = field(default_factory=lambda: dict(CLINICS))
    number: int = field(default_factory=lambda: next(_numbers))
    nodes: dict[str, Node] = field(default_factory=dict)
    agreement_id: str = ""
    run_id: str = ""

    def owner(self, organization: str) -> MarketClient:
        return self.world.client(self.wallets[organization])

    def draft(self, **terms: Any) -> dict[str, Any]:
        with self.world.client(self.world.admin) as admin:
            sponsor = terms.pop("sponsor", self.world.treasury.address)
            fields = draft(self.wallets, sponsor, **terms)
            made = admin.draft(fields | {"title": f"Tumor model {self.number}"})
        self.agreement_id = made["id"]
        return made

    def agree(self, **terms: Any) -> None:
        """Everybody signs; the agreement comes into force."""
        self.draft(**terms)
        for name in self.wallets:
            with self.owner(name) as owner:
                shown = owner.sign_agreement(self.agreement_id)
                if shown["operation"]:
                    owner.wait(shown["operation"]["id"])

    def invite(self, organization: str, node: str = "site-1") -> Node:
        """An owner makes a token, an operator reads it."""
        with self.owner(organization) as owner:
            return Node(owner.enrollment_token(self.agreement_id, organization, node)["token"])

    def enroll(self, organization: str, node: str = "site-1") -> Node:
        """A node is invited, asks, signs, and is approved."""
        invited = self.invite(organization, node)
        assert invited.first_contact().status_code == 200, invited.first_contact().text
        assert invited.sign().status_code == 200
        self.approve(organization, invited)
        self.nodes[organization] = invited
        return invited

    def approve(self, organization: str, node: Node) -> dict[str, Any]:
        with self.owner(organization) as owner:
            waiting = owner.enrollments(self.agreement_id)
            mine = next(e for e in waiting if e["id"] == node.answer["enrollment"]["id"])
            return owner.wait(owner.approve(mine)["operation"]["id"])

    def retire(self, registration: int, organization: str) -> None:
        """An owner takes his node out, directly on chain."""
        retirement = Retirement(bytes.fromhex(self.agreement_id[2:]), registration, 2**40)

        async def act(contracts: Contracts) -> None:
            signature = sign(contracts.consortium.domain, retirement, self.wallets[organization])
            relayer = self.world.relayer()
            await contracts.consortium.retire(retirement, signature, signer=relayer)

        self.world.on_chain(act)

    def start(self, name: str = "tumors") -> None:
        """The run is created and its pool funded."""
        with self.owner(next(iter(self.wallets))) as owner:
            operation = owner.create_run(self.agreement_id, name)
            self.run_id = owner.wait(operation["id"])["result"]["run"]

    def fund(self, tokens: int) -> None:
        async def act(contracts: Contracts) -> None:
            treasury, amount_wei = self.world.treasury, tokens * TOKEN_WEI
            await contracts.token.mint(treasury.address, amount_wei, signer=treasury)
            await contracts.token.approve(contracts.rewards.address, amount_wei, signer=treasury)
            await contracts.rewards.fund(self._run, amount_wei, signer=treasury)

        self.world.on_chain(act)

    def seal(
        self, loss: float, shares: Mapping[int, int] | None = None, rejects: bytes = b""
    ) -> None:
        """All nodes attest the open round, and it is sealed."""

        async def act(contracts: Contracts) -> None:
            run = await contracts.training.run(self._run)
            merged = bytes.fromhex(ROOT[2:]) if run.round == 0 else run.round.to_bytes(32, "big")
            attestation = Attestation(
                run_id=self._run,
                round=run.round,
                prev=run.prev,
                term=0,
                roster_root=bytes(32),
                merged_root=merged,
                loss_before=run.last_loss,
                loss_after=round(loss * E9),
                metric=round((1 - loss / 2) * E9),
                shares=pack_shares(tuple((shares or {}).items())),
                rejects=rejects,
            )
            registered = await contracts.consortium.registrations(
                bytes.fromhex(self.agreement_id[2:])
            )
            keys = {node.key.address: node.key for node in self.nodes.values()}
            signatures = {
                each.number: sign(contracts.training.domain, attestation, keys[each.key])
                for each in registered
                if each.key in keys
            }
            await contracts.training.seal(attestation, signatures, signer=self.world.relayer())

        self.world.on_chain(act)

    def account(self, party: int) -> Account:
        return self.world.on_chain(lambda contracts: contracts.rewards.account(self._run, party))

    @property
    def _run(self) -> bytes:
        return bytes.fromhex(self.run_id[2:])


def eventually(look: Callable[[], T], wanted: Callable[[T], bool], timeout_s: float = 20.0) -> T:
    """Looks until it sees what is wanted: the index follows the chain in its own time."""
    deadline = time.monotonic() + timeout_s
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.05)
    return seen
