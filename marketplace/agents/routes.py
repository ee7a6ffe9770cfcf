"""/agents/v1: what nodes ask of the marketplace."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from marketplace.agents.tls import serial_of
from marketplace.leases import service
from marketplace.leases.signing import TRAINING
from marketplace.nodes import credentials, first_contact, status, usage
from marketplace.trail.actor import acting_as
from marketplace.web.callers import MarketOf
from marketplace.web.fields import Address, Identifier, Label, Signature

router = APIRouter(prefix="/agents/v1")


async def node_of(request: Request, market: MarketOf) -> str:
    """The id of the enrollment that the SVID of a connection was issued under."""
    enrollment_id = await market.database.read(credentials.holder_of, serial_of(request))
    acting_as(f"node of enrollment {enrollment_id}")
    return enrollment_id


NodeOf = Annotated[str, Depends(node_of)]


class FirstContact(BaseModel):
    secret: str = Field(min_length=20, max_length=200)
    csr_pem: str
    key: Address
    # Nothing stands for a node that takes no connections.
    url: str = Field(pattern=r"^(https://[!-~]{1,247})?$")
    may_lead: bool = True


class KeySignature(BaseModel):
    signature: Signature


class SignedUsage(BaseModel):
    usage: str = Field(max_length=4096, pattern="^[ -~]*$")
    signature: Signature


class Renewal(BaseModel):
    csr_pem: str


class LeaseRequest(BaseModel):
    features: list[Label] = Field(default=[TRAINING], min_length=1, max_length=16)


class LeaseReturn(BaseModel):
    lease: Identifier


@router.get("/ca")
async def authority(market: MarketOf) -> PlainTextResponse:
    """The CA's certificate; worth nothing until its hash is found to be that of the token."""
    return PlainTextResponse(market.authority.bundle_pem, media_type="application/x-pem-file")


@router.post("/enroll")
async def enroll(body: FirstContact, market: MarketOf) -> dict[str, Any]:
    """Step one: an SVID, a lease, and the message that the node's key has to sign."""
    acting_as("the holder of an enrollment token")
    request = first_contact.Request(body.secret, body.csr_pem, body.key, body.url, body.may_lead)
    begun = await market.first_contacts.begin(request)
    return begun | {
        "deployment": market.contracts.deployment.to_json(),
        "rpc_url": market.node_rpc_url,
        "lease": await _lease(market, begun["enrollment"]["id"], [TRAINING]),
        "lease_public_key": market.lease_signer.public_key,
    }


@router.post("/enrollments/{enrollment_id}/key-signature")
async def key_signature(
    enrollment_id: Identifier, body: KeySignature, market: MarketOf
) -> dict[str, Any]:
    """Step two: the signature says who sends it, whatever the connection."""
    acting_as(f"the key of enrollment {enrollment_id}")
    return await market.first_contacts.sign_with_key(enrollment_id, body.signature)


@router.post("/renew")
async def renew(body: Renewal, node: NodeOf, market: MarketOf) -> dict[str, Any]:
    """The next SVID, for the name that the present one has."""
    issued = await market.database.write(
        credentials.renew_svid,
        market.authority,
        node,
        body.csr_pem,
        market.clock(),
        market.svid_lifetime_s,
    )
    return {"svid_pem": issued.pem, "bundle_pem": market.authority.bundle_pem}


@router.post("/lease")
async def lease(node: NodeOf, market: MarketOf, body: LeaseRequest | None = None) -> dict[str, Any]:
    """A seat: the first lease for it, or the next one."""
    features = body.features if body else [TRAINING]
    return {
        "lease": await _lease(market, node, features),
        "lease_public_key": market.lease_signer.public_key,
    }


@router.post("/lease/return", status_code=204)
async def return_lease(body: LeaseReturn, node: NodeOf, market: MarketOf) -> Response:
    """Gives a seat back; the node has deleted the lease before. May be repeated."""
    await market.database.write(service.check_in, node, body.lease, market.clock())
    return Response(status_code=204)


@router.post("/status", status_code=204)
async def heartbeat(body: status.Status, node: NodeOf, market: MarketOf) -> Response:
    """What the node says about itself; the last word is kept and shown."""
    await market.database.write(status.record, node, body, market.clock())
    return Response(status_code=204)


@router.post("/usage", status_code=204)
async def report_usage(body: SignedUsage, node: NodeOf, market: MarketOf) -> Response:
    """What a round cost the node; signed, shown, and never paid by. May be repeated."""
    await market.database.write(usage.record, node, body.usage, body.signature, market.clock())
    return Response(status_code=204)


async def _lease(market: MarketOf, enrollment_id: str, features: list[str]) -> str:
    return await market.database.write(
        service.lease_for,
        market.lease_signer,
        enrollment_id,
        features,
        market.clock(),
        market.lease_policy,
    )
