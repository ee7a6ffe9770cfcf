"""Compile the contracts with Ape and write what the product needs of them, in a stable form.

    build_artifacts.py             rewrite contracts/artifacts/
    build_artifacts.py --check     compare with it instead, and fail on any difference

Runs in the environment of the contract tools (.venv-ape), from the clone's root: `make contracts`,
`make check-artifacts`.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import ape
from ape.exceptions import CompilerError
from ape.logging import logger

ARTIFACTS = Path("contracts/artifacts")


def build() -> dict[str, str]:
    """Return the artifact file of every contract that can be deployed, by file name.

    Abstract contracts, interfaces and libraries are left out: nothing deploys or calls them alone.
    """
    logger.set_level("WARNING")
    # Never from Ape's cache: it does not notice changed compiler settings.
    compiled = ape.project.load_contracts(use_cache=False)
    deployable = {
        name
        for source in Path("contracts").rglob("*.sol")
        for name in re.findall(r"^contract (\w+)", source.read_text(), flags=re.MULTILINE)
    }
    return {f"{name}.json": render(compiled[name].contract_type) for name in sorted(deployable)}


def render(contract: Any) -> str:
    """Return one contract as JSON: sorted, one ABI entry a line, so that changes can be read."""
    abi = [e.model_dump(mode="json", by_alias=True, exclude_none=True) for e in contract.abi]
    abi.sort(key=lambda e: (e["type"], e.get("name", ""), json.dumps(e)))
    lines = ",\n".join(f"    {json.dumps(e, sort_keys=True)}" for e in abi)
    return (
        f'{{\n  "abi": [\n{lines}\n  ],\n'
        f'  "bytecode": "{contract.deployment_bytecode.bytecode}",\n'
        f'  "contractName": "{contract.name}",\n'
        f'  "deployedBytecode": "{contract.runtime_bytecode.bytecode}"\n}}\n'
    )


def main() -> int:
    """Write or check the artifacts; return the exit status."""
    try:
        fresh = build()
    except CompilerError as error:
        print(error)
        return 1
    kept = {path.name: path.read_text() for path in ARTIFACTS.glob("*.json")}
    names = sorted(fresh.keys() | kept.keys())
    changed = [name for name in names if fresh.get(name) != kept.get(name)]

    if "--check" in sys.argv[1:]:
        for name in changed:
            print(f"{ARTIFACTS / name} is not what the sources compile to: run `make contracts`")
        return 1 if changed else 0

    ARTIFACTS.mkdir(exist_ok=True)
    for name in changed:
        if name in fresh:
            (ARTIFACTS / name).write_text(fresh[name])
        else:
            (ARTIFACTS / name).unlink()
        print(f"{ARTIFACTS / name} {'written' if name in fresh else 'removed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
