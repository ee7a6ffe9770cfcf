"""A consortium at work: agreement, nodes, runs, drafts, motions, by the product's own ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.keys import Signer, new_key
from contracts.messages import (
    Agreement,
    Enrollment,
    RunRequest,
    Terms,
    from_json,
    sign,
)
from marketplace.access import Caller
from marketplace.agreements.drafts import Draft, DraftParty
from marketplace.app import Market
from marketplace.chain import outbox
from marketplace.consortia.proposals import OpenParty, Proposal
from marketplace.governance.wishes import Wish
from marketplace.identity import members
from marketplace.nodes import tokens
from marketplace.nodes.first_contact import Request
from marketplace.storage.models import Operation
from node_agent.identity.builtin import certificate_request
from scripts.bench_marketplace.rounds import OpenRun

_TOKEN_WEI = 10**18
POOL_WEI = 1_000_000 * _TOKEN_WEI
INITIAL_ROOT = "0x" + "11" * 32
_HOUR_S = 3_600


@dataclass
class Consortium:
    """Who takes part, and what came of it."""

    market: Market
    admin: Signer
    treasury: Signer
    wallets: dict[str, Signer]
    operator: Signer = field(default_factory=new_key)
    agreement_id: str = ""
    run_ids: list[str] = field(default_factory=list)
    draft_ids: list[str] = field(default_factory=list)
    nodes: dict[str, Signer] = field(default_factory=dict)  # organization to its node's key

    @property
    def as_admin(self) -> Caller:
        return Caller(self.admin.address, is_admin=True)

    async def agree(self, max_rounds: int) -> None:
        """All sign, and the agreement comes into force on chain."""
        made = await self._draft("Early finding of tumors", list(self.wallets), max_rounds)
        self.agreement_id = made["id"]
        await self._sign(made, len(self.wallets))
        await self.settle()

    async def enroll(self) -> None:
        """A node of each organization, from token to chain."""
        for organization in self.wallets:
            await self._enroll(organization, "site-1")
        await self.settle()

    async def start(self, name: str) -> OpenRun:
        """A funded run before its round 0."""
        market, database = self.market, self.market.database
        shown = await database.read(market.agreements.show, self.as_admin, self.agreement_id)
        terms = from_json(Terms, shown["agreement"]["terms"])
        wallet = next(iter(self.wallets.values()))
        request = RunRequest(
            agreement=bytes.fromhex(self.agreement_id[2:]),
            party=0,
            name=name,
            salt=bytes(32),
            deadline=market.clock() + _HOUR_S,
        )
        signature = sign(market.contracts.domains.training, request, wallet)
        queued = await market.runs.create(Caller(wallet.address), request, terms, signature)
        await self.settle()
        done = await database.read(outbox.show, self.as_admin, queued["id"])
        self.run_ids.append(done["result"]["run"])
        await self._fund(bytes.fromhex(self.run_ids[-1][2:]))
        await self.settle()
        return await self._opened(self.run_ids[-1], terms)

    async def negotiate(self, drafts: int, pending: int, motions: int) -> None:
        """Drafts under negotiation, agreements that wait for signatures, motions to vote on."""
        database, names = self.market.database, list(self.wallets)
        for number in range(drafts):
            proposal = Proposal(
                template="healthcare",
                answers=_ANSWERS | {"sponsor": self.treasury.address},
                parties=[
                    OpenParty(organization=name, wallet=self.wallets[name].address)
                    for name in _three(names, number)
                ],
            )
            made = await database.write(
                self.market.negotiations.start, self.as_admin, proposal, f"idea {number}", 1
            )
            self.draft_ids.append(made["id"])
        for number in range(pending):
            made = await self._draft(f"Study {number}", _three(names, number), 24)
            await self._sign(made, number % 3)
        for number in range(motions):
            wallet = self.wallets[names[number % len(names)]]
            wish = Wish("remove", names[-1 - number % 4], reason="It left the program.")
            await self.market.motions.propose(Caller(wallet.address), self.agreement_id, wish)

    async def appoint(self, organizations: int) -> None:
        """Somebody runs the nodes of the first so many organizations."""
        for wallet in list(self.wallets.values())[:organizations]:
            await self.market.database.write(
                members.appoint, wallet.address, self.operator.address, members.OPERATOR, 1
            )

    async def settle(self) -> None:
        """The relayer and the indexer do what there is to do.

        Raises:
            RuntimeError: something could not be posted.
        """
        while await self.market.relayer.step():
            await self.market.indexer.catch_up()
        await self.market.indexer.catch_up()
        failed = await self.market.database.read(_failed)
        if failed:
            raise RuntimeError(f"the chain refused: {json.dumps(failed)}")

    async def _draft(
        self, title: str, organizations: Sequence[str], max_rounds: int
    ) -> dict[str, Any]:
        draft = Draft(
            title=title,
            purpose="A model that tells benign from malignant tumors.",
            data_exposure="Measurements of cell nuclei, at each site only.",
            shared="Model parameters, with the other parties.",
            expected_outcome="A model that each party may use.",
            model="Logistic regression over 30 features.",
            terms={
                "initial_root": INITIAL_ROOT,
                "schema_hash": "0x" + "22" * 32,
                "validation_root": "0x" + "33" * 32,
                "sponsor": self.treasury.address,
                "budget": str(POOL_WEI),
                "loss_ceiling": 2_000_000_000,
                "target_loss": 100_000_000,
                "max_rounds": max_rounds,
            },
            parties=[
                DraftParty(organization=name, wallet=self.wallets[name].address)
                for name in organizations
            ],
        )
        database, agreements = self.market.database, self.market.agreements
        now_s = self.market.clock()
        return await database.write(agreements.draft, self.as_admin, draft, now_s)

    async def _sign(self, made: dict[str, Any], count: int) -> None:
        message = from_json(Agreement, made["agreement"])
        domain = self.market.contracts.domains.consortium
        for party in made["parties"][:count]:
            organization = party["organization"]
            signature = sign(domain, message, self.wallets[organization])
            await self.market.database.write(
                self.market.agreements.sign,
                self.as_admin,
                made["id"],
                organization,
                signature,
                self.market.clock(),
            )

    async def _enroll(self, organization: str, node: str) -> None:
        market, database = self.market, self.market.database
        wallet, key = self.wallets[organization], new_key()
        token = await database.write(
            tokens.create,
            Caller(wallet.address),
            self.agreement_id,
            organization,
            node,
            market.authority.trust_domain,
            market.clock(),
            market.token_lifetime_s,
        )
        csr = certificate_request(ec.generate_private_key(ec.SECP256R1())).decode()
        url = f"https://{node}.{organization}.example:7443"
        asked = await market.first_contacts.begin(
            Request(token["secret"], csr, key.address, url, True)
        )
        enrollment = asked["enrollment"]
        message = from_json(Enrollment, enrollment["message"])
        domain = market.contracts.domains.consortium
        await market.first_contacts.sign_with_key(enrollment["id"], sign(domain, message, key))
        await market.enrollments.approve(
            Caller(wallet.address), enrollment["id"], sign(domain, message, wallet)
        )
        self.nodes[organization] = key

    async def _fund(self, run: bytes) -> None:
        token, rewards = self.market.contracts.token, self.market.contracts.rewards
        treasury = self.treasury
        await token.mint(treasury.address, POOL_WEI, signer=treasury)
        await token.approve(rewards.address, POOL_WEI, signer=treasury)
        await rewards.fund(run, POOL_WEI, signer=treasury)

    async def _opened(self, run_id: str, terms: Terms) -> OpenRun:
        contracts = self.market.contracts
        run = await contracts.training.run(bytes.fromhex(run_id[2:]))
        snapshot = await contracts.consortium.snapshot_at(run.agreement, run.snapshot_version)
        return OpenRun(
            deployment=contracts.deployment,
            id=bytes.fromhex(run_id[2:]),
            terms=terms,
            funded_wei=POOL_WEI,
            snapshot_version=run.snapshot_version,
            snapshot_root=snapshot.root,
            parties=len(self.wallets),
            prev=run.prev,
        )


_ANSWERS = {
    "model": "Logistic regression over 30 features.",
    "law": "Dutch law; the courts of Utrecht",
    "initial_root": INITIAL_ROOT,
    "schema_hash": "0x" + "22" * 32,
    "validation_root": "0x" + "33" * 32,
}


def _three(names: Sequence[str], number: int) -> Sequence[str]:
    first = number % (len(names) - 2)
    return names[first : first + 3]


def _failed(session: Any) -> list[str]:
    rows = session.query(Operation).where(Operation.state == outbox.FAILED)
    return [f"{row.kind}: {row.error}" for row in rows]
