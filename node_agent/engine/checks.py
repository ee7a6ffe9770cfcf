"""From an envelope of anybody's to a message that a member signed for this very round."""

from __future__ import annotations

from typing import Any, TypeVar

from contracts.errors import MessageError
from contracts.messages import (
    Attestation,
    Holdings,
    Refusal,
    Roster,
    Update,
    from_json,
    recover,
    unpack_rejects,
    unpack_shares,
)
from node_agent.engine.context import RoundContext
from node_agent.engine.rosters import Signed
from node_agent.engine.rows import check_opinion
from node_agent.errors import MessageRefused
from node_agent.peers.protocol import Envelope

T = TypeVar("T", Update, Holdings, Attestation, Refusal, Roster)

REASON_LIMIT_CHARS = 200  # of a refusal
_SPARE_TERMS = 64  # besides one for every node: dead leaders' terms are over at once
_REMEMBERED = 4096  # signatures; the same message comes from many sides


class Checks:
    """Reads the messages of one round. What it returns is well-formed, bounded and signed."""

    def __init__(self, context: RoundContext) -> None:
        self._context = context
        self._remembered: dict[tuple[type, int, str], tuple[dict[str, Any], Signed[Any]]] = {}
        self.last_term = len(context.members) + _SPARE_TERMS
        """What is signed for a later term is refused: one member's words must not fill memory."""

    def read(self, kind: type[T], envelope: Envelope, body: object = None) -> Signed[T]:
        """The message in ``envelope`` (or in ``body``, a part of it). ``MessageRefused``."""
        value = envelope.message if body is None else body
        identity = (kind, envelope.registration, envelope.signature)
        known = self._remembered.get(identity)
        if known and known[0] == value:
            return known[1]
        try:
            signed = self._read(kind, envelope, value)
        except (MessageError, ValueError) as error:
            # ValueError: numbers of more digits than Python reads.
            raise MessageRefused(f"malformed {envelope.kind}: {str(error)[:200]}") from error
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        if isinstance(value, dict):
            self._remembered[identity] = (value, signed)
        return signed

    def _read(self, kind: type[T], envelope: Envelope, value: object) -> Signed[T]:
        context = self._context
        signer = context.by_registration.get(envelope.registration)
        if signer is None:
            raise MessageRefused(
                f"registration {envelope.registration} is not in this round's snapshot"
            )
        message = from_json(kind, value)
        if message.run_id != context.run_id or message.round != context.round:
            raise MessageRefused("the message belongs to another run or round")
        if message.prev != context.prev:
            raise MessageRefused("the message names another predecessor (prev)")
        if getattr(message, "registration", signer.registration) != signer.registration:
            raise MessageRefused("the message names another node than its signer")
        self._bounded(message, signer.registration)
        signature = bytes.fromhex(envelope.signature[2:])
        if recover(context.domain, message, signature) != signer.key:
            raise MessageRefused(f"the signature is not that of {signer.spiffe_id}")
        return Signed(message, signer.registration, envelope.signature)

    def _bounded(
        self, message: Update | Holdings | Attestation | Refusal | Roster, signer: int
    ) -> None:
        """Refuse what no honest node would say, before it is kept or acted upon."""
        context = self._context
        if getattr(message, "term", 0) > self.last_term:
            raise MessageRefused(f"term {self.last_term} is the last one of a round")
        match message:
            case Update() if message.samples < context.terms.min_samples:
                raise MessageRefused(
                    f"an update from {message.samples} samples; "
                    f"the terms ask for {context.terms.min_samples}"
                )
            case Holdings() if len(message.bitmap) > (len(context.members) + 7) // 8:
                raise MessageRefused("the bitmap is longer than any roster")
            case Refusal() if len(message.reason) > REASON_LIMIT_CHARS:
                raise MessageRefused(f"the reason has more than {REASON_LIMIT_CHARS} characters")
            case Attestation():
                shares = unpack_shares(message.shares)
                parties = {peer.party for peer in context.members}
                if not {party for party, _ in shares} <= parties:
                    raise MessageRefused("the shares name a party that is not in the snapshot")
                if context.local:
                    # The contract would refuse the whole seal for one such row.
                    check_opinion(context, context.by_registration[signer].party, shares)
                if not {n for n, _ in unpack_rejects(message.rejects)} <= set(
                    context.by_registration
                ):
                    raise MessageRefused("the rejects name a node that is not in the snapshot")
