"""Organizations, runs and money on a chain of the test's own, with a marketplace that watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts import messages as m
from contracts.chain import Chain
from contracts.deployment import Contracts, deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import Signer, new_key
from contracts.votes import NO_VOTES, votes_of
from marketplace.app import Market
from marketplace.cli.operate import init
from marketplace.settings import load
from tests.chain.people import INITIAL_ROOT, Alliance, found_alliance

ADMIN = new_key()
TOKEN_WEI = 10**18
E9 = 10**9
LOCAL = 3


@asynccontextmanager
async def opened(
    embedded: EmbeddedChain, folder: Path, database_url: str = ""
) -> AsyncIterator[Market]:
    """A marketplace in a folder, whose indexer moves only when the test says so."""
    settings = load(folder, rpc_url=embedded.rpc_url, database_url=database_url)
    market = await Market.open(settings)
    try:
        yield market
    finally:
        await market.close()


async def founded(embedded: EmbeddedChain, folder: Path) -> None:
    """The contracts, and a marketplace's folder that names them."""
    init(folder, [ADMIN.address], "swarm.example")
    async with await Chain.connect(embedded.rpc_url) as connection:
        treasury = embedded.deployer
        deployment = await deploy(connection, treasury, treasury.address, "Swarm", 10**27)
        deployment.save(folder / "deployment.json")


@dataclass
class Economy:
    """One agreement and its runs, as those who take part play them."""

    contracts: Contracts
    treasury: Signer
    alliance: Alliance
    runs: list[bytes] = field(default_factory=list)
    rows: dict[bytes, m.Attestation] = field(default_factory=dict)

    @classmethod
    async def of(
        cls,
        contracts: Contracts,
        treasury: Signer,
        *organizations: str,
        bylaws: m.Bylaws | None = None,
        **terms: object,
    ) -> Economy:
        alliance = await found_alliance(
            contracts,
            treasury,
            treasury.address,
            organizations=organizations or ("hospital-a", "hospital-b", "clinic-c"),
            bylaws=bylaws,
            **terms,
        )
        return cls(contracts, treasury, alliance)

    @property
    def run(self) -> bytes:
        return self.runs[-1]

    @property
    def run_id(self) -> str:
        return "0x" + self.run.hex()

    async def start(self, name: str = "tumors", tokens: int = 1000) -> None:
        """A run with tokens in its pool."""
        self.runs.append(await self.alliance.create_run(name))
        if tokens:
            await self.fund(tokens * TOKEN_WEI)

    async def fund(self, amount_wei: int) -> None:
        await self.give(self.contracts.rewards.address, amount_wei)
        await self.contracts.rewards.fund(self.run, amount_wei, signer=self.treasury)

    async def give(self, spender: str, amount_wei: int) -> None:
        """New tokens that a contract may take from the treasury."""
        token, treasury = self.contracts.token, self.treasury
        await token.mint(treasury.address, amount_wei, signer=treasury)
        await token.approve(spender, amount_wei, signer=treasury)

    async def seal(self, loss: float, shares: dict[int, int] | None = None) -> None:
        """All nodes attest the open round, and it is sealed."""
        attestation = await self._attestation(loss)
        attestation = replace(attestation, shares=m.pack_shares(tuple((shares or {}).items())))
        await self.contracts.training.seal(
            attestation, self.alliance.signatures(attestation), signer=self.treasury
        )

    async def seal_local(
        self, losses: dict[int, tuple[float, float]], shares: dict[int, bytes] | None = None
    ) -> None:
        """Nodes attest their own losses (before, after) and rows, and seal the round with them."""
        base = await self._attestation(0)
        domain = self.contracts.training.domain
        signed = {}
        for party, (before, after) in losses.items():
            own = replace(
                base,
                loss_before=round(before * E9),
                loss_after=round(after * E9),
                shares=(shares or {}).get(party, b""),
            )
            signed[party] = own, m.sign(domain, own, self.alliance.nodes[party])
        common, votes = votes_of(signed)
        settled = self.rows.get(self.run, common)
        await self.contracts.training.seal_local(
            common, votes, settled, NO_VOTES, signer=self.treasury
        )
        self.rows[self.run] = common

    async def _attestation(self, loss: float) -> m.Attestation:
        run = await self.contracts.training.run(self.run)
        first = run.round == 0
        return m.Attestation(
            run_id=self.run,
            round=run.round,
            prev=run.prev,
            term=0,
            roster_root=bytes(32) if first else b"\x01" * 32,
            merged_root=INITIAL_ROOT if first else run.round.to_bytes(32, "big"),
            loss_before=0,
            loss_after=round(loss * E9),
            metric=0,
            shares=b"",
            rejects=b"",
        )

    async def claim(self, party: int, recipient: str = "") -> None:
        """The party's wallet signs, anybody posts."""
        rewards, wallet = self.contracts.rewards, self.alliance.wallets[party]
        claim = m.Claim(
            (self.run,),
            party,
            recipient or wallet.address,
            await rewards.claim_nonce(self.alliance.id, party),
            2**40,
        )
        await rewards.claim(claim, m.sign(rewards.domain, claim, wallet), signer=self.treasury)


def opinion(party: int, parties: int) -> bytes:
    """Everybody else did the same for `party`."""
    each_bips = 10_000 // (parties - 1)
    row = [(each, 0 if each == party else each_bips) for each in range(parties)]
    return m.pack_shares(tuple(row))
