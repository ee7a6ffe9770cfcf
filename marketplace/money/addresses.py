"""Where a webhook may go: to the outside, not to machines that only we can reach."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from marketplace.errors import InvalidInput

_LARGEST_URL: Final = 2_048
_LOOKUP_S: Final = 5
_PORTS: Final = {"https": 443, "http": 80}


class AddressRefused(InvalidInput):
    """A URL that no request is sent to."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL with its host looked up.

    Attributes:
        url: with the address that was found in place of the name.
        host: the name, for TLS.
        host_header: the name, and the port if it is not the usual one.
    """

    url: str
    host: str
    host_header: str


async def resolve(url: str, *, may_reach_private: bool) -> Target:
    """Looks a URL's host up, and refuses what lies inside.

    Args:
        url: where a request is to go.
        may_reach_private: allow addresses of private networks and this machine, and plain HTTP.

    Raises:
        AddressRefused: no URL of ours, no such host, or one of its addresses is not public.
    """
    if len(url) > _LARGEST_URL or not url.isascii() or not url.isprintable():
        raise AddressRefused("a webhook's URL has at most 2,048 characters, all of them ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressRefused(f"not a URL: {error}") from error
    if parts.scheme not in (("https", "http") if may_reach_private else ("https",)):
        raise AddressRefused(
            "webhooks go to https URLs", hint="https://…; what is told is confidential"
        )
    if not host or parts.username is not None or parts.password is not None or " " in url:
        raise AddressRefused("a webhook's URL names a host, and no user or password")
    number = _PORTS[parts.scheme] if port is None else port
    found = await _lookup(host, number)
    private = [each for each in found if not _is_public(each)]
    if private and not may_reach_private:
        raise AddressRefused(
            f"{host} is at {private[0]}, which is not a public address",
            hint="an operator may allow this: webhooks_may_reach_private_networks",
        )
    address = f"[{found[0]}]" if ":" in found[0] else found[0]
    target = urlunsplit((parts.scheme, f"{address}:{number}", parts.path or "/", parts.query, ""))
    shown = f"[{host}]" if ":" in host else host
    return Target(target, host, shown if number == _PORTS[parts.scheme] else f"{shown}:{number}")


async def _lookup(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_LOOKUP_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise AddressRefused(
            f"there is no host {host}: {error}", hint="is the name right?"
        ) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _is_public(text: str) -> bool:
    """Whether anybody's packets may go there; what is embedded in IPv6 counts as what it is."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return _is_public(str(inner))
        if address in _NAT64:
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
