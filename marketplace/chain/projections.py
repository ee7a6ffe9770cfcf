"""What is derived from single events: rows for sealed rounds and for what they credited."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import events as chain_events
from contracts.deployment import Deployment
from contracts.messages import unpack_shares
from marketplace.errors import MarketError
from marketplace.storage.models import Credit, Event, Round
from metering.vesting import credits_wei

# Beyond this, JSON numbers lose digits in programs that read them as doubles.
_EXACT_IN_JSON = 2**53
# What a column holds. The contracts have losses up to twice as large.
_LARGEST_INTEGER = 2**63 - 1
_REJECT_BYTES = 3
_PLACE = {field.name for field in dataclasses.fields(chain_events.Event)}
# What rewards and royalties call alike is of rewards unless it says otherwise.
_SHARED = {"Claimed": "OfRoyalties", "Delegated": "OfRoyalties"}


class LedgerMismatch(MarketError):
    """What we computed from an event differs from what the contract said it credited."""

    code = "ledger-mismatch"


def store(session: Session, deployment: Deployment, found: Iterable[chain_events.Event]) -> int:
    """Stores events in the order of the chain, and what follows from them. Safe to repeat.

    Returns:
        How many of them were new.

    Raises:
        LedgerMismatch: a settlement does not come to the sum that the contract reported.
    """
    stored = 0
    # Their own events say nothing about agreements or runs.
    ignored = deployment.token, deployment.roles, deployment.registry
    for event in found:
        if event.contract in ignored:
            continue
        place = (
            Event.chain_id == deployment.chain_id,
            Event.block_hash == event.block_hash,
            Event.log_index == event.log_index,
        )
        if session.scalar(sa.select(Event.id).where(*place)) is not None:
            continue
        row = _row(deployment, event)
        session.add(row)
        session.flush()
        stored += 1
        if isinstance(event, chain_events.Sealed):
            _store_round(session, row, event)
    return stored


def _row(deployment: Deployment, event: chain_events.Event) -> Event:
    data = {
        field.name: _plain(getattr(event, field.name))
        for field in dataclasses.fields(event)
        if field.name not in _PLACE
    }
    return Event(
        chain_id=deployment.chain_id,
        block=event.block,
        block_hash=event.block_hash,
        log_index=event.log_index,
        transaction=event.transaction,
        kind=_kind(deployment, event),
        agreement_id=data.get("agreement"),
        run_id=data.get("run_id"),
        data=data,
    )


def _kind(deployment: Deployment, event: chain_events.Event) -> str:
    """The event's name; of two contracts that share one, the other's is told apart."""
    name = type(event).__name__
    return name + _SHARED.get(name, "") if event.contract == deployment.royalties else name


def _store_round(session: Session, row: Event, sealed: chain_events.Sealed) -> None:
    run_id = "0x" + sealed.run_id.hex()
    shares = unpack_shares(sealed.shares)
    session.add(
        Round(
            event_id=row.id,
            run_id=run_id,
            number=sealed.round,
            term=sealed.term,
            merged_root="0x" + sealed.merged_root.hex(),
            loss_before_e9=min(sealed.loss_before, _LARGEST_INTEGER),
            loss_after_e9=min(sealed.loss_after, _LARGEST_INTEGER),
            metric_e9=sealed.metric,
            shares=[list(share) for share in shares],
            rejects=_rejects(sealed.rejects),
            signers=list(sealed.signers),
            credited_wei=sealed.credited,
        )
    )
    if sealed.credited:
        _store_credits(session, row, run_id, sealed, shares)
    session.flush()


def _rejects(packed: bytes) -> list[list[int]]:
    """[registration, reason] of each. The contract takes these bytes as they are: so do we."""
    whole = len(packed) - len(packed) % _REJECT_BYTES
    entries = (packed[n : n + _REJECT_BYTES] for n in range(0, whole, _REJECT_BYTES))
    return [[int.from_bytes(entry[:2], "big"), entry[2]] for entry in entries]


def _store_credits(
    session: Session,
    row: Event,
    run_id: str,
    sealed: chain_events.Sealed,
    shares: tuple[tuple[int, int], ...],
) -> None:
    """Divides a settlement by the contract's own rule.

    The contract says how much of the pool is vested (`Credited`, raised in the same transaction,
    before `Sealed`) and how much it credited in all, not to whom: that follows from the row that
    was sealed, each share of what had not been credited before being rounded down.
    """
    credited = _credited_events(session, run_id)
    own = [each for each in credited if each.transaction == row.transaction][-1]
    before_wei = sum(int(each.data["credited"]) for each in credited if each.id != own.id)
    amounts = credits_wei(int(own.data["vested"]) - before_wei, [bips for _, bips in shares])
    if sum(amounts) != sealed.credited:
        raise LedgerMismatch(
            f"round {sealed.round} of run {run_id}: {sum(amounts)} wei by our account, "
            f"{sealed.credited} wei by the contract's",
            hint="events are missing from the index: point rpc_url at an endpoint with all logs",
        )
    for (party, bips), amount_wei in zip(shares, amounts, strict=True):
        session.add(
            Credit(
                event_id=row.id,
                party=party,
                run_id=run_id,
                round=sealed.round,
                share_bips=bips,
                amount_wei=amount_wei,
            )
        )


def _credited_events(session: Session, run_id: str) -> list[Event]:
    query = sa.select(Event).where(Event.run_id == run_id, Event.kind == "Credited")
    return list(session.scalars(query.order_by(Event.block, Event.log_index)))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, int) and abs(value) > _EXACT_IN_JSON:
        return str(value)
    return value
