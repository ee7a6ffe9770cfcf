"""What is going on: asked of each agent over its socket, and of the chain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import Contracts
from contracts.errors import ChainError
from scripts.demo.parties import INSTITUTES

_ANSWER_TIMEOUT_S = 2.0
_TOKEN_WEI = 10**18


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node, as its agent tells it."""

    state: str
    round: int | None = None
    leader: str = ""
    loss: float | None = None
    metric: float | None = None
    merged: int | None = None  # nodes in the last roster
    training: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """The run at one moment."""

    round: int  # the open one; of a finished run, the last
    finished: bool
    nodes: Mapping[str, NodeState]
    earned_wei: Mapping[str, int] = field(default_factory=dict)

    @property
    def leader(self) -> str:
        """Key of the institute that leads the open round, as the furthest agent sees it."""
        ahead = max(self.nodes.values(), key=lambda node: -1 if node.round is None else node.round)
        return next(
            (each.key for each in INSTITUTES if _is_of(ahead.leader, each.organization)), ""
        )


class Watch:
    """Looks at a run's agents and at its accounts."""

    def __init__(self, contracts: Contracts, run_id: bytes, sockets: Mapping[str, Path]) -> None:
        self._contracts = contracts
        self._run_id = run_id
        self._sockets = sockets

    async def look(self) -> Picture:
        """The run as it is now. Agents that do not answer are `away`."""
        answers = await asyncio.gather(*map(ask_status, self._sockets.values()))
        nodes = {key: _node(answer) for key, answer in zip(self._sockets, answers, strict=True)}
        known = [node.round for node in nodes.values() if node.round is not None]
        earned: dict[str, int] = {}
        with suppress(ChainError):  # the picture goes without money until the chain answers again
            for party, institute in enumerate(INSTITUTES):
                account = await self._contracts.rewards.account(self._run_id, party)
                earned[institute.key] = account.accrued
        return Picture(
            round=max(known, default=0),
            finished=any(node.state == "finished" for node in nodes.values()),
            nodes=nodes,
            earned_wei=earned,
        )


async def ask_status(socket: Path) -> dict[str, Any] | None:
    """An agent's answer to a `status` request on its training socket; None if it gives none."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b'{"op":"status"}\n')
                answer = json.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return None
    return answer if isinstance(answer, dict) else None


def tokens(amount_wei: int) -> str:
    """For people: 12.345 (of 18 decimals)."""
    return f"{amount_wei / _TOKEN_WEI:,.3f}"


def _node(answer: Mapping[str, Any] | None) -> NodeState:
    if answer is None:
        return NodeState("away")
    last = answer.get("last") or {}
    return NodeState(
        state=str(answer.get("state", "")),
        round=answer.get("round"),
        leader=str(answer.get("leader", "")),
        loss=last.get("loss_after"),
        metric=last.get("metric"),
        merged=len(last["members"]) if last.get("members") else None,
        training=bool(answer.get("training")),
    )


def _is_of(spiffe_id: str, organization: str) -> bool:
    return f"/org/{organization}/" in spiffe_id
