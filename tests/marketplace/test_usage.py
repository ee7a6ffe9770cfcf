"""What rounds cost the nodes: taken if the node's own key signed it, shown, and never paid by.

The node's side is the agent's own: its meter, its journal, its client of the marketplace.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import sqlite3
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from contracts.keys import Signer, new_key
from contracts.messages import recover_digest
from contracts.personal import personal_digest
from marketplace import errors
from metering.usage import Usage, parse
from node_agent.errors import MarketplaceError
from node_agent.identity.svid import Svid
from node_agent.journal import Journal
from node_agent.marketplace import MarketplaceClient
from node_agent.peers.protocol import Traffic
from node_agent.usage.energy import Energy
from node_agent.usage.meter import Meter
from node_agent.usage.reports import UsageReports
from scripts.ports import free_port
from tests.marketplace.conftest import serving
from tests.marketplace.nodes import Node, private_pem
from tests.marketplace.processes import run, wallet
from tests.marketplace.test_pages import browser
from tests.marketplace.world import Federation, World, eventually


def usage(federation: Federation, organization: str, **changes: Any) -> Usage:
    node = federation.nodes[organization].answer["spiffe_id"]
    values = {"bytes_served": 2_000_000, "bytes_fetched": 1_000_000, "training_ms": 1500}
    values |= {"evaluation_ms": 250, "merge_ms": 50, "samples": 812, "energy_j": 45}
    return Usage(**({"run": federation.run_id, "round": 1, "node": node, **values} | changes))


def report(node: Node, usage: Usage, signer: Signer | None = None, text: str = "") -> Any:
    """What an agent sends; by default signed as it should be."""
    signed = usage.to_bytes().decode()
    signature = (signer or node.key).sign(personal_digest(signed))
    body = {"usage": text or signed, "signature": "0x" + signature.hex()}
    with node.client(node.answer["svid_pem"]) as client:
        headers = {"Content-Type": "application/json"}
        return client.post("/agents/v1/usage", content=json.dumps(body), headers=headers)


def log(world: World) -> str:
    return (world.folder / "serve.log").read_text()


class Agent:
    """The parts of an agent that deal with usage, in a folder of their own."""

    def __init__(self, folder: Path, federation: Federation, node: Node, url: str) -> None:
        ca_pem = node.answer["bundle_pem"]
        der = ssl.PEM_cert_to_DER_cert(ca_pem)
        key_pem = private_pem(node.tls_key).encode()
        svid = Svid.from_pem(node.answer["svid_pem"].encode(), key_pem, (der,), {})
        self.client = MarketplaceClient(url, ca_pem.encode(), lambda: svid)
        self.traffic = Traffic()
        self.journal = Journal(folder / "journal.sqlite3")
        self.meter = Meter(
            folder / "usage.sqlite3", federation.run_id, self.traffic, Energy(folder)
        )
        self.reports = UsageReports(
            federation.run_id, svid.spiffe_id, node.key, self.journal, self.meter
        )

    async def beat(self) -> None:
        """What happens at a heartbeat."""
        await self.reports.deliver(self.client.usage)


@asynccontextmanager
async def agent(
    folder: Path, federation: Federation, node: Node, url: str = ""
) -> AsyncIterator[Agent]:
    started = Agent(folder, federation, node, url or node.url)
    yield started
    started.meter.close()
    started.journal.close()
    await started.client.close()


def test_what_a_node_signed_is_shown_beside_what_was_earned(
    running: Federation, tmp_path: Path
) -> None:
    node = running.nodes["clinic-a"]
    first = usage(running, "clinic-a", round=0, energy_j=None, restarts=1)
    assert report(node, first).status_code == 204
    assert report(node, usage(running, "clinic-a")).status_code == 204
    with running.owner("clinic-b") as owner:
        shown = owner.usage(running.run_id)
        listed = owner.usage_reports(running.run_id, 1)
        earnings = owner.earnings(running.run_id)
    (own,) = (each for each in shown["organizations"] if each["organization"] == "clinic-a")
    assert own["bytes_served"] == own["nodes"][0]["bytes_served"] == 4_000_000
    assert (own["samples"], own["compute_s"]) == (1624, 3.6)
    assert (own["energy_j"], own["energy_reports"], own["reports"]) == (45, 1, 2)
    assert own["restarts"] == 1
    assert "never paid by" in shown["note"]
    # Anyone can tell who signed it, from the chain alone.
    (signed,) = (each for each in listed if parse(each["usage"].encode()).node == first.node)
    signature = bytes.fromhex(signed["signature"][2:])
    assert recover_digest(personal_digest(signed["usage"]), signature) == node.key.address
    registered = running.world.on_chain(
        lambda chain: chain.consortium.registrations(bytes.fromhex(running.agreement_id[2:]))
    )
    assert signed["key"] in {each.key for each in registered}
    assert parse(signed["usage"].encode()) == usage(running, "clinic-a")
    paid = {each["organization"]: each["credited_wei"] for each in earnings["organizations"]}
    assert set(paid) == set(running.wallets)  # also those that reported nothing
    keystore = wallet(tmp_path / "b.json", running.wallets["clinic-b"], "guess")
    mine = ("--wallet", str(keystore), "--market", running.world.market_url)
    told = run("run", "usage", running.run_id, *mine, password="guess").stdout
    assert re.search(rf"{first.node} +1624 +3.6 +4000000 +2000000 +1 +45", told)


def test_the_page_of_a_run_shows_usage_with_its_units(running: Federation) -> None:
    assert report(running.nodes["clinic-a"], usage(running, "clinic-a")).status_code == 204
    with browser(running.world, running.wallets["clinic-c"]) as owner:
        page = owner.get(f"/runs/{running.run_id}").text
    section = page[page.index('id="usage-title"') :]
    section = section[: section.index("</section>")]
    for title in ("Served [MB]", "Training [s]", "Energy [kJ]", "Samples"):
        assert title in section
    assert "Shown, never paid by" in section
    assert re.search(r"clinic-a</th>\s*<td[^>]*>(2|4)\.00</td>", section)


def test_a_report_heard_again_changes_nothing(running: Federation) -> None:
    node, said = running.nodes["clinic-b"], usage(running, "clinic-b", round=0)
    assert [report(node, said).status_code for _ in range(3)] == [204] * 3
    with running.owner("clinic-b") as owner:
        assert len([e for e in owner.usage_reports(running.run_id, 0) if said.node in str(e)]) == 1


def test_a_second_report_that_contradicts_the_first_is_refused_and_logged(
    running: Federation,
) -> None:
    node, said = running.nodes["clinic-b"], usage(running, "clinic-b")
    assert report(node, said).status_code == 204
    answer = report(node, dataclasses.replace(said, samples=10**6))
    assert answer.status_code == 409
    assert "in other numbers" in answer.json()["detail"]
    assert re.search(f"{said.node} has reported .* round 1 .*: refused", log(running.world))
    with running.owner("clinic-b") as owner:
        texts = [each["usage"] for each in owner.usage_reports(running.run_id, 1)]
    assert said.to_bytes().decode() in texts


def test_a_forged_report_is_refused(running: Federation) -> None:
    node, said = running.nodes["clinic-c"], usage(running, "clinic-c")
    forged = report(node, said, signer=running.nodes["clinic-a"].key)
    assert (forged.status_code, forged.json()["type"].rpartition(":")[2]) == (
        403,
        "wrong-signature",
    )
    other = running.nodes["clinic-a"].key.address
    assert f"round 1 is signed by {other}: refused" in log(running.world)
    dearer = dataclasses.replace(said, training_ms=10**9).to_bytes().decode()
    assert report(node, said, text=dearer).status_code == 403
    about_another = report(node, usage(running, "clinic-a"))
    assert about_another.status_code == 403
    assert "reports about" in about_another.json()["detail"]
    with running.owner("clinic-c") as owner:
        names = {each["organization"] for each in owner.usage(running.run_id)["organizations"]}
    assert "clinic-c" not in names


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"round": 2}, 404),  # open
        ({"round": 10**6}, 404),
        ({"run": "0x" + "ab" * 32}, 404),
        ({"samples": 2**63}, 422),
    ],
)
def test_what_cannot_be_is_not_kept(
    running: Federation, changes: dict[str, Any], status: int
) -> None:
    said = usage(running, "clinic-c", **changes)
    assert report(running.nodes["clinic-c"], said).status_code == status


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"format":"swarm-usage-1"}', "\ud800"])
def test_what_is_no_report_is_refused(running: Federation, text: str) -> None:
    answer = report(running.nodes["clinic-c"], usage(running, "clinic-c"), text=text)
    assert answer.status_code == 422


def test_strangers_neither_report_nor_read(running: Federation) -> None:
    node = running.nodes["clinic-a"]
    with node.client() as nobody:
        body = {
            "usage": usage(running, "clinic-a").to_bytes().decode(),
            "signature": "0x" + "1b" * 65,
        }
        assert nobody.post("/agents/v1/usage", json=body).status_code == 403
    with running.world.client(new_key()) as stranger:
        with pytest.raises(errors.NotFound):
            stranger.usage(running.run_id)
        with pytest.raises(errors.NotFound):
            stranger.usage_reports(running.run_id, 1)


async def test_an_agent_drops_what_is_never_taken_and_keeps_what_comes_too_early(
    running: Federation, tmp_path: Path
) -> None:
    node = running.nodes["clinic-c"]
    assert report(node, usage(running, "clinic-c", round=0)).status_code == 204
    async with agent(tmp_path, running, node) as ours:
        for number in range(4):
            ours.meter.begin(number)
        with pytest.raises(MarketplaceError, match="not sealed yet"):
            await ours.beat()
        assert ours.meter.over() == [2]  # 0 contradicted what was said before, 1 was taken


async def test_an_outage_of_the_marketplace_stops_nothing_and_loses_nothing(
    running: Federation, tmp_path: Path
) -> None:
    """The marketplace is killed, rounds go on, the agent is started anew: all reports arrive."""
    another, agent_port = second_marketplace(running.world, tmp_path / "market"), free_port()
    node, own, url = running.nodes["clinic-a"], tmp_path / "node", f"https://127.0.0.1:{agent_port}"
    own.mkdir()
    with serving(another, agent_port) as market:
        market.wait_for(f"{another.market_url}/healthz")
        async with agent(own, running, node, url) as before:
            before.meter.begin(0)
            before.meter.begin(1)
            await before.beat()
            assert before.meter.over() == []
            market.kill()
            for number in (2, 3):
                before.traffic.served_bytes += 1000
                before.meter.trained(number - 1, 1.5, 64)
                before.meter.begin(number)
                with pytest.raises(MarketplaceError, match="cannot be reached"):
                    await before.beat()
            assert before.reports.status()["waiting_reports"] == 2
    await asyncio.to_thread(running.seal, 0.9, {0: 7000, 1: 2000, 2: 1000})
    with serving(another, agent_port) as restarted:
        restarted.wait_for(f"{another.market_url}/healthz")
        async with agent(own, running, node, url) as after:
            after.meter.begin(3)
            with another.client(running.wallets["clinic-a"]) as owner:
                eventually(lambda: owner.rounds(running.run_id), lambda seen: len(seen) == 3)
                await after.beat()
                assert after.reports.status()["waiting_reports"] == 0
                said = [
                    parse(each["usage"].encode())
                    for number in range(3)
                    for each in owner.usage_reports(running.run_id, number)
                ]
    assert [each.round for each in said] == [0, 1, 2]
    assert [each.bytes_served for each in said] == [0, 1000, 1000]
    assert [(each.training_ms, each.samples) for each in said[1:]] == [(1500, 64)] * 2


def second_marketplace(world: World, folder: Path) -> World:
    """A marketplace that knows what the world's knows, and may be killed; no usage was heard."""
    shutil.copytree(world.folder, folder, ignore=shutil.ignore_patterns("*.sqlite3*", "*.log"))
    with (
        closing(sqlite3.connect(world.folder / "market.sqlite3")) as known,
        closing(sqlite3.connect(folder / "market.sqlite3")) as copied,
    ):
        known.backup(copied)
        with copied:
            copied.execute("DELETE FROM usage_reports")
    return dataclasses.replace(world, folder=folder, market_url=f"http://127.0.0.1:{free_port()}")
