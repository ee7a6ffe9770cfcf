"""Client of the marketplace's agent listener. Nothing here is on the path of training."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from yarl import URL

from node_agent.errors import IdentityError, MarketplaceError
from node_agent.identity.svid import Svid
from node_agent.identity.tls import load_key

TIMEOUT_S = 20.0
_CERTIFICATE_LIMIT_BYTES = 1 << 16


class MarketplaceClient:
    """Speaks HTTP over TLS 1.3; every failure is a MarketplaceError with the marketplace's hint.

    Here, unlike between nodes, the host name in the certificate counts: the built-in CA certifies
    nodes too, and none of them may pass for the marketplace.
    """

    def __init__(
        self, url: str, authorities_pem: bytes, svid: Callable[[], Svid] | None = None
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: https://host:port of the agent listener.
            authorities_pem: whom the listener's certificate must come from, and nobody else.
            svid: the client certificate to show; None before there is one.
        """
        self._url = URL(url)
        self._authorities = authorities_pem.decode("ascii")
        self._svid = svid
        self._session: aiohttp.ClientSession | None = None
        self._latest: tuple[Svid | None, ssl.SSLContext] | None = None

    async def enroll(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Exchanges a token; may be repeated with the same request."""
        return await self._post("/agents/v1/enroll", request)

    async def sign_enrollment(self, enrollment: str, signature: bytes) -> dict[str, Any]:
        """Delivers the node key's signature under the enrollment; may be repeated."""
        path = f"/agents/v1/enrollments/{enrollment}/key-signature"
        return await self._post(path, {"signature": "0x" + signature.hex()})

    async def renew(self, csr_pem: bytes) -> tuple[bytes, bytes]:
        """A new SVID for the CSR's key: chain and bundle, as PEM."""
        answer = await self._post("/agents/v1/renew", {"csr_pem": csr_pem.decode("ascii")})
        return text(answer, "svid_pem").encode(), text(answer, "bundle_pem").encode()

    async def lease(self) -> str:
        """A new software lease."""
        return text(await self._post("/agents/v1/lease", {}), "lease")

    async def return_lease(self, lease_id: str) -> None:
        """Gives a seat back; may be repeated."""
        await self._post("/agents/v1/lease/return", {"lease": lease_id})

    async def report(self, status: Mapping[str, Any]) -> None:
        """A heartbeat, for the page of nodes."""
        await self._post("/agents/v1/status", status)

    async def usage(self, report: str, signature: str) -> None:
        """Hands over a signed usage report; may be repeated."""
        await self._post("/agents/v1/usage", {"usage": report, "signature": signature})

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        url = self._url.origin().with_path(path)
        try:
            async with self._session.post(
                url, json=body, ssl=self._context(), allow_redirects=False
            ) as response:
                answer = await response.read()
                if response.status >= 400:
                    raise _refusal(response.status, answer)
        except IdentityError as error:
            raise MarketplaceError(str(error), hint=error.hint) from error
        except TimeoutError as error:
            raise MarketplaceError(
                f"the marketplace at {self._url} did not answer within {TIMEOUT_S:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise MarketplaceError(
                f"the marketplace at {self._url} cannot be reached: {error}",
                hint="training goes on without it, enrolling and renewing do not",
            ) from error
        try:
            value = json.loads(answer) if answer else {}
        except ValueError as error:
            raise MarketplaceError(f"{url} did not answer with JSON") from error
        if not isinstance(value, dict):
            raise MarketplaceError(f"{url} did not answer with an object")
        return value

    def _context(self) -> ssl.SSLContext:
        """One for each SVID: aiohttp keeps connections by it, and none outlives its SVID."""
        svid = self._svid() if self._svid is not None else None
        if self._latest is None or self._latest[0] is not svid:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks dates, chain and host name
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_verify_locations(cadata=self._authorities)
            if svid is not None:
                load_key(context, svid)
            self._latest = svid, context
        return self._latest[1]


async def fetch_authority(url: str, fingerprint: str) -> bytes:
    """The marketplace's CA certificate as PEM: the one with that SHA-256 of its DER, in hex.

    Raises MarketplaceError: no answer, or from somebody with another CA.
    """
    # Nothing is said on this connection, and all that is taken from it is a certificate that the
    # fingerprint identifies: there is nothing to verify yet, and no name to check.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(
                URL(url).origin().with_path("/agents/v1/ca"), ssl=context, allow_redirects=False
            ) as response,
        ):
            size = response.content_length
            if size is None or size > _CERTIFICATE_LIMIT_BYTES:
                raise ValueError("that is no certificate")
            der = ssl.PEM_cert_to_DER_cert((await response.read()).decode("ascii"))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise MarketplaceError(
            f"no connection to the marketplace at {url}: {error or 'no answer'}",
            hint="the token names this address: can this machine reach it?",
        ) from error
    except ValueError:
        der = b""
    if hashlib.sha256(der).hexdigest() != fingerprint.lower():
        raise MarketplaceError(
            f"whoever answers at {url} is not the marketplace that issued the token",
            hint="somebody may be in between: do not go on, and tell your consortium",
        )
    return ssl.DER_cert_to_PEM_cert(der).encode("ascii")


def text(answer: Mapping[str, Any], name: str) -> str:
    """A field of an answer that must be a text. Raises MarketplaceError."""
    value = answer.get(name)
    if not isinstance(value, str):
        raise MarketplaceError(
            f"the marketplace's answer lacks {name}", hint="do its version and the agent's fit?"
        )
    return value


def _refusal(status: int, answer: bytes) -> MarketplaceError:
    try:
        problem = json.loads(answer)
        detail = problem.get("detail") or problem.get("title")
        hint = str(problem.get("hint") or "")
    except (ValueError, AttributeError):
        detail, hint = None, ""
    return MarketplaceError(
        f"the marketplace says: {detail or f'HTTP {status}'}", status=status, hint=hint
    )
