"""What ties a TLS key to a node key, so that a certificate authority alone can impersonate nobody.

At each rotation a node signs TlsBinding{agreement, spkiHash, notAfter} with the key that is
enrolled on chain. Both sides send it with every request and response, and check the other's against
the key that the chain names.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from contracts.keys import Signer
from contracts.messages import Domain, MessageError, TlsBinding, recover, sign
from node_agent.errors import IdentityError
from node_agent.identity.source import Clock, IdentitySource
from node_agent.identity.svid import Leaf, Svid

SIGNATURE_HEADER = "Swarm-Tls-Binding"
NOT_AFTER_HEADER = "Swarm-Tls-Not-After"
_REMEMBERED = 1024


class NodeIdentity:
    """The two halves of a node's identity: SVIDs, and the node key that vouches for their keys."""

    def __init__(self, source: IdentitySource, signer: Signer, *, clock: Clock = time.time) -> None:
        self.source = source
        self.signer = signer
        self.clock = clock

    def current(self) -> Svid:
        """The SVID to be shown now. Raises IdentityError when there is none, or it is over."""
        return self.source.current()


class Bindings:
    """Makes this node's binding headers and checks others', each once per TLS key."""

    def __init__(self, identity: NodeIdentity, agreement: bytes, consortium: Domain) -> None:
        self._identity = identity
        self._agreement = agreement
        self._consortium = consortium
        self._own: dict[tuple[bytes, int], dict[str, str]] = {}
        self._verified: set[tuple[str, bytes, str, int]] = set()

    def headers(self, leaf: Leaf) -> Mapping[str, str]:
        """The headers that vouch for this node's own TLS key of `leaf`."""
        not_after = int(leaf.not_after_s)
        name = (leaf.spki_hash, not_after)
        if name not in self._own:
            binding = TlsBinding(self._agreement, leaf.spki_hash, not_after)
            signature = sign(self._consortium, binding, self._identity.signer)
            if len(self._own) >= _REMEMBERED:
                self._own.clear()
            self._own[name] = {
                SIGNATURE_HEADER: "0x" + signature.hex(),
                NOT_AFTER_HEADER: str(not_after),
            }
        return self._own[name]

    def check(self, leaf: Leaf, key: str, headers: Mapping[str, str]) -> None:
        """Raises IdentityError unless the node key at address `key` vouches for that TLS key."""
        signature = headers.get(SIGNATURE_HEADER, "")
        try:
            not_after = int(headers.get(NOT_AFTER_HEADER, ""))
        except ValueError:
            raise IdentityError(
                f"{leaf.spiffe_id} does not bind its TLS key to its node key"
            ) from None
        if self._identity.clock() >= not_after:
            raise IdentityError(f"the TLS binding of {leaf.spiffe_id} has expired")
        name = (key, leaf.spki_hash, signature, not_after)
        if name in self._verified:
            return
        try:
            binding = TlsBinding(self._agreement, leaf.spki_hash, not_after)
            signed_by = recover(
                self._consortium, binding, bytes.fromhex(signature.removeprefix("0x"))
            )
        except (MessageError, ValueError) as error:
            raise IdentityError(
                f"the TLS binding of {leaf.spiffe_id} is malformed: {error}"
            ) from error
        if signed_by.lower() != key.lower():
            raise IdentityError(
                f"the TLS key of {leaf.spiffe_id} is not bound by its node key {key}",
                hint="someone may have a certificate in this node's name: tell its operator",
            )
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified.add(name)
