"""Counts what each round costs this node.

To count is to add to a number in memory. A handful of times a round the numbers are written down,
in some 50 µs, for nobody waits for the disk: kill -9 loses what came since, a power cut may lose
more. A node that starts again goes on from there, and `restarts` says that something is missing.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from node_agent.errors import AgentStateError
from node_agent.peers.protocol import Traffic
from node_agent.usage.energy import Energy

log = logging.getLogger(__name__)

WAITING_LIMIT = 1024  # rounds; beyond them the oldest are never reported

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rounds (
    run TEXT NOT NULL, round INTEGER NOT NULL, state TEXT NOT NULL, spent TEXT NOT NULL,
    PRIMARY KEY (run, round)
) WITHOUT ROWID;
"""
_OPEN, _OVER, _SETTLED = "open", "over", "settled"


@dataclass(slots=True)
class Spent:
    """On one round, so far; the fields are those of `metering.usage.Usage`, times in seconds."""

    bytes_served: int = 0
    bytes_fetched: int = 0
    training_s: float = 0.0
    evaluation_s: float = 0.0
    merge_s: float = 0.0
    samples: int = 0
    restarts: int = 0
    energy_j: float | None = None


class Meter:
    """The costs of one run, by its rounds.

    Work counts for the round it is done for, or if that is over, for the one that is open; traffic
    and energy count for the open one.
    """

    def __init__(self, path: Path, run: str, traffic: Traffic, energy: Energy) -> None:
        """Goes on from what an earlier process wrote to `path`. Raises AgentStateError."""
        self._run, self._traffic, self._energy = run, traffic, energy
        self._seen = traffic.served_bytes, traffic.fetched_bytes
        self._seen_j = energy.read_j()
        self._rounds: dict[int, Spent] = {}
        self._open = 0
        self.last: tuple[int, Spent] | None = None
        """The latest round that is over."""
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            self._load()
        except (sqlite3.Error, OSError) as error:
            raise AgentStateError(
                f"{path} cannot be used: {error}",
                hint="it only holds usage that was not reported yet: it may be deleted",
            ) from error

    def begin(self, round_number: int) -> None:
        """This round is open now, and the earlier ones are over."""
        self.finish_before(round_number)
        self._of(round_number)
        self._write(self._open)

    def finish_before(self, round_number: int) -> None:
        """The rounds before this one are over."""
        self._settle()
        # A reorganization may take a round back; what was said about it stays said.
        before, self._open = self._open, max(self._open, round_number)
        over = self.over()
        for number in over[:-WAITING_LIMIT]:
            log.warning("The usage of round %d was never reported: too many wait.", number)
            self.forget(number)
        if ended := [number for number in over if number >= before]:
            self.last = ended[-1], self._rounds[ended[-1]]
            self._write(*ended)

    def trained(self, round_number: int, seconds: float, samples: int) -> None:
        """The training process trained for this round."""
        spent = self._of(round_number)
        spent.training_s += seconds
        spent.samples += samples
        self.save()

    def committed(self, round_number: int, samples: int) -> None:
        """An update from so many samples was signed: they count, even if a restart missed them."""
        spent = self._of(round_number)
        spent.samples = max(spent.samples, samples)

    def evaluated(self, round_number: int, seconds: float) -> None:
        """Losses, gradient or scores of this round were computed."""
        self._of(round_number).evaluation_s += seconds
        self.save()

    def merged(self, round_number: int, seconds: float) -> None:
        """Updates of this round were merged."""
        self._of(round_number).merge_s += seconds
        self.save()

    def over(self) -> list[int]:
        """The rounds that are over and were not reported, in order."""
        return sorted(number for number in self._rounds if number < self._open)

    def spent(self, round_number: int) -> Spent:
        """What was counted for a round that was not forgotten. KeyError."""
        return self._rounds[round_number]

    def forget(self, round_number: int) -> None:
        """This round was reported, or never will be."""
        self._write(round_number, state=_SETTLED)
        del self._rounds[round_number]

    def save(self) -> None:
        """Write down what is counted by now for rounds that are not over."""
        self._settle()
        self._write(*(number for number in self._rounds if number >= self._open))

    def close(self) -> None:
        """Write down everything and release the file."""
        self.save()
        self._db.close()

    def _load(self) -> None:
        rows = self._db.execute(
            "SELECT round, state, spent FROM rounds WHERE run=? ORDER BY round", (self._run,)
        )
        for number, state, text in rows:
            spent = Spent(**json.loads(text))
            if state == _OPEN:
                spent.restarts += 1
            else:
                self.last, self._open = (number, spent), number + 1
            if state != _SETTLED:
                self._rounds[number] = spent

    def _of(self, round_number: int) -> Spent:
        return self._rounds.setdefault(max(round_number, self._open), Spent())

    def _settle(self) -> None:
        """Put what the counters of traffic and energy have gained down to the open round."""
        seen, self._seen = self._seen, (self._traffic.served_bytes, self._traffic.fetched_bytes)
        seen_j, self._seen_j = self._seen_j, self._energy.read_j()
        spent = self._rounds.get(self._open)
        if spent is not None:
            spent.bytes_served += self._seen[0] - seen[0]
            spent.bytes_fetched += self._seen[1] - seen[1]
            if seen_j is not None and self._seen_j is not None:
                spent.energy_j = (spent.energy_j or 0.0) + self._seen_j - seen_j

    def _write(self, *numbers: int, state: str = "") -> None:
        """Numbers are dearer than their copy: a disk that takes nothing stops no round."""
        rows = [
            (
                self._run,
                number,
                state or (_OPEN if number >= self._open else _OVER),
                json.dumps(asdict(self._rounds[number])),
            )
            for number in numbers
        ]
        try:
            self._db.executemany("INSERT OR REPLACE INTO rounds VALUES (?,?,?,?)", rows)
        except sqlite3.Error as error:
            log.warning("Usage is not written down: %s", error)
