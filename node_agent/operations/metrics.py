"""Metrics for Prometheus, read from what the agent says of itself when it is asked.

`TABLE` is the whole list; the table in `docs/operator.md` is held to it by a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from node_agent.errors import ConfigError
from node_agent.operations.listen import address
from node_agent.operations.storage import used_bytes
from node_agent.peers.protocol import Traffic


@dataclass(frozen=True, slots=True)
class Seen:
    """What one scrape looks at: the agent's status, the bytes it moved, and the rest."""

    status: Mapping[str, Any]
    traffic: Traffic
    svid_ends_s: float
    disk_bytes: int

    def number(self, place: str) -> float | None:
        """The number at a place of `TABLE`; None where there is none yet.

        A place is a field of this class, or one within `status`, its `last` round or its `usage`.
        A list counts its members, a bool is 0 or 1.
        """
        group, _, name = place.rpartition(".")
        value: Any
        match group:
            case "":
                value = getattr(self, name)
            case "traffic":
                value = getattr(self.traffic, name)
            case "status":
                value = self.status.get(name)
            case _:
                value = self.status.get(group, {}).get(name)
        if value is None:
            return None
        return float(len(value) if isinstance(value, list) else value)


# Name, place, meaning. Prometheus takes a name that ends in _total as a counter.
TABLE: tuple[tuple[str, str, str], ...] = (
    ("swarm_round", "status.round", "number of the open round"),
    ("swarm_rounds_max", "status.max_rounds", "rounds after which the run ends"),
    ("swarm_sync_frequency", "status.sync_frequency", "batches to train in the open round"),
    ("swarm_term", "status.term", "attempt within the round; above 0 a leader has failed"),
    ("swarm_members", "status.members", "nodes of the open round"),
    ("swarm_committed", "status.committed", "nodes that have committed an update in it"),
    ("swarm_training_connected", "status.training", "1 while a training process is connected"),
    ("swarm_last_sealed_timestamp_seconds", "last.finished_at", "when the last round was over"),
    ("swarm_last_loss", "last.loss_after", "loss of the last merged model, as measured here"),
    ("swarm_last_metric", "last.metric", "metric of the last merged model, as measured here"),
    ("swarm_last_samples", "last.samples", "samples trained on here in the last round"),
    ("swarm_last_commit_seconds", "last.commit_s", "writing and announcing the update"),
    ("swarm_last_exchange_seconds", "last.exchange_s", "fetching the others' updates"),
    ("swarm_last_merge_seconds", "last.merge_s", "merging them"),
    ("swarm_last_evaluate_seconds", "last.evaluate_s", "losses and gradients, by the training"),
    ("swarm_last_overhead_seconds", "last.overhead_s", "from training's end to its next start"),
    ("swarm_usage_reports_waiting", "usage.waiting_reports", "not taken by the marketplace yet"),
    ("swarm_svid_expires_timestamp_seconds", "svid_ends_s", "when the node's certificate ends"),
    ("swarm_store_bytes", "disk_bytes", "parameter files and kept models on disk"),
    ("swarm_sent_bytes_total", "traffic.sent_bytes", "sent to peers, before TLS"),
    ("swarm_served_bytes_total", "traffic.served_bytes", "of these, updates and models"),
    ("swarm_fetched_bytes_total", "traffic.fetched_bytes", "updates and models from peers"),
)


class _AgentCollector(Collector):
    def __init__(self, look: Callable[[], Seen]) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        seen = self._look()
        yield from _families(seen)
        labels = {"node": str(seen.status.get("node", "")), "run": str(seen.status.get("run", ""))}
        info = GaugeMetricFamily("swarm_node_info", "1; who this is.", labels=[*labels, "state"])
        info.add_metric([*labels.values(), str(seen.status.get("state", ""))], 1)
        yield info


def _families(seen: Seen) -> Iterator[Metric]:
    for name, place, text in TABLE:
        value = seen.number(place)
        if value is not None:
            counts = name.endswith("_total")
            family = CounterMetricFamily if counts else GaugeMetricFamily
            yield family(name.removesuffix("_total"), text, value)


class Metrics:
    """Answers `GET /metrics` on an address of its own, plain HTTP: keep it inside your network."""

    def __init__(
        self,
        listen: str,
        status: Callable[[], Mapping[str, Any]],
        traffic: Traffic,
        svid_ends_s: Callable[[], float],
        folder: Path,
    ) -> None:
        """Set up without listening.

        Args:
            listen: "host:port".
            status: what the agent says of itself.
            traffic: counts bytes.
            svid_ends_s: unix time [s] at which the present certificate ends.
            folder: the agent's; its size on disk is told, looked up at most every ten seconds.

        Raises:
            ConfigError: `listen` is no address and port.
        """
        self._host, self._port = address(listen)
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        disk = _Cached(lambda: used_bytes(folder), 10.0)
        registry.register(
            _AgentCollector(lambda: Seen(status(), traffic, svid_ends_s(), disk.value()))
        )
        self._registry = registry
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address is taken or not ours."""
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen for Prometheus on {self._host}:{self._port}: {error.strerror}",
                hint="set metrics_listen to a free address, or remove it",
            ) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._runner is not None, "start comes first"
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Cached:
    """A number that is worth asking for only now and then."""

    def __init__(self, ask: Callable[[], int], for_s: float) -> None:
        self._ask, self._for_s = ask, for_s
        self._value, self._until_s = 0, 0.0

    def value(self) -> int:
        now_s = time.monotonic()
        if now_s >= self._until_s:
            self._value, self._until_s = self._ask(), now_s + self._for_s
        return self._value
