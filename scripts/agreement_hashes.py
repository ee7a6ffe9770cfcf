"""The hashes by which an agreement's terms name files, as lines for the table [terms] of a draft.

python -m scripts.agreement_hashes data/initial.safetensors data/validation.safetensors
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from node_agent.engine.store import file_root
from node_agent.errors import NodeError
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import schema_hash


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.agreement_hashes", description=__doc__)
    parser.add_argument("initial", type=Path, help="parameters that everyone starts from")
    parser.add_argument("validation", type=Path, nargs="?", help="the agreed validation set")
    given = parser.parse_args(arguments)
    try:
        schema = ParameterFile.open(given.initial).schema
        print(f'initial_root = "0x{file_root(given.initial).hex()}"')
        print(f'schema_hash = "0x{schema_hash(schema).hex()}"')
        if given.validation is not None:
            print(f'validation_root = "0x{file_root(given.validation).hex()}"')
    except (NodeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
