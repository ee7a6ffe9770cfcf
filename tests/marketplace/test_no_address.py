"""Sites that accept no inbound connection, from a token to their pay: through the real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from contracts.keys import load_key
from node_agent.engine.store import file_root
from node_agent.parameters.format import ParameterFile, write
from node_agent.parameters.schema import schema_hash
from scripts.local_swarm import Site
from scripts.ports import free_port
from tests.marketplace.processes import run, wallet
from tests.marketplace.test_pages import browser
from tests.marketplace.world import TOKEN_WEI, Federation, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RUN = "no-address"
ROUNDS = 3
SWARM_NODE = str(Path(sys.executable).with_name("swarm-node"))
WITH_ADDRESS, *WITHOUT = "clinic-a", "clinic-b", "clinic-c"
OFFSETS = {"clinic-a": "-0.1", "clinic-b": "0.05", "clinic-c": "0.1"}


def swarm_node(*command: str, token: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SWARM_ENROLLMENT_TOKEN": token} if token else None
    return subprocess.run(
        [SWARM_NODE, *command],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def until(what: str, done: Callable[[], object], sites: list[Site], timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            logs = [f"{s.folder}\n{(s.folder / 'agent.log').read_text()[-1500:]}" for s in sites]
            raise TimeoutError(f"{what}: not within {timeout_s:g} s\n" + "\n".join(logs))
        time.sleep(0.1)  # the agents are other processes, and send no word


@pytest.fixture
def federation(world: World, tmp_path: Path) -> Federation:
    """An agreement about a small model; nobody is enrolled yet."""
    initial, agreed = tmp_path / "initial.safetensors", tmp_path / "agreed.safetensors"
    write(initial, {"w": np.zeros(2000, np.float32)}, {"format": "swarm-1", "kind": "initial"})
    write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
    made = Federation(world)
    made.agree(
        initial_root="0x" + file_root(initial).hex(),
        schema_hash="0x" + schema_hash(ParameterFile.open(initial).schema).hex(),
        validation_root="0x" + file_root(agreed).hex(),
        target_loss=0,
        max_rounds=ROUNDS,
        min_samples=1,
        sync_frequency=8,
        leader_timeout=2000,
        quorum_grace=1000,
        min_peers=3,
    )
    return made


def enrolled(federation: Federation, name: str, folder: Path) -> Site:
    """The owner makes a token, the operator uses it with or without a URL, the owner approves."""
    with federation.owner(name) as owner:
        made = owner.enrollment_token(federation.agreement_id, name, "site-1")
    port = free_port()
    url = f"https://127.0.0.1:{port}" if name == WITH_ADDRESS else ""
    done = swarm_node(
        *("enroll", "--folder", str(folder), "--json"),
        *("--url", url, "--listen", f"127.0.0.1:{port}"),
        token=made["token"],
    )
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["key"]
    with federation.owner(name) as owner:
        mine = next(e for e in owner.enrollments(federation.agreement_id) if e["key"] == key)
        assert mine["url"] == url
        owner.wait(owner.approve(mine)["operation"]["id"])
    party = list(federation.wallets).index(name)
    signer = load_key(folder / "node.key")
    return Site(party, name, "site-1", folder, port, federation.wallets[name], signer)


def prepare(site: Site, data: Path) -> None:
    """What the operator writes into agent.toml."""
    settings = site.folder / "agent.toml"
    text = settings.read_text().replace('run = ""', f'run = "{RUN}"')
    text += f'initial_parameters = "{data / "initial.safetensors"}"\n'
    settings.write_text(text + f'validation = "{data / "agreed.safetensors"}"\n')


def findings(site: Site) -> dict[str, dict[str, str]]:
    said = swarm_node("validate", "--json", "--config", str(site.folder)).stdout
    return {each["check"]: each for each in map(json.loads, said.splitlines())}


def test_two_sites_without_an_address_are_enrolled_train_and_are_paid(
    federation: Federation, tmp_path: Path
) -> None:
    folders = {name: tmp_path / name for name in federation.wallets}
    # The site with an address comes last: until then the others are told that nobody has one.
    sites = [enrolled(federation, name, folders[name]) for name in WITHOUT]
    alone = findings(sites[0])
    assert alone["enrollment"]["level"] == "ok"
    assert alone["reachability"]["level"] == "warning"
    assert "URL" in alone["reachability"]["hint"]
    assert "No node takes connections" in nodes_page(federation)
    sites.insert(0, enrolled(federation, WITH_ADDRESS, folders[WITH_ADDRESS]))
    assert "does not reach" in findings(sites[1])["reachability"]["text"], "its agent is not up"
    federation.start(RUN)
    federation.fund(1000)
    for site in sites:
        prepare(site, tmp_path)

    with ExitStack() as stack:
        for site in sites:
            stack.callback(site.stop)
            site.start_agent()
        until("the agents", lambda: all(site.status() for site in sites), sites)
        for site in sites:
            assert swarm_node("healthcheck", "--config", str(site.folder)).returncode == 0
        found = [findings(site) for site in sites]
        assert {each["level"] for checks in found for each in checks.values()} == {"ok"}
        for site in sites:
            options = ["--offset", OFFSETS[site.organization], "--min-peers", "3"]
            site.start_training(
                [sys.executable, "-m", "scripts.quadratic_trainer", *options],
                {"INITIAL": str(tmp_path / "initial.safetensors")},
            )
        until("the end", lambda: all(s.status().get("state") == "finished" for s in sites), sites)
        assert [site.status()["inbound"] for site in sites] == [True, False, False]
        look_at_the_pages(federation, tmp_path)
        are_paid(federation)


def nodes_page(federation: Federation) -> str:
    with browser(federation.world, federation.wallets["clinic-b"]) as page:
        answer = page.get(f"/agreements/{federation.agreement_id}/nodes")
    assert answer.status_code == 200
    return answer.text


def look_at_the_pages(federation: Federation, folder: Path) -> None:
    """Owners and operators see which sites take no connections, and nothing that looks broken."""
    shown = nodes_page(federation)
    assert "No node takes connections" not in shown
    assert shown.count("takes no connections") == 2
    assert "https://127.0.0.1:" in shown
    keystore = wallet(folder / "clinic-b.json", federation.wallets["clinic-b"], "secret")
    listed = run(
        *("node", "list", "--market", federation.world.market_url, "--wallet", str(keystore)),
        *("--agreement", federation.agreement_id),
        password="secret",
    ).stdout
    assert listed.count("takes no connections") == 2


def are_paid(federation: Federation) -> None:
    federation.sees(ROUNDS + 1)
    with federation.owner("clinic-a") as owner:
        rounds = owner.rounds(federation.run_id)
        assert [each["round"] for each in rounds] == list(range(ROUNDS + 1))
        before = owner.earnings(federation.run_id)
    earned = {each["organization"]: int(each["claimable_wei"]) for each in before["organizations"]}
    assert all(earned[name] > 0 for name in WITHOUT)
    assert sum(earned.values()) <= 1000 * TOKEN_WEI
    for name in WITHOUT:
        with federation.owner(name) as owner:
            done = owner.wait(owner.claim(federation.run_id, name)["id"])
        assert done["state"] == "confirmed"
