"""Takes what nodes say a round cost them, if it is signed with the key enrolled on chain."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import SignatureError
from contracts.messages import recover_digest
from contracts.personal import personal_digest
from marketplace.chain.outbox import events_of
from marketplace.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongSignature
from marketplace.nodes.credentials import must_be_enrolled
from marketplace.nodes.registry import present
from marketplace.storage.models import Enrollment, Round, UsageReport, UsageTotal
from metering.errors import MeteringError
from metering.usage import Usage, UsageSum, parse, total, total_of

_LOG = logging.getLogger(__name__)
_LARGEST = 2**63 - 1  # what a column holds
SUMMED: Final = tuple(each.name for each in fields(UsageSum))


def record(session: Session, enrollment_id: str, text: str, signature: bytes, now_s: int) -> None:
    """Keeps a node's report of one round; the same one again changes nothing.

    Args:
        session: of a transaction that writes.
        enrollment_id: of the node whose connection it came by.
        text: what `Usage.to_bytes` gave.
        signature: of the text as a wallet signs one (EIP-191), 65 bytes.
        now_s: the time.

    Raises:
        InvalidInput: the text is no report, or its numbers are beyond all measure.
        NotAllowed: the node is not enrolled (any more), or reports about another one.
        WrongSignature: not signed with the key that the node is enrolled with on chain.
        NotFound: no such run in its agreement, or the round is not sealed, as far as we know.
        Conflict: the node has reported this round otherwise.
    """
    usage = _read(text)
    enrollment = session.get_one(Enrollment, enrollment_id)
    must_be_enrolled(session, enrollment, now_s)
    if usage.node != enrollment.spiffe_id:
        raise NotAllowed(f"{enrollment.spiffe_id} reports about {usage.node}")
    enrolled = present(session, enrollment.agreement_id).get(enrollment.spiffe_id)
    if enrolled is None:
        raise NotAllowed(f"{enrollment.spiffe_id} is not enrolled on chain yet", hint="wait")
    _check_signature(usage, text, signature, enrolled.key)
    _must_be_sealed(session, usage, enrollment.agreement_id)
    known = session.get(UsageReport, (usage.run, usage.round, usage.node))
    if known is None:
        session.add(row_of(usage, enrolled.key, signature, now_s))
        add(session, usage.run, usage.node, total([usage]))
    elif usage_of(known) != usage:
        _LOG.warning(
            "%s has reported its usage in round %d of run %s before, in other numbers: refused",
            usage.node,
            usage.round,
            usage.run,
        )
        raise Conflict(
            f"{usage.node} has reported its usage in round {usage.round} before, in other numbers",
            hint="what was reported first stays",
        )


def usage_of(row: UsageReport) -> Usage:
    """A report as it was signed."""
    return Usage(
        run=row.run_id,
        round=row.round,
        node=row.spiffe_id,
        bytes_served=row.bytes_served,
        bytes_fetched=row.bytes_fetched,
        training_ms=row.training_ms,
        evaluation_ms=row.evaluation_ms,
        merge_ms=row.merge_ms,
        samples=row.samples,
        restarts=row.restarts,
        energy_j=row.energy_j,
    )


def add(session: Session, run_id: str, node: str, more: UsageSum) -> None:
    """Adds reports, just written, to what the node's reports on the run come to."""
    known = session.get(UsageTotal, (run_id, node))
    if known is None:
        session.add(UsageTotal(run_id=run_id, spiffe_id=node, **asdict(more)))
        return
    for name, value in asdict(total_of((_sum(known), more))).items():
        setattr(known, name, value)


def sums_of(session: Session, run_id: str) -> dict[str, UsageSum]:
    """What nodes reported on a run in all, by SPIFFE ID."""
    columns = (getattr(UsageTotal, name) for name in SUMMED)
    query = sa.select(UsageTotal.spiffe_id, *columns).where(UsageTotal.run_id == run_id)
    rows = session.execute(query.order_by(UsageTotal.spiffe_id))
    return {row.spiffe_id: _sum(row) for row in rows}


def _sum(row: UsageTotal | sa.Row[Any]) -> UsageSum:
    return UsageSum(**{name: getattr(row, name) for name in SUMMED})


def row_of(usage: Usage, key: str, signature: bytes, now_s: int) -> UsageReport:
    """A report as it is kept."""
    counts = asdict(usage)
    return UsageReport(
        run_id=counts.pop("run"),
        spiffe_id=counts.pop("node"),
        key=key,
        signature="0x" + signature.hex(),
        received_s=now_s,
        **counts,
    )


def _read(text: str) -> Usage:
    try:
        usage = parse(text.encode())
    except MeteringError as error:
        raise InvalidInput(f"this is no usage report: {error}", hint=error.hint) from error
    if any(isinstance(value, int) and value > _LARGEST for value in asdict(usage).values()):
        raise InvalidInput("a usage report has no numbers beyond 2^63")
    return usage


def _check_signature(usage: Usage, text: str, signature: bytes, key: str) -> None:
    try:
        signer = recover_digest(personal_digest(text), signature)
    except SignatureError as error:
        raise WrongSignature(str(error)) from error
    if signer != key:
        _LOG.warning(
            "a usage report of %s on round %d is signed by %s: refused",
            usage.node,
            usage.round,
            signer,
        )
        raise WrongSignature(
            f"this report is not signed with {key}, the key that {usage.node} is enrolled with"
        )


def _must_be_sealed(session: Session, usage: Usage, agreement_id: str) -> None:
    created = events_of(session, "RunCreated", run_id=usage.run)
    if not any(event.agreement_id == agreement_id for event in created):
        raise NotFound(f"there is no run {usage.run} under the agreement of {usage.node}")
    last = session.scalar(sa.select(sa.func.max(Round.number)).where(Round.run_id == usage.run))
    if last is None or usage.round > last:
        raise NotFound(f"round {usage.round} is not sealed yet, as far as is known here")
