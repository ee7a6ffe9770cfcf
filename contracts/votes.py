"""What several signers sign, as the contracts take it: in ascending order of their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from contracts.errors import MessageError
from contracts.messages import Attestation, Row, Votes

Votings = Mapping[int, bytes]
"""Party number to its wallet's signature, under one message."""

_NO_ROW = Row(0, 0, 0, b"")


def ascending(signatures: Mapping[int, bytes]) -> tuple[list[int], list[bytes]]:
    """The signers in order, and their signatures."""
    signers = sorted(signatures)
    return signers, [signatures[each] for each in signers]


def common_part(attestation: Attestation) -> Attestation:
    """What all signers of a round under local metering sign alike: no losses, metric and shares.

    The next `prev` is built from it.
    """
    return with_row(attestation, _NO_ROW)


def row_of(attestation: Attestation) -> Row:
    """The fields that are the signer's own under local metering."""
    return Row(
        attestation.loss_before, attestation.loss_after, attestation.metric, attestation.shares
    )


def with_row(common: Attestation, row: Row) -> Attestation:
    """The attestation that the signer of a row signed."""
    return replace(
        common,
        loss_before=row.loss_before,
        loss_after=row.loss_after,
        metric=row.metric,
        shares=row.shares,
    )


def votes_of(signed: Mapping[int, tuple[Attestation, bytes]]) -> tuple[Attestation, Votes]:
    """What `Training.seal_local` takes, from registration to signed attestation and signature.

    Raises:
        MessageError: nobody signed, or they differ in more than their rows.
    """
    if len(commons := {common_part(attestation) for attestation, _ in signed.values()}) != 1:
        raise MessageError(
            "the attestations differ in more than losses, metric and shares"
            if commons
            else "there is no attestation"
        )
    signers = sorted(signed)
    signatures = b"".join(signed[each][1] for each in signers)
    rows = tuple(row_of(signed[each][0]) for each in signers)
    return commons.pop(), Votes(tuple(signers), signatures, rows)


NO_VOTES = Votes((), b"", ())
"""Where nobody is late."""
