"""Statements as tests ask for them, check them and forge them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from contracts.chain import Chain
from contracts.embedded import EmbeddedChain
from marketplace.access import Caller
from marketplace.app import Market
from marketplace.money.archive import Issued
from marketplace.money.envelope import Envelope, StatementSigner
from marketplace.money.periods import parse_span
from marketplace.money.verification import Verdict, verify
from marketplace.storage.models import UsageReport
from tests.marketplace.economy import ADMIN, Economy

ALWAYS = parse_span("all")


async def issued(market: Market, organization: str = "hospital-b") -> Issued:
    """By an admin, who sees whoever came first under a name."""
    caller = Caller(ADMIN.address, is_admin=True)
    return await market.statements.issue(caller, organization, ALWAYS)


async def checked(embedded: EmbeddedChain, envelope: Envelope) -> Verdict:
    """What somebody finds who has nothing but the file and an endpoint."""
    async with await Chain.connect(embedded.rpc_url) as chain:
        return await verify(envelope.to_bytes(), chain)


def signed_again(envelope: Envelope) -> Envelope:
    """By somebody who has a key."""
    signer = StatementSigner(Ed25519PrivateKey.generate())
    return signer.sign(envelope.statement, envelope.wallet, envelope.royalties)


def reported(session: Session, economy: Economy) -> None:
    """A node of each organization says that it trained on as many samples as the others."""
    counts = ("bytes_served", "bytes_fetched", "training_ms", "evaluation_ms", "merge_ms")
    for name in ("hospital-a", "hospital-b", "clinic-c"):
        session.add(
            UsageReport(
                run_id=economy.run_id,
                round=1,
                spiffe_id=f"spiffe://swarm.example/org/{name}/node/site-1",
                key=ADMIN.address,
                signature="0x",
                received_s=1,
                samples=400,
                restarts=0,
                **dict.fromkeys(counts, 1),
            )
        )
