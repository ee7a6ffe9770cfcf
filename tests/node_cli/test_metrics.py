"""What Prometheus gets, and that the documentation lists all of it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from node_agent.errors import ConfigError
from node_agent.operations.listen import address
from node_agent.operations.metrics import TABLE, Metrics
from node_agent.peers.protocol import Traffic

DOCUMENT = Path(__file__).parents[2] / "docs" / "operator.md"
STATUS = {
    "node": "spiffe://swarm.example/org/clinic-a/node/site-1",
    "run": "0xabc",
    "state": "training",
    "round": 7,
    "max_rounds": 24,
    "sync_frequency": 8,
    "term": 0,
    "training": True,
    "members": ["a", "b", "c"],
    "committed": ["a"],
    "last": {
        "finished_at": 1.7e9,
        "loss_after": 0.25,
        "metric": None,
        "samples": 512,
        "commit_s": 0.01,
        "exchange_s": 0.02,
        "merge_s": 0.003,
        "evaluate_s": 0.04,
        "overhead_s": 0.05,
    },
    "usage": {"waiting_reports": 2},
}


async def _scrape(status: dict[str, object], folder: Path) -> dict[str, float]:
    traffic = Traffic(sent_bytes=300, served_bytes=200, fetched_bytes=100)
    metrics = Metrics("127.0.0.1:0", lambda: status, traffic, lambda: 2e9, folder)
    await metrics.start()
    try:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{metrics.url}/metrics")
    finally:
        await metrics.stop()
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_prometheus_reads_the_status(tmp_path: Path) -> None:
    found = await _scrape(STATUS, tmp_path)
    assert found["swarm_round"] == 7
    assert (found["swarm_members"], found["swarm_committed"]) == (3, 1)
    assert found["swarm_training_connected"] == 1
    assert found["swarm_last_loss"] == 0.25
    assert found["swarm_sent_bytes_total"] == 300
    assert found["swarm_svid_expires_timestamp_seconds"] == 2e9
    assert found["swarm_node_info"] == 1
    assert "swarm_last_metric" not in found  # not measured yet: absent, not zero
    assert "process_cpu_seconds_total" in found


async def test_an_agent_that_is_starting_has_metrics_too(tmp_path: Path) -> None:
    found = await _scrape({"state": "starting", "node": "n"}, tmp_path)
    assert "swarm_round" not in found
    assert found["swarm_store_bytes"] == 0


async def test_every_metric_is_in_the_documentation_and_the_other_way_round(tmp_path: Path) -> None:
    last = {**STATUS["last"], "metric": 0.9}  # type: ignore[dict-item]  # a dict
    found = await _scrape({**STATUS, "last": last}, tmp_path)
    told = set(re.findall(r"`(swarm_[a-z_]+)`", DOCUMENT.read_text()))
    assert {name for name in found if name.startswith("swarm_")} == told
    assert {name for name, _, _ in TABLE} | {"swarm_node_info"} == told


async def test_an_address_that_is_taken_is_an_error_with_a_hint(tmp_path: Path) -> None:
    metrics = Metrics("127.0.0.1:0", lambda: STATUS, Traffic(), lambda: 0.0, tmp_path)
    await metrics.start()
    taken = metrics.url.removeprefix("http://")
    second = Metrics(taken, lambda: STATUS, Traffic(), lambda: 0.0, tmp_path)
    with pytest.raises(ConfigError, match="cannot listen") as refused:
        await second.start()
    assert "metrics_listen" in refused.value.hint
    await metrics.stop()


@pytest.mark.parametrize("listen", ["9464", "host:", ":1", "host:70000", "host:x"])
def test_an_address_needs_a_host_and_a_port(listen: str) -> None:
    with pytest.raises(ConfigError):
        address(listen)
