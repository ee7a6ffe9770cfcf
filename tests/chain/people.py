"""Who takes part in the tests: organizations, three by default, their wallets, a node of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contracts import messages as m
from contracts.chain import Block
from contracts.deployment import Contracts
from contracts.events import NodeEnrolled, RunCreated
from contracts.keys import Signer, new_key

YEAR_S = 365 * 24 * 3600
ORGANIZATIONS = ("hospital-a", "hospital-b", "clinic-c")
INITIAL_ROOT = b"\x11" * 32


@dataclass(frozen=True)
class Alliance:
    """An agreement in force and all who signed it. The relayer posts and has no other part."""

    contracts: Contracts
    relayer: Signer
    wallets: tuple[Signer, ...]
    nodes: tuple[Signer, ...]
    agreement: m.Agreement
    now: int
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", m.struct_hash(self.agreement))

    def deadline(self) -> int:
        return self.now + 3600

    async def enroll(self, party: int, key: Signer, node: str = "node-1") -> int:
        """Enroll a node and return its registration."""
        consortium = self.contracts.consortium
        enrollment = m.Enrollment(
            agreement=self.id,
            party=party,
            node=node,
            key=key.address,
            url=f"https://{node}.{self.agreement.parties[party].organization}.example:9443",
            may_lead=True,
            deadline=self.deadline(),
            nonce=await consortium.enrollment_nonce(self.id, party),
        )
        receipt = await consortium.enroll(
            enrollment,
            m.sign(consortium.domain, enrollment, self.wallets[party]),
            m.sign(consortium.domain, enrollment, key),
            signer=self.relayer,
        )
        (enrolled,) = (event for event in receipt.events if isinstance(event, NodeEnrolled))
        return enrolled.registration

    async def create_run(self, name: str = "breast-cancer") -> bytes:
        """Have the first organization ask for a run; return the run's id."""
        training = self.contracts.training
        request = m.RunRequest(
            agreement=self.id, party=0, name=name, salt=b"\x05" * 32, deadline=self.deadline()
        )
        receipt = await training.create_run(
            request,
            self.agreement.terms,
            m.sign(training.domain, request, self.wallets[0]),
            signer=self.relayer,
        )
        (created,) = (event for event in receipt.events if isinstance(event, RunCreated))
        return created.run_id

    def votes(self, domain: m.Domain, message: m.Struct, *parties: int) -> dict[int, bytes]:
        """Have the wallets of these parties sign; those of the first two by default."""
        return {each: m.sign(domain, message, self.wallets[each]) for each in parties or (0, 1)}

    def signatures(self, attestation: m.Attestation, *registrations: int) -> dict[int, bytes]:
        """Have these nodes sign; all of them by default."""
        domain = self.contracts.training.domain
        chosen = registrations or range(len(self.nodes))
        return {each: m.sign(domain, attestation, self.nodes[each]) for each in chosen}


def make_agreement(
    wallets: Mapping[str, Signer], sponsor: str, now: int, bylaws: m.Bylaws, **terms: Any
) -> m.Agreement:
    """Return what the organizations agree on: common metering, at most three paid rounds."""
    usual = m.Terms(
        initial_root=INITIAL_ROOT,
        schema_hash=b"\x22" * 32,
        validation_root=b"\x33" * 32,
        sponsor=sponsor,
        budget=10**21,
        loss_ceiling=700_000_000,
        target_loss=100_000_000,
        min_samples=64,
        max_rounds=3,
        sync_frequency=8,
        stall_time=600,
        quorum_grace=2_000,
        leader_timeout=30_000,
        min_peers=0,
        merge_rule=0,
        metering=2,
    )
    parties = tuple(
        m.Party(organization, wallet.address, 1) for organization, wallet in wallets.items()
    )
    return m.Agreement(
        document=b"\x44" * 32,
        purpose="Early finding",
        trust_domain="swarm.example",
        not_before=now - 60,
        not_after=now + YEAR_S,
        bylaws=bylaws,
        terms=replace(usual, **terms),
        parties=parties,
    )


async def found_alliance(
    contracts: Contracts,
    relayer: Signer,
    sponsor: str,
    *,
    organizations: Sequence[str] = ORGANIZATIONS,
    bylaws: m.Bylaws | None = None,
    **terms: Any,
) -> Alliance:
    """Bring an agreement of these organizations into force, and enroll a node of each."""
    latest = await contracts.chain.block()
    assert isinstance(latest, Block)
    now = latest.timestamp
    wallets = {name: new_key() for name in organizations}
    nodes = tuple(new_key() for _ in organizations)
    agreement = make_agreement(wallets, sponsor, now, bylaws or m.Bylaws(), **terms)
    alliance = Alliance(contracts, relayer, tuple(wallets.values()), nodes, agreement, now)
    await contracts.consortium.activate(
        agreement,
        [m.sign(contracts.consortium.domain, agreement, wallet) for wallet in wallets.values()],
        signer=relayer,
    )
    for party, node in enumerate(nodes):
        assert await alliance.enroll(party, node) == party
    return alliance
