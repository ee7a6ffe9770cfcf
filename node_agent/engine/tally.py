"""Who signed the same: what a quorum of attestations is counted by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from contracts.messages import Attestation, digest, pack_shares, unpack_shares
from contracts.votes import common_part
from node_agent.engine.context import RoundContext


@dataclass(slots=True)
class Tally:
    """Who signed one and the same attestation; under `local`, but for rows over the same parties.

    ``attestation`` is what all signed alike, ``signed`` what each one did.
    """

    attestation: Attestation
    signatures: dict[int, str] = field(default_factory=dict)
    signed: dict[int, Attestation] = field(default_factory=dict)

    @property
    def listed(self) -> tuple[int, ...]:
        """The organizations that the rows are about."""
        first = next(iter(self.signed.values()))
        return tuple(party for party, _ in unpack_shares(first.shares))

    def seen_by(self, registration: int) -> Attestation:
        """With this node's own numbers where it signed any; under `local` zeros otherwise."""
        return self.signed.get(registration, self.attestation)


def tallied_as(context: RoundContext, attestation: Attestation) -> tuple[Attestation, bytes]:
    """What an attestation has to have in common with others to be counted with them; and a key."""
    common = attestation
    if context.local:
        # Rows over other organizations could not be sealed together.
        common = common_part(attestation)
        listed = [(party, 0) for party, _ in unpack_shares(attestation.shares)]
        return common, digest(context.domain, replace(common, shares=pack_shares(listed)))
    return common, digest(context.domain, attestation)
