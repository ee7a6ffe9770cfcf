"""What may be chosen about a demo: on the command line or, as `make demo SEED=7`, beside it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LEADER = "leader"
_LEADER_TIMEOUT_MS = 2000
PARTIES = ("us", "europe", "asia")


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill -9 one agent once a round is open, and start it again some rounds later.

    `node`: one of PARTIES, or LEADER for whoever leads that round.
    `back_after`: rounds; None: it stays away.
    """

    node: str
    round: int
    back_after: int | None

    @classmethod
    def parse(cls, text: str) -> Kill:
        """Reads NODE@ROUND[:ROUNDS]."""
        node, _, rest = text.partition("@")
        when, _, back = rest.partition(":")
        if (
            node not in (*PARTIES, LEADER)
            or not when.isdecimal()
            or (back and not back.isdecimal())
        ):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not NODE@ROUND or NODE@ROUND:ROUNDS-UNTIL-RESTART with a NODE of "
                f"{', '.join((*PARTIES, LEADER))}"
            )
        return cls(node, int(when), int(back) if back else None)


@dataclass(frozen=True, slots=True)
class Settings:
    """One demo."""

    folder: Path
    figures: Path
    seed: int
    rounds: int
    grace_ms: int
    leader_timeout_ms: int
    keep: bool
    kills: tuple[Kill, ...]

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        return self.folder / "data"


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from the command line; exits with a usage message on nonsense."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo",
        description="Three institutes train one model on this machine and are paid for it.",
    )
    add = parser.add_argument
    env = os.environ.get
    add("--seed", type=int, default=env("SEED") or "1", help="data split and start (SEED=)")
    add("--rounds", type=int, default=env("ROUNDS") or "24", help="rounds at most (ROUNDS=)")
    add(
        "--grace-ms",
        type=int,
        default=env("GRACE_MS") or "1000",
        help="leaders wait for late nodes this long; 30000 makes runs repeatable (GRACE_MS=)",
    )
    add("--leader-timeout-ms", type=int, help="default: 2000; 2000 more than a longer grace")
    add(
        "--keep",
        action="store_true",
        default=env("KEEP", "0") not in ("", "0"),
        help="leave everything running until Ctrl-C, to be looked at (KEEP=1)",
    )
    add(
        "--kill",
        type=Kill.parse,
        action="append",
        default=[],
        metavar="NODE@ROUND[:BACK]",
        help="kill -9 an agent in that round, start it again BACK rounds later",
    )
    add("--folder", type=Path, default=Path("build/demo"), help="emptied first")
    add("--json", type=Path, help="figures as JSON; default: FOLDER.json")
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.grace_ms < 0:
        parser.error("--rounds must be above zero, --grace-ms not below it")
    # A leader who waits for late nodes must not be taken for dead meanwhile.
    default_ms = _LEADER_TIMEOUT_MS + (
        given.grace_ms if given.grace_ms >= _LEADER_TIMEOUT_MS else 0
    )
    timeout_ms = given.leader_timeout_ms or default_ms
    if timeout_ms <= given.grace_ms:
        parser.error("--leader-timeout-ms has to be longer than --grace-ms")
    folder = given.folder.resolve()
    return Settings(
        folder=folder,
        figures=given.json or folder.with_name(folder.name + ".json"),
        seed=given.seed,
        rounds=given.rounds,
        grace_ms=given.grace_ms,
        leader_timeout_ms=timeout_ms,
        keep=given.keep,
        kills=tuple(given.kill),
    )
