"""Who signed what was recorded: the transaction of a seal, its signatures, and the quorum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.abi import called
from contracts.consortium import Registration
from contracts.errors import MessageError
from contracts.events import RowCounted, Sealed
from contracts.messages import Attestation, Row, Votes, from_abi, recover
from contracts.parties import parties_in
from contracts.training import Training
from contracts.votes import with_row
from marketplace.audit.findings import Findings, Place, Step
from marketplace.audit.records import Posted, Records

_SIGNATURE_BYTES = 65
_LOCAL_METERING = 3


@dataclass(frozen=True, slots=True)
class Vote:
    """One signature under one attestation."""

    registration: int
    attestation: Attestation
    signature: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """What a transaction told the referee: a round's attestation, and rows of the one before."""

    attestation: Attestation | None
    votes: tuple[Vote, ...]
    late: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """Who was counted in a round: the nodes by registration, the parties as a set."""

    nodes: Mapping[int, Registration]
    active: int

    @classmethod
    def of(cls, records: Records, version: int, active: int) -> Members:
        """The nodes of a snapshot. Those of parties that are not counted may sign all the same."""
        belonging = (each for each in records.registrations if each.belongs(version))
        return cls({each.number: each for each in belonging}, active)

    def parties(self, registrations: Sequence[int]) -> set[int]:
        """The counted parties of these nodes."""
        counted = set(parties_in(self.active))
        return {self.nodes[n].party for n in registrations if n in self.nodes} & counted


def decode(posted: Posted, training: str) -> Seal | None:
    """Read a transaction; None if it went to another contract, which then called the referee."""
    call = called(Training.NAME, posted.data) if posted.to == training else None
    if call is None:
        return None
    name, values = call
    if name == "seal":
        attestation, signers, signatures = from_abi(Attestation, values[0]), values[1], values[2]
        cut = _cut(signatures, len(signers))
        votes = [Vote(n, attestation, each) for n, each in zip(signers, cut, strict=True)]
        return Seal(attestation, tuple(votes), ())
    if name == "addRows":
        return Seal(None, (), _votes(from_abi(Attestation, values[0]), from_abi(Votes, values[1])))
    if name != "sealLocal":
        return None
    attestation = from_abi(Attestation, values[0])
    late = _votes(from_abi(Attestation, values[2]), from_abi(Votes, values[3]))
    return Seal(attestation, _votes(attestation, from_abi(Votes, values[1])), late)


def _votes(common: Attestation, votes: Votes) -> tuple[Vote, ...]:
    cut = _cut(votes.signatures, len(votes.signers))
    return tuple(
        Vote(n, with_row(common, row), each)
        for n, row, each in zip(votes.signers, votes.rows, cut, strict=True)
    )


def _cut(signatures: bytes, count: int) -> list[bytes]:
    if len(signatures) != count * _SIGNATURE_BYTES:
        raise MessageError(f"{len(signatures)} bytes are not the signatures of {count}")
    starts = range(0, len(signatures), _SIGNATURE_BYTES)
    return [signatures[start : start + _SIGNATURE_BYTES] for start in starts]


def check_seal(
    records: Records, findings: Findings, event: Sealed, members: Members
) -> Seal | None:
    """Hold what was recorded to what was signed, and by how many.

    Returns:
        What was signed; None where the transaction does not show it.
    """
    place = Place(step=Step.SEAL, round=event.round, transaction=event.transaction)
    posted = records.posted.get(event.transaction)
    seal = decode(posted, records.deployment.training) if posted else None
    if seal is None or seal.attestation is None:
        findings.gap(place, "it was posted through another contract, which hides the signatures")
        return None
    signed = seal.attestation
    for name in (
        "round", "prev", "term", "roster_root", "merged_root", "loss_before", "loss_after",
        "metric", "shares", "rejects",
    ):  # fmt: skip
        findings.same(place, f"recorded {name}", getattr(signed, name), getattr(event, name))
    findings.same(place, "run of the attestation", records.run_id, signed.run_id)
    findings.same(place, "signers", tuple(v.registration for v in seal.votes), event.signers)
    for vote in seal.votes:
        check_signature(records, findings, place, vote, members)
    organizations = len(members.parties([vote.registration for vote in seal.votes]))
    least = quorum(records, members.active)
    if organizations < least:
        findings.differ(place, "organizations that signed", f"{least} or more", str(organizations))
    findings.done(Step.SEAL)
    return seal


def check_rows(records: Records, findings: Findings, event: RowCounted, members: Members) -> None:
    """Local metering: hold a row that counts to what its organization signed."""
    place = Place(
        step=Step.ROW,
        round=event.round,
        organization=records.organization(event.party),
        transaction=event.transaction,
    )
    posted = records.posted.get(event.transaction)
    seal = decode(posted, records.deployment.training) if posted else None
    if seal is None:
        findings.gap(place, "it was posted through another contract, which hides the signature")
        return
    votes = [
        vote
        for vote in (*seal.votes, *seal.late)
        if (vote.registration, vote.attestation.round) == (event.registration, event.round)
    ]
    if not votes:
        findings.differ(place, "its row", "one that its node signed", "none in the transaction")
    vote = votes[0]
    recorded = Row(event.loss_before, event.loss_after, event.metric, event.shares)
    findings.same(place, "its row", vote.attestation, with_row(vote.attestation, recorded))
    check_signature(records, findings, place, vote, members)
    node = members.nodes[event.registration]
    findings.same(place, "party of the node that signed its row", event.party, node.party)


def check_signature(
    records: Records, findings: Findings, place: Place, vote: Vote, members: Members
) -> None:
    """Hold one signature to the key that was registered for the round."""
    node = members.nodes.get(vote.registration)
    if node is None:
        findings.differ(
            place, "a signer", "a node of the round's snapshot", f"registration {vote.registration}"
        )
        return
    try:
        found = recover(records.domain, vote.attestation, vote.signature)
    except MessageError as error:
        found = str(error)
    findings.same(place, f"key that signed for {node.spiffe_id}", node.key, found)


def quorum(records: Records, active: int) -> int:
    """Organizations that have to sign: max(minPeers, more than half of those that are counted)."""
    least = records.terms.min_peers or records.pool.parties // 2 + 1
    return max(least, len(parties_in(active)) // 2 + 1)


def is_local(records: Records) -> bool:
    """Does each organization sign a row of its own?"""
    return records.terms.metering == _LOCAL_METERING
