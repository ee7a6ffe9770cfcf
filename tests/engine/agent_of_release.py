"""An agent of another release, in the place of `swarm-node`: it speaks the range it is given.

python -m tests.engine.agent_of_release 2-3 run -c FOLDER
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from node_agent.app import run_agent
from node_agent.config import load
from node_agent.peers.versions import RANGE_HEADER, Versions
from node_agent.stop import until_told

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    speaks = Versions.said({RANGE_HEADER: sys.argv[1]})
    asyncio.run(until_told(run_agent(load(Path(sys.argv[-1])), speaks)))
