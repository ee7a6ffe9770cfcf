"""Before the first term: waiting for a quorum, and at the start of a run for whoever is wanted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node_agent.engine.round import Round

_ASK_AGAIN_S, _ASK_AGAIN_MOST_S = 2.0, 15.0


class Gathering:
    """What one round waits for before its first roster."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._node, self._context, self._book = round_.node, round_.context, round_.book

    async def quorum_commits(self) -> None:
        """Wait for a quorum; who has said his part asks again and again for what was lost.

        Nobody repeats by himself what he could not deliver while the others were away.
        """
        context, book = self._context, self._book
        said = book.updates if context.round else book.ready
        pause_s = _ASK_AGAIN_S
        while not book.has_quorum(said):
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._node.changed.until(lambda: book.has_quorum(said))
            if self._node.registration in said and not book.has_quorum(said):
                if context.round:
                    await self._round.catch_up(self._node.others(context))
                else:
                    self._round.say_ready()
                pause_s = min(2 * pause_s, _ASK_AGAIN_MOST_S)

    async def ready_organizations(self) -> None:
        """Wait for as many as the operator wants to see at the start, at most `ready_timeout_s`."""
        context, book, node = self._context, self._book, self._node
        wanted = min(node.ready_organizations, context.organizations)
        with suppress(TimeoutError):
            async with asyncio.timeout(node.ready_timeout_s):
                await node.changed.until(
                    lambda: len(context.parties_of(book.ready)) >= wanted or bool(book.tallies)
                )
