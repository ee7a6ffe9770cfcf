"""How a script is killed: by itself, with SIGKILL, in the batch that the test has drawn."""

from __future__ import annotations

import os
import signal
import time

SEED = int(os.environ.get("SEED", "1"))
DETERMINISTIC = os.environ.get("DETERMINISTIC", "1") == "1"
ROWS, BATCH_SIZE, FEATURES, WINDOW = 60, 8, 6, 5

_batch_s, _killed_in = float(os.environ.get("BATCH_S", "0")), int(os.environ.get("KILLED_IN", "0"))
_batches = 0


def in_a_batch() -> None:
    """Called once in every batch, somewhere between its first and last line."""
    global _batches
    _batches += 1
    time.sleep(_batch_s)  # so that whoever kills it from outside meets it in the middle of a window
    if _batches == _killed_in:
        os.kill(os.getpid(), signal.SIGKILL)
