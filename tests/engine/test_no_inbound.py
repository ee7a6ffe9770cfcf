"""Sites that accept no inbound connection take part, on networks where only one can be reached."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from contracts.messages import unpack_shares
from node_agent.parameters.format import write
from scripts.local_swarm import LocalSwarm, Place
from tests.end_to_end.hosts import Host, Network, NoNamespaces
from tests.engine.swarms import Start, finished, kill, launch, launch_agents, reaches, seals, train

pytestmark = pytest.mark.timeout(180)
STAR = 1
CHAIN_PORT = 8545
NO_ADDRESS = Place(inbound=False)


async def test_a_site_without_an_address_takes_part_in_a_mesh(start: Start) -> None:
    swarm = await start(places={"west": NO_ADDRESS}, max_rounds=3)
    await launch(swarm)
    await finished(swarm)
    west = swarm.sites[2]
    assert west.status()["inbound"] is False
    assert len(await seals(swarm)) == 4
    assert all(west.spiffe_id in r["members"] for r in swarm.reports(swarm.sites[0])[1:])


@pytest.mark.slow
async def test_two_that_see_only_the_third_go_on_when_it_comes_back(start: Start) -> None:
    swarm = await start(
        places={"south": NO_ADDRESS, "west": NO_ADDRESS}, topology=STAR, max_rounds=1000,
        target_loss=0,
    )  # fmt: skip
    await launch(swarm, batch_s=0.02)
    await reaches(swarm, 2)
    hub = swarm.sites[0]
    kill(hub)
    hub.start_agent()
    at = max(number or 0 for number in swarm.rounds())
    await reaches(swarm, at + 3)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A hub, and two sites that see it, and not each other."""
    (tmp_path / "hosts").mkdir()
    try:
        with Network(("north", "south", "west"), tmp_path / "hosts") as made:
            hub = made.hosts["north"].namespace
            for port in ("port1", "port2"):
                subprocess.run(
                    [
                        "ip",
                        "-n",
                        hub,
                        "link",
                        "set",
                        port,
                        "type",
                        "bridge_slave",
                        "isolated",
                        "on",
                    ],
                    check=True,
                )
            yield made
    except NoNamespaces as error:
        pytest.skip(str(error))


def place(network: Network, name: str) -> Place:
    inside = ("ip", "netns", "exec", network.hosts[name].namespace)
    url = f"http://127.0.0.1:{CHAIN_PORT}"
    return Place(network.address(name), inside, inbound=name == "north", rpc_url=url)


def listens(host: Host) -> list[str]:
    """The addresses in the namespace where connections are accepted, but for loopback."""
    command = ["ip", "netns", "exec", host.namespace, sys.executable, "-c", _LISTENING]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [address for address in found if address != "0100007F"]


_LISTENING = """
for line in open("/proc/net/tcp").readlines()[1:]:
    local, state = line.split()[1], line.split()[3]
    if state == "0A": print(local.split(":")[0])
"""


def reach(network: Network, source: str, target: str) -> bool:
    inside = ["ip", "netns", "exec", network.hosts[source].namespace]
    ping = ["ping", "-c", "1", "-W", "1", network.address(target)]
    return subprocess.run([*inside, *ping], capture_output=True, check=False).returncode == 0


@pytest.fixture
async def isolated(network: Network, tmp_path: Path) -> AsyncIterator[LocalSwarm]:
    initial, agreed = tmp_path / "initial.safetensors", tmp_path / "agreed.safetensors"
    write(initial, {"w": np.zeros(200_000, np.float32)}, {"format": "swarm-1", "kind": "initial"})
    write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
    places = {name: place(network, name) for name in network.hosts}
    async with AsyncExitStack() as stack:
        swarm = await stack.enter_async_context(
            LocalSwarm(
                tmp_path, initial, validation=agreed, places=places, topology=STAR, max_rounds=4,
                min_peers=3,
            )
        )  # fmt: skip
        # The chain stands for one that all sites reach; here it is on loopback of our own.
        socket = str(tmp_path / "chain.sock")
        port = str(urlsplit(swarm.chain.rpc_url).port)
        tunnel = [sys.executable, "-m", "tests.end_to_end.tunnel"]
        commands = [[*tunnel, "serve", socket, port]]
        for each in places.values():
            commands.append([*each.command, *tunnel, "listen", socket, str(CHAIN_PORT)])
        for command in commands:
            helper = await asyncio.create_subprocess_exec(*command)
            stack.push_async_callback(helper.wait)
            stack.callback(helper.kill)
        await asyncio.sleep(1.0)  # for the tunnels to stand
        yield swarm


@pytest.mark.slow
async def test_three_sites_of_which_two_accept_no_inbound_connection_finish_a_run(
    network: Network, isolated: LocalSwarm
) -> None:
    swarm = isolated
    assert not reach(network, "south", "west")
    await launch_agents(swarm)
    for site in swarm.sites:
        train(swarm, site)
    await finished(swarm)
    assert listens(network.hosts["north"])
    assert listens(network.hosts["south"]) == listens(network.hosts["west"]) == []
    sealed = await seals(swarm)
    assert len(sealed) == 5
    assert {party for party, _ in unpack_shares(sealed[-1].shares)} == {0, 1, 2}
    roots = {r["merged_root"] for s in swarm.sites for r in swarm.reports(s) if r["round"] == 4}
    assert roots == {sealed[-1].merged_root.hex()}
    # What south and west know of each other came from north, once.
    served = [site.status()["usage"]["bytes_served"] for site in swarm.sites]
    assert served[0] > max(served[1:])
