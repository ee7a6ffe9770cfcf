"""What a round cost at this node, kept as one JSON line a round."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class RoundReport:
    """Times in seconds of this node's clock; zero where a step did not happen."""

    round: int
    node: str
    term: int = 0
    leader: str = ""
    members: list[str] = field(default_factory=list)
    merged_root: str = ""
    loss_after: float | None = None
    metric: float | None = None
    samples: int = 0
    sync_frequency: int = 0
    """Batches that were to be trained."""
    transaction: str = ""
    commit_s: float = 0.0
    exchange_s: float = 0.0
    merge_s: float = 0.0
    evaluate_s: float = 0.0
    score_s: float = 0.0
    overhead_s: float | None = None
    """From the end of local training to the merged weights loaded, less evaluation and scoring."""
    bytes_sent: int = 0
    finished_at: float = 0.0

    def close(self, trained_at: float | None, loaded_at: float) -> None:
        """Settle the overhead, given when training ended and when the merged model was loaded."""
        self.finished_at = time.time()
        if trained_at is not None:
            self.overhead_s = loaded_at - trained_at - self.evaluate_s - self.score_s


class Reports:
    """Appends reports to a file and remembers the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last: dict[str, Any] = {}

    def append(self, report: RoundReport) -> None:
        """One line; readers may follow the file."""
        self.last = asdict(report)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.last) + "\n")
