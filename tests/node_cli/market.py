"""An agent listener for tests: the marketplace's own CA, leases and forms, without its database.

It keeps the promise that matters here: a token's first use is answered once, and again only to the
same key and the same certificate request.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from aiohttp import web

from contracts.addresses import Deployment
from contracts.kinds import checksum_address
from contracts.messages import (
    Agreement,
    Domain,
    Enrollment,
    Party,
    Terms,
    recover,
    struct_hash,
    to_json,
)
from marketplace.agents.routes import FirstContact, KeySignature, Renewal
from marketplace.identity import authority
from marketplace.identity.secrets import enrollment_token, new_secret
from marketplace.leases import signing as leases

TRUST_DOMAIN = "swarm.example"
DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
DEPLOYMENT = Deployment(
    chain_id=DOMAIN.chain_id,
    **{
        each.name: checksum_address(f"0x{number:040x}")
        for number, each in enumerate(fields(Deployment)[1:], 0xC0DE)
    }
    | {"consortium": DOMAIN.contract},
).to_json()
WALLETS = (
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
)


def agreement() -> Agreement:
    zero = bytes(32)
    terms = Terms(
        initial_root=zero,
        schema_hash=zero,
        validation_root=zero,
        sponsor=WALLETS[0],
        budget=0,
        loss_ceiling=10**9,
        target_loss=10**8,
        min_samples=64,
        max_rounds=10,
        sync_frequency=8,
        stall_time=600,
        quorum_grace=1000,
        leader_timeout=10_000,
        min_peers=0,
        merge_rule=0,
        metering=0,
    )
    parties = tuple(
        Party(name, wallet, 1)
        for name, wallet in zip(("clinic-a", "clinic-b"), WALLETS, strict=True)
    )
    return Agreement(
        document=zero,
        purpose="Tests",
        trust_domain=TRUST_DOMAIN,
        not_before=0,
        not_after=2**40,
        terms=terms,
        parties=parties,
    )


class Market:
    """Start it with `async with`.

    Attributes:
        broken: paths whose next request is carried out, but not answered.
        lie: changes the Enrollment that a node is asked to sign.
        signed: the enrollments that nodes have signed.
        heard: what nodes reported.
    """

    def __init__(self, folder: Path, *, svid_lifetime_s: int = 3600) -> None:
        self.authority = authority.create(folder, TRUST_DOMAIN, int(time.time()))
        self.lease_signer = leases.create(folder)
        self.svid_lifetime_s = svid_lifetime_s
        self.agreement = agreement()
        self.secret = new_secret()
        self.broken: list[str] = []
        self.lie: Callable[[dict[str, Any]], dict[str, Any]] = lambda message: message
        self.signed: list[Enrollment] = []
        self.heard: list[dict[str, Any]] = []
        self.used: FirstContact | None = None
        self.url = ""
        self._message: Enrollment | None = None
        self._svid: tuple[str, float] = "", 0.0
        self._runner: web.AppRunner | None = None
        self._folder = folder

    @property
    def token(self) -> str:
        return enrollment_token(self.url, self.authority.fingerprint, self.secret)

    async def __aenter__(self) -> Market:
        app = web.Application(middlewares=[self._break])
        app.add_routes(
            [
                web.get("/agents/v1/ca", self._ca),
                web.post("/agents/v1/enroll", self._enroll),
                web.post("/agents/v1/enrollments/{id}/key-signature", self._sign),
                web.post("/agents/v1/renew", self._renew),
                web.post("/agents/v1/lease", self._lease),
                web.post("/agents/v1/status", self._status),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context())
        await site.start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _context(self) -> ssl.SSLContext:
        chain, key = self.authority.issue_server(["127.0.0.1"], int(time.time()), 3600)
        path = self._folder / "listener.pem"
        path.write_text(key + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.bundle_pem)
        return context

    @web.middleware
    async def _break(self, request: web.Request, handler: Any) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        for part in self.broken:
            if request.path.endswith(part):
                self.broken.remove(part)
                assert request.transport is not None
                request.transport.abort()
        return answer

    async def _ca(self, request: web.Request) -> web.Response:
        return web.Response(text=self.authority.bundle_pem)

    async def _enroll(self, request: web.Request) -> web.Response:
        form = FirstContact.model_validate(await request.json())
        if form.secret != self.secret:
            return refusal(403, "this enrollment token is unknown here", "ask for a new one")
        if self.used is None:
            self.used = form
        elif (self.used.csr_pem, self.used.key) != (form.csr_pem, form.key):
            return refusal(403, "this enrollment token was used already", "ask for a new one")
        spiffe_id = f"spiffe://{TRUST_DOMAIN}/org/clinic-a/node/site-1"
        if self._svid[1] <= time.time():
            issued = self.authority.issue_svid(
                form.csr_pem, spiffe_id, int(time.time()), self.svid_lifetime_s
            )
            self._svid = issued.pem, issued.expires_s
        self._message = Enrollment(
            struct_hash(self.agreement),
            0,
            "site-1",
            self.used.key,
            self.used.url,
            self.used.may_lead,
            2**40,
            0,
        )
        return web.json_response(
            {
                "spiffe_id": spiffe_id,
                "svid_pem": self._svid[0],
                "bundle_pem": self.authority.bundle_pem,
                "agreement": to_json(self.agreement),
                "agreement_id": "0x" + struct_hash(self.agreement).hex(),
                "party": 0,
                "organization": "clinic-a",
                "enrollment": {"id": "00ff", "message": self.lie(to_json(self._message))},
                "deployment": DEPLOYMENT,
                "rpc_url": "http://127.0.0.1:8545",
                "lease": self._new_lease(spiffe_id),
                "lease_public_key": self.lease_signer.public_key,
            }
        )

    async def _sign(self, request: web.Request) -> web.Response:
        assert self._message is not None
        form = KeySignature.model_validate(await request.json())
        signature = form.signature if isinstance(form.signature, bytes) else b""
        assert recover(DOMAIN, self._message, signature) == self._message.key
        self.signed.append(self._message)
        return web.json_response({"id": request.match_info["id"], "state": "awaiting-owner"})

    async def _renew(self, request: web.Request) -> web.Response:
        if (spiffe_id := caller(request)) is None:
            return refusal(403, "a node has to show its SVID here")
        form = Renewal.model_validate(await request.json())
        issued = self.authority.issue_svid(
            form.csr_pem, spiffe_id, int(time.time()), self.svid_lifetime_s
        )
        return web.json_response({"svid_pem": issued.pem, "bundle_pem": self.authority.bundle_pem})

    async def _lease(self, request: web.Request) -> web.Response:
        if (spiffe_id := caller(request)) is None:
            return refusal(403, "a node has to show its SVID here")
        return web.json_response({"lease": self._new_lease(spiffe_id)})

    async def _status(self, request: web.Request) -> web.Response:
        self.heard.append(await request.json())
        return web.Response(status=204)

    def _new_lease(self, spiffe_id: str) -> str:
        now_s = int(time.time())
        return self.lease_signer.sign(
            leases.Lease("1", "clinic-a", spiffe_id, (leases.TRAINING,), now_s, now_s + 3600)
        )


def caller(request: web.Request) -> str | None:
    """The SPIFFE ID of the client certificate."""
    certificate = request.get_extra_info("peercert")
    if not certificate:
        return None
    return next((value for kind, value in certificate["subjectAltName"] if kind == "URI"), None)


def refusal(status: int, detail: str, hint: str = "") -> web.Response:
    return web.json_response(
        {"status": status, "detail": detail, "hint": hint},
        status=status,
        content_type="application/problem+json",
    )
