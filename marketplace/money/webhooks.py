"""Tells announcements to those who asked for it: signed requests, repeated until they arrive.

What is to be told lies in the table `deliveries`, written with the announcement itself. A delivery
is taken up by one process at a time, for a limited time; a crash after sending leads to the same
request once more, under the same id. The form is that of Standard Webhooks:

    webhook-id: <the delivery's id>        webhook-timestamp: <Unix seconds>
    webhook-signature: v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>

A webhook's secret is derived from the key in the marketplace's folder, shown once and never stored.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts.errors import KeyFileError
from contracts.keys import read_private, write_private
from marketplace.access import Caller
from marketplace.chain.trouble import Trouble
from marketplace.errors import Conflict, InvalidInput, NotFound
from marketplace.identity.secrets import new_id, new_secret
from marketplace.money import announcements
from marketplace.money.addresses import AddressRefused, resolve
from marketplace.storage.database import Database
from marketplace.storage.models.announcements import Announcement, Delivery, Webhook

_LOG = logging.getLogger(__name__)
KEY_FILE: Final = "webhook.key"
_TIMEOUT_S: Final = 10
# A process that took a delivery up and has not said how it went by then, has died.
_LEASE_S: Final = 60
_SWEEP_S: Final = 60
_AT_ONCE: Final = 8
_BATCH: Final = 32
_MOST_EACH: Final = 10
_GONE: Final = 410
# Pause before each repetition [s]; after the last one it is given up: three days in all.
PAUSES_S: Final = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 64_800, 129_600)


@dataclass(frozen=True, slots=True)
class _Due:
    """A delivery that is to be sent now."""

    id: str
    webhook_id: str
    url: str
    attempts: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: the answer's status, or why there was none."""

    status: int | None
    error: str

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Webhooks:
    """Keeps the webhooks, and works through their deliveries."""

    def __init__(
        self,
        database: Database,
        chain_id: int,
        key: bytes,
        notices: announcements.Notices,
        clock: Callable[[], int],
        *,
        may_reach_private: bool,
        interval_s: float = 1.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._database = database
        self._chain_id = chain_id
        self._key = key
        self._notices = notices
        self._clock = clock
        self._may_reach_private = may_reach_private
        self._interval_s = interval_s
        self._swept_s = 0
        self._tls = tls or ssl.create_default_context()  # the system's authorities

    async def run(self) -> None:
        """Delivers whatever comes in until it is cancelled."""
        trouble = Trouble(_LOG, "the telling of announcements")
        while True:
            try:
                await self._sweep()
                while await self.step():
                    pass
                trouble.over()
            except sa.exc.OperationalError as error:
                trouble.is_(error)
            # Rows come from the indexer, of this process or another: the table is the queue.
            await asyncio.sleep(self._interval_s)

    async def _sweep(self) -> None:
        now_s = self._clock()
        if now_s >= self._swept_s + _SWEEP_S:
            await self._database.write(announcements.sweep, self._chain_id, now_s, self._notices)
            self._swept_s = now_s

    async def step(self) -> int:
        """Sends what is due now; returns how many requests that were."""
        due = await self._database.write(_take, self._clock())
        turn = asyncio.Semaphore(_AT_ONCE)

        async def deliver(each: _Due) -> None:
            async with turn:
                outcome = await self._send(each.url, each.id, each.webhook_id, each.body)
            await self._database.write(_note, each, outcome, self._clock())

        await asyncio.gather(*map(deliver, due))
        return len(due)

    def secret(self, webhook_id: str) -> str:
        """The secret that a webhook's requests are signed with, as its receiver keeps it."""
        return "whsec_" + base64.b64encode(self._secret(webhook_id)).decode("ascii")

    async def add(self, caller: Caller, url: str, kinds: Sequence[str]) -> dict[str, Any]:
        """Has announcements told at a URL; `secret` in the answer is shown this once.

        Raises:
            SignInRequired: a visitor.
            InvalidInput: no URL to go to, or no kind of announcement.
            Conflict: the caller has too many.
        """
        await resolve(url, may_reach_private=self._may_reach_private)
        unknown = sorted(set(kinds) - set(announcements.KINDS))
        if unknown:
            raise InvalidInput(
                f"there are no announcements of kind {', '.join(unknown)}",
                hint=f"kinds: {', '.join(announcements.KINDS)}; none for all",
            )
        made = await self._database.write(_add, caller.signed_in, url, kinds, self._clock())
        return made | {"secret": self.secret(made["id"])}

    async def test(self, caller: Caller, webhook_id: str) -> dict[str, Any]:
        """Sends a webhook a request of kind `test` now, and says how it went.

        Raises:
            NotFound: the caller has no such webhook.
        """
        url = await self._database.read(_url, caller.signed_in, webhook_id)
        shown = {"kind": "test", "time_s": self._clock(), "data": {"text": "this is a test"}}
        outcome = await self._send(url, new_id(), webhook_id, _body(shown))
        return {"arrived": outcome.arrived, "status": outcome.status, "error": outcome.error}

    async def _send(self, url: str, message_id: str, webhook_id: str, body: bytes) -> Outcome:
        try:
            # Looked up each time, and connected to as found: a name may mean another place by now.
            target = await resolve(url, may_reach_private=self._may_reach_private)
        except AddressRefused as error:
            return Outcome(None, str(error))
        headers = {
            "content-type": "application/json",
            "user-agent": "swarm-market",
            "host": target.host_header,
            **sign(self._secret(webhook_id), message_id, self._clock(), body),
        }
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                httpx.AsyncClient(
                    verify=self._tls, trust_env=False, follow_redirects=False
                ) as client,
                client.stream(
                    "POST",
                    target.url,
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": target.host},
                ) as answer,
            ):
                return Outcome(answer.status_code, "")  # what else it says is of no concern
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            return Outcome(None, f"{type(error).__name__}: {error}")

    def _secret(self, webhook_id: str) -> bytes:
        return hmac.digest(self._key, f"webhook:{webhook_id}".encode(), "sha256")


def sign(secret: bytes, message_id: str, time_s: int, body: bytes) -> dict[str, str]:
    """The headers that say who sent a body, and when."""
    signed = f"{message_id}.{time_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(time_s),
        "webhook-signature": f"v1,{signature}",
    }


def load_or_create_key(folder: Path) -> bytes:
    """Reads the key that webhooks' secrets are derived from; makes it where there is none.

    Raises:
        KeyFileError: readable by others, or empty.
    """
    file = folder / KEY_FILE
    if not file.exists():
        try:
            write_private(file, new_secret() + "\n")
        except KeyFileError:
            if not file.exists():  # or else another process was faster
                raise
    text = read_private(file).strip()
    if not text:
        raise KeyFileError(f"{file} is empty", hint="remove it: a new one is made; secrets change")
    return hashlib.sha256(text.encode()).digest()


def list_webhooks(session: Session, caller: Caller) -> list[dict[str, Any]]:
    """The caller's webhooks, and how their deliveries go."""
    query = sa.select(Webhook).where(Webhook.wallet == caller.signed_in)
    counts = (
        sa.select(Delivery.webhook_id, Delivery.state, sa.func.count())
        .group_by(Delivery.webhook_id, Delivery.state)
        .where(Delivery.webhook_id.in_(query.with_only_columns(Webhook.id)))
    )
    states: dict[str, dict[str, int]] = {}
    for webhook_id, state, count in session.execute(counts):
        states.setdefault(webhook_id, {})[state] = count
    rows = session.scalars(query.order_by(Webhook.created_s, Webhook.id))
    return [_view(row) | {"deliveries": states.get(row.id, {})} for row in rows]


def remove(session: Session, caller: Caller, webhook_id: str) -> None:
    """Forgets a webhook, and what was still to be told there.

    Raises:
        NotFound: the caller has no such webhook.
    """
    _url(session, caller.signed_in, webhook_id)
    session.execute(sa.delete(Delivery).where(Delivery.webhook_id == webhook_id))
    session.execute(sa.delete(Webhook).where(Webhook.id == webhook_id))


def _add(
    session: Session, wallet: str, url: str, kinds: Sequence[str], now_s: int
) -> dict[str, Any]:
    mine = sa.select(sa.func.count()).select_from(Webhook).where(Webhook.wallet == wallet)
    if (session.scalar(mine) or 0) >= _MOST_EACH:
        raise Conflict(f"{wallet} has {_MOST_EACH} webhooks", hint="remove one first")
    row = Webhook(
        id=new_id(), wallet=wallet, url=url, kinds=list(kinds), created_s=now_s, stopped=False
    )
    session.add(row)
    session.flush()
    return _view(row)


def _view(row: Webhook) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "kinds": row.kinds,
        "created_s": row.created_s,
        "stopped": row.stopped,
    }


def _url(session: Session, wallet: str, webhook_id: str) -> str:
    row = session.get(Webhook, webhook_id)
    if row is None or row.wallet != wallet:
        raise NotFound(f"you have no webhook {webhook_id}")
    return row.url


def _take(session: Session, now_s: int) -> list[_Due]:
    """Takes up what is due. Others leave it alone until the lease is over."""
    query = (
        sa.select(Delivery, Webhook, Announcement)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .join(Announcement, Announcement.number == Delivery.announcement)
        .where(
            Delivery.state == "waiting",
            Delivery.next_s <= now_s,
            ~Announcement.withdrawn,  # may come back; then it is told
            ~Webhook.stopped,
        )
        .order_by(Delivery.announcement, Delivery.id)
        .limit(_BATCH)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    due = []
    for delivery, webhook, announcement in session.execute(query).all():
        delivery.attempts += 1
        delivery.next_s = now_s + _LEASE_S
        body = _body(announcements.view(announcement))
        due.append(_Due(delivery.id, webhook.id, webhook.url, delivery.attempts, body))
    return due


def _note(session: Session, due: _Due, outcome: Outcome, now_s: int) -> None:
    row = session.get(Delivery, due.id)
    if row is None or row.state != "waiting":
        return  # its webhook was removed meanwhile, or another process told it
    row.status, row.error = outcome.status, outcome.error or None
    if outcome.arrived:
        row.state = "delivered"
    elif outcome.status == _GONE:
        row.state = "failed"
        session.get_one(Webhook, due.webhook_id).stopped = True
    elif due.attempts > len(PAUSES_S):
        row.state = "failed"
        _LOG.warning(
            "gave up telling webhook %s: %s %s", due.webhook_id, outcome.status, outcome.error
        )
    else:
        row.next_s = now_s + PAUSES_S[due.attempts - 1]


def _body(shown: dict[str, Any]) -> bytes:
    return json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
