"""What real agents signed under rules without coefficients is recomputed, or found different."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketplace.audit.artifacts import Artifacts
from marketplace.audit.gather import gather
from marketplace.audit.records import Records
from marketplace.audit.report import as_json
from marketplace.audit.walk import audit
from node_agent.merge.registry import find_rule
from node_agent.parameters.format import ParameterFile, write
from scripts.local_swarm import RUN_NAME, LocalSwarm
from tests.engine.swarms import finished, launch_agents, train
from tests.marketplace.quadratic import measure

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

ROUNDS = 2
KINDS = {"trimmed-mean": "update", "server-adam": "state"}
"""Rules without coefficients, one of them with a state; and the kind of file that is altered."""


@dataclass(frozen=True)
class Played:
    """A run of three organizations that is over, of which one was slow to measure."""

    rule: str
    records: Records
    nodes: Sequence[Path]

    def audited(self) -> dict[str, Any]:
        return as_json(audit(self.records, Artifacts(self.nodes), measure))


async def _play(folder: Path, rule: str) -> Played:
    initial, agreed = folder / "initial.safetensors", folder / "agreed.safetensors"
    write(initial, {"w": np.zeros(500, np.float32)}, {"format": "swarm-1", "kind": "initial"})
    write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
    terms: dict[str, Any] = {
        "max_rounds": ROUNDS,
        "merge_rule": find_rule(rule).number,
        "target_loss": 0,
    }
    async with LocalSwarm(folder, initial, validation=agreed, **terms) as swarm:
        await launch_agents(swarm)
        for site in swarm.sites:
            # The others agree while it measures what a coalition would have merged.
            train(swarm, site, 0.0, "--evaluate-s", "0.2" if site.organization == "south" else "0")
        await finished(swarm)
        records = await gather(swarm.chain.rpc_url, swarm.contracts.deployment, RUN_NAME)
        return Played(rule, records, [site.folder for site in swarm.sites])


@pytest.fixture(scope="module", params=KINDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(_play(tmp_path_factory.mktemp(request.param), request.param))


def test_every_row_is_recomputed(played: Played) -> None:
    answer = played.audited()
    assert (answer["verdict"], answer["not_recomputed"]) == ("same", [])
    assert {each["row"] for each in answer["rounds"][1:]} == {"recomputed"}
    assert len(answer["rounds"]) == ROUNDS + 1


def test_an_altered_file_is_named(played: Played) -> None:
    kind = KINDS[played.rule]
    path, other = (_file_of(node, kind) for node in played.nodes[:2])
    assert path.name == other.name
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        alone = replace(played, nodes=played.nodes[:1])
        difference = alone.audited()["difference"]
        step = "merge" if kind == "state" else "updates"
        assert (difference["round"], difference["step"]) == (2, step)
        assert str(path) in difference["what"]
        assert difference["expected"] == f"0x{path.stem}" != difference["found"]
        # Who has a whole copy is not troubled by the altered one.
        assert played.audited()["verdict"] == "same"
    finally:
        path.write_bytes(whole)


def _file_of(node: Path, kind: str) -> Path:
    """The update that north sent in round 2, or the state that round 2 went on from."""
    at = 1 if kind == "state" else 2
    for path in sorted(node.rglob(f"round-{at:06d}/*.safetensors")):
        metadata = ParameterFile.open(path).metadata
        if metadata["kind"] == kind and "/org/north/" in metadata.get("node", "/org/north/"):
            return path
    raise AssertionError(f"no {kind} of round {at} in {node}")
