"""An agent that lies about its own update, in the place of `swarm-node`: a stand-in for a villain.

It commits to, and serves, a file that an honest agent would not let out: with NaN, of another
shape, or under another node's name (DISHONEST=nan|shape|name). Everything else it does by the book.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from node_agent.cli import main
from node_agent.engine.round import Round
from node_agent.engine.store import file_root
from node_agent.parameters.format import ParameterFile, write

honest = Round._inspect


def spoil(path: Path, how: str) -> None:
    """Rewrite an update so that it is wrong in one way."""
    file = ParameterFile.open(path)
    tensors = {name: np.array(values) for name, values in file.tensors().items()}
    metadata = dict(file.metadata)
    first = next(iter(tensors))
    if how == "nan":
        tensors[first].reshape(-1)[0] = np.nan
    elif how == "shape":
        tensors[first] = np.zeros(3, np.float32)
    elif how == "name":
        metadata["node"] = metadata["node"].replace("west", "north")
    write(path, tensors, metadata)


def inspect_nothing(self: Round, path: Path) -> tuple[bytes, int]:
    spoil(path, os.environ["DISHONEST"])
    return file_root(path), path.stat().st_size


if __name__ == "__main__":
    Round._inspect = inspect_nothing
    main()
