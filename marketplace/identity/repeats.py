"""Requests that are sent again under one key have one effect, and one answer.

The key of a request is the hash of its caller and of what he calls it (`Idempotency-Key`). It is
written down before anything is done; the answer, after. In between, what is queued for the chain
carries the key (`Operation.retry_key`), so that a process that was killed there has left enough to
find out what it had done: `outbox.enqueue` gives the same operation again.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import InvalidInput
from marketplace.storage.models import Retry

# After so long, a request that has no answer is one whose process is gone.
ABANDONED_S: Final = 60
KEPT_S: Final = 86_400
_KEY: ContextVar[str | None] = ContextVar("repeat", default=None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    content_type: str
    body: str


def key_of(caller: str, name: str) -> str:
    """The key under which a caller's request is known."""
    return hashlib.sha256(f"{caller}\n{name}".encode()).hexdigest()


def working_on(key: str) -> None:
    """Says which request this task, and the threads that it starts, are about."""
    _KEY.set(key)


def current_key() -> str | None:
    """The key of the request that is being answered; None if it has none."""
    return _KEY.get()


def find(session: Session, key: str, request: str) -> Answer | None:
    """The answer to a request, if there is one.

    Args:
        key: see `key_of`.
        request: hash of what is asked.

    Raises:
        InvalidInput: something else was asked under this key.
    """
    row = session.get(Retry, key)
    if row is None:
        return None
    _must_be_same(row, request)
    if row.status is None:
        return None
    return Answer(row.status, row.content_type or "", row.body or "")


def begin(session: Session, key: str, request: str, now_s: int, abandoned: bool) -> bool:
    """Takes a request on, unless another one is about it or it is answered.

    Args:
        key: see `key_of`.
        request: hash of what is asked.
        now_s: the time.
        abandoned: whether a request without an answer can only be one that was given up.

    Raises:
        InvalidInput: something else was asked under this key.
    """
    session.execute(sa.delete(Retry).where(Retry.started_s < now_s - KEPT_S))
    row = session.get(Retry, key)
    if row is None:
        session.add(Retry(key=key, request=request, started_s=now_s))
        return True
    _must_be_same(row, request)
    if row.status is None and (abandoned or now_s - row.started_s > ABANDONED_S):
        row.started_s = now_s
        return True
    return False


def _must_be_same(row: Retry, request: str) -> None:
    if row.request != request:
        raise InvalidInput(
            "another request was sent under this Idempotency-Key",
            hint="a new request has a new key; a repeated one is the same to the byte",
        )


def finish(session: Session, key: str, answer: Answer) -> None:
    """Keeps an answer for those who ask again."""
    row = session.get_one(Retry, key)
    row.status, row.content_type, row.body = answer.status, answer.content_type, answer.body


def forget(session: Session, key: str) -> None:
    """Lets a request that had no effect be tried anew."""
    session.execute(sa.delete(Retry).where(Retry.key == key))
