"""An agent that kills itself, in the place of `swarm-node`; and writes down what it hears.

KILL_AT names the step at which it does `kill -9` to itself, from round 2 on; without, it lives on.
`witness.jsonl` in its folder gets every signed message that its book was given.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node_agent.cli import main
from node_agent.engine import exchange
from node_agent.engine.book import Book
from node_agent.engine.chain import RunChain
from node_agent.engine.commit import Commit
from node_agent.engine.node import Node
from node_agent.journal import Journal
from node_agent.peers.protocol import Envelope

STEPS = (
    "written",  # the update is on disk, nothing is signed
    "update journaled",  # signed, and nobody has it
    "update sent",  # somebody has it
    "merging",
    "attestation journaled",
    "attestation sent",
    "handed over",  # the training process goes on from a model that is not on the chain
    "roster journaled",  # by a leader
    "roster sent",
    "posted",
)
KILL_AT = os.environ.get("KILL_AT", "")
FIRST_ROUND = 2
now = {"round": 0}


def die(step: str) -> None:
    if step == KILL_AT and now["round"] >= FIRST_ROUND:
        os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str, step: Callable[..., str]) -> None:
    """Die after a plain method, at the step that its arguments tell."""
    method = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        die(step(*arguments, **options))
        return result

    setattr(owner, name, wrapped)


def after_awaited(owner: Any, name: str, step: Callable[..., str]) -> None:
    method = getattr(owner, name)

    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await method(*arguments, **options)
        die(step(*arguments, **options))
        return result

    setattr(owner, name, wrapped)


add = Book.add


def witnessed_add(self: Book, envelope: Envelope, sender: Any = None) -> bool:
    now["round"] = self.context.round
    with (Path(sys.argv[-1]) / "witness.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(envelope.to_json()) + "\n")
    return add(self, envelope, sender)


if __name__ == "__main__":
    Book.add = witnessed_add  # type: ignore[method-assign]
    after(Commit, "_inspect", lambda *_: "written")
    after(Journal, "sign_once", lambda _self, _prev, kind, *_: f"{kind} journaled")
    after(exchange, "merge", lambda *_, **__: "merging")
    after_awaited(Node, "_send", lambda _self, _peer, envelope: f"{envelope.kind} sent")
    after_awaited(Node, "hand_over", lambda *_: "handed over")
    after_awaited(RunChain, "post_seal", lambda *_: "posted")
    main()
