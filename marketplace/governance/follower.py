"""Keeps agreements as the chain has them: the version in force, its parties, their wallets.

What it writes follows from the indexed events and the time alone, so it may be repeated, and after
a reorganization it writes what was before. Nothing here is the record of anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.chain.trouble import Trouble
from marketplace.errors import MarketError
from marketplace.storage.database import Database
from marketplace.storage.models import Agreement, AgreementVersion, Event, Party

_LOG = logging.getLogger(__name__)
_KINDS: Final = ("AgreementAmended", "WalletChanged")


class Follower:
    """Follows the index. Every process that serves may run one: they write the same."""

    def __init__(self, database: Database, interval_s: float, clock: Callable[[], int]) -> None:
        self._database = database
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """Keeps agreements up to date until it is cancelled."""
        trouble = Trouble(_LOG, "the follower")
        while True:
            try:
                await self.step()
                trouble.over()
            except (MarketError, sa.exc.OperationalError) as error:
                trouble.is_(error)
            # The index announces nothing, and a wallet's day comes without any event.
            await asyncio.sleep(self._interval_s)

    async def step(self) -> int:
        """Looks at every agreement that ever changed; gives how many rows it had to write."""
        due = await self._database.read(_due, self._clock())
        return await self._database.write(_write, due, self._clock()) if due else 0


def _due(session: Session, now_s: int) -> list[str]:
    """The agreements whose rows are not what the events say."""
    changed = sa.select(AgreementVersion.agreement_id).union(
        sa.select(Event.agreement_id).where(Event.kind.in_(_KINDS))
    )
    found = session.scalars(sa.select(Agreement).where(Agreement.id.in_(changed)))
    return [each.id for each in found if _refresh(session, each, now_s, only_look=True)]


def _write(session: Session, agreements: Sequence[str], now_s: int) -> int:
    return sum(
        _refresh(session, session.get_one(Agreement, each), now_s, only_look=False)
        for each in agreements
    )


def _refresh(session: Session, agreement: Agreement, now_s: int, *, only_look: bool) -> int:
    version = _in_force(session, agreement.id)
    wanted = _parties(session, agreement.id, version, now_s)
    rows = {each.number: each for each in agreement.parties}
    same = (
        agreement.message == version.message
        and {n: (row.organization, row.wallet, row.weight) for n, row in rows.items()} == wanted
    )
    if same or only_look:
        return 0 if same else 1
    agreement.title, agreement.fields = version.title, version.fields
    agreement.document, agreement.message = version.document, version.message
    for number in rows.keys() - wanted.keys():  # added by an amendment that a reorganization took
        session.delete(rows[number])
    for number, (organization, wallet, weight) in wanted.items():
        row = rows.get(number)
        if row is None:
            row = Party(agreement_id=agreement.id, number=number, organization=organization)
            session.add(row)
        row.wallet, row.weight = wallet, weight
    session.flush()
    _LOG.info("agreement %s is at version %d", agreement.id, version.version)
    return 1


def _in_force(session: Session, agreement_id: str) -> AgreementVersion:
    """The latest version in force whose text is known here; the first, if none was amended."""
    amended = _events(session, agreement_id, "AgreementAmended")
    for event in reversed(amended):
        found = session.get(AgreementVersion, event.data["agreement_hash"])
        if found is not None:
            return found
    first = session.get(AgreementVersion, agreement_id)
    if first is not None:
        return first
    agreement = session.get_one(Agreement, agreement_id)
    return AgreementVersion(
        hash=agreement_id,
        version=1,
        title=agreement.title,
        fields=agreement.fields,
        document=agreement.document,
        message=agreement.message,
    )


def _parties(
    session: Session, agreement_id: str, version: AgreementVersion, now_s: int
) -> dict[int, tuple[str, str, int]]:
    """Organization, present wallet and weight of each party, by number."""
    listed: list[dict[str, Any]] = version.message["parties"]
    wallets = {n: each["wallet"] for n, each in enumerate(listed)}
    changes = _events(session, agreement_id, "WalletChanged")
    voted = {event.transaction for event in _events(session, agreement_id, "Decided")}
    delay_s = version.message["bylaws"]["wallet_delay"]
    for number in wallets:
        # When it was made, and from when on it counts: a vote takes effect after a delay.
        own = [
            (since - delay_s if event.transaction in voted else since, since, event.data["wallet"])
            for event in changes
            if event.data["party"] == number
            for since in [int(event.data["since"])]
        ]
        wallets[number] = _present(wallets[number], own, now_s)
    return {n: (each["organization"], wallets[n], each["weight"]) for n, each in enumerate(listed)}


def _present(listed: str, changes: Sequence[tuple[int, int, str]], now_s: int) -> str:
    """The wallet after all changes (made, since, wallet) in their order.

    A change that was made before an earlier one took effect calls that one off, as in the contract.
    """
    wallet = listed
    for n, (_, since, new) in enumerate(changes):
        called_off = n + 1 < len(changes) and changes[n + 1][0] < since
        if since <= now_s and not called_off:
            wallet = new
    return wallet


def _events(session: Session, agreement_id: str, kind: str) -> Sequence[Event]:
    query = sa.select(Event).where(Event.agreement_id == agreement_id, Event.kind == kind)
    return session.scalars(query.order_by(Event.block, Event.log_index)).all()
