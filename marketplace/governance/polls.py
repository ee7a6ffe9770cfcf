"""What the chain says about motions now: who may vote, how many votes carry, what is decided."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from contracts import Contracts
from contracts.council import Action
from marketplace.governance.actions import ACTIONS
from marketplace.storage.models import Motion

_AT_ONCE: Final = 16  # questions to the chain
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Poll:
    """How it stands with a motion.

    Attributes:
        voters: set of the parties that are heard; see `contracts.parties`.
        needed: votes that carry it.
        next_nonce: of the motion that can be carried now.
    """

    voters: int
    needed: int
    next_nonce: int


async def polls(contracts: Contracts, motions: Collection[Motion]) -> dict[str, Poll]:
    """By the motions' ids. Most share an agreement: what is the same for several is asked once.

    Raises:
        ChainUnreachable, ChainRefused: the chain does not answer.
    """

    async def electorate(heard: tuple[str, Action, int]) -> tuple[int, int]:
        agreement_id, action, party = heard
        return await contracts.council.electorate(_bytes(agreement_id), action, party)

    async def nonce(counter: tuple[str, bool]) -> int:
        counted_by, pardons = counter
        ask = contracts.clerk.pardon_nonce if pardons else contracts.council.nonce
        return await ask(_bytes(counted_by))

    electorates, nonces = await asyncio.gather(
        _each(electorate, {_heard(each) for each in motions}),
        _each(nonce, {_counter(each) for each in motions}),
    )
    return {each.id: Poll(*electorates[_heard(each)], nonces[_counter(each)]) for each in motions}


async def _each(ask: Callable[[K], Awaitable[T]], questions: Collection[K]) -> dict[K, T]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def asked(question: K) -> tuple[K, T]:
        async with turn:
            return question, await ask(question)

    return dict(await asyncio.gather(*map(asked, questions)))


def _heard(motion: Motion) -> tuple[str, Action, int]:
    """Who is heard depends on whom it is to remove, or whose wallet it is to replace, only."""
    if motion.action in ("remove", "replace-wallet"):
        return motion.agreement_id, ACTIONS[motion.action], int(motion.message["party"])
    return motion.agreement_id, Action.TERMINATE, 0


def _counter(motion: Motion) -> tuple[str, bool]:
    """Whose motions it is counted with, and whether they are a run's pardons."""
    if motion.action == "pardon":
        return motion.run_id or "", True
    return motion.agreement_id, False


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
