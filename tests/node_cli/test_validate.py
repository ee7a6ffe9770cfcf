"""`swarm-node validate` on a node that is ready, and on one that lacks one thing or another."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from blake3 import blake3

from contracts import Contracts
from contracts.chain import Chain
from contracts.consortium import Registration
from contracts.deployment import deploy
from contracts.embedded import EmbeddedChain
from contracts.keys import new_key, save_key
from contracts.messages import Bylaws, sign
from marketplace.leases import signing as leases
from node_agent.addresses import Concern, others_reached
from node_agent.cli import call
from node_agent.config import Settings, load
from node_agent.identity.builtin import store
from node_agent.validate import Finding, validate
from scripts.ports import free_port
from tests.chain.people import ORGANIZATIONS, Alliance, make_agreement
from tests.identity.authority import Authority

NAME = "spiffe://swarm.example/org/hospital-a/node/node-1"
URL = "https://node-1.hospital-a.example:9443"


@dataclass
class Site:
    """A node's folder, and the world that it is checked against."""

    folder: Path
    alliance: Alliance
    authority: Authority
    lease_signer: leases.LeaseSigner

    def set(self, **changes: str) -> None:
        """Writes agent.toml; what is not changed is right."""
        values = {
            "run": "breast-cancer",
            "agreement": "0x" + self.alliance.id.hex(),
            "spiffe_id": NAME,
            "rpc_url": self.alliance.contracts.chain.rpc_url,
            "url": URL,
            "listen_host": "127.0.0.1",
            "initial_parameters": "initial.safetensors",
            "validation": "validation.npz",
            **changes,
        }
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        (self.folder / "agent.toml").write_text(text + "listen_port = 0\n")

    def lease(self, node: str = NAME, lasting_s: int = 3600) -> None:
        now_s = int(time.time())
        text = self.lease_signer.sign(
            leases.Lease("1", "hospital-a", node, (leases.TRAINING,), now_s - 60, now_s + lasting_s)
        )
        (self.folder / "lease").write_text(text)

    def svid(self, name: str = NAME, ttl_s: float = 3600) -> None:
        issued = self.authority.issue(name, ttl_s=ttl_s)
        store(self.folder, issued.key_pem, issued.chain_pem, self.authority.pem)

    async def check(self) -> dict[str, Finding]:
        return {each.check: each async for each in validate(load(self.folder))}


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    (folder / "initial.safetensors").write_bytes(b"initial")
    (folder / "validation.npz").write_bytes(b"validation")
    async with EmbeddedChain() as embedded:
        await embedded.start(tmp_path / "chain")
        async with await Chain.connect(embedded.rpc_url) as chain:
            relayer = embedded.deployer
            deployment = await deploy(chain, relayer, relayer.address, "Swarm", 10**27)
            deployment.save(folder / "deployment.json")
            contracts = Contracts.at(chain, deployment)
            owners = {name: new_key() for name in ORGANIZATIONS}
            agreement = make_agreement(owners, relayer.address, int(time.time()), Bylaws())
            wallets = tuple(owners.values())
            terms = replace(
                agreement.terms,
                initial_root=blake3(b"initial").digest(),
                validation_root=blake3(b"validation").digest(),
            )
            agreement = replace(agreement, terms=terms)
            node = new_key()
            alliance = Alliance(contracts, relayer, wallets, (node,), agreement, int(time.time()))
            domain = contracts.consortium.domain
            await contracts.consortium.activate(
                agreement, [sign(domain, agreement, each) for each in wallets], signer=relayer
            )
            await alliance.enroll(0, node)
            await alliance.create_run()
            save_key(folder / "node.key", node)
            signer = leases.create(tmp_path)
            (folder / "lease.pub").write_text(signer.public_key)
            site = Site(folder, alliance, Authority("swarm.example"), signer)
            site.set()
            site.lease()
            site.svid()
            yield site


async def test_a_node_that_has_everything_is_ready(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await site.check()
    # Its name is in no DNS: that is a warning only, as peers may see what this machine does not.
    assert found.pop("reachability").level == "warning"
    assert {name: each.level for name, each in found.items()} == dict.fromkeys(found, "ok")
    assert "registration 0" in found["enrollment"].text
    assert await asyncio.to_thread(call, ["validate", "--config", str(site.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(each.startswith("ok ") for each in lines) == 10


async def test_each_thing_that_is_missing_is_found_with_a_hint(site: Site) -> None:
    folder = site.folder
    other = str(folder.parent / "other.key")
    save_key(Path(other), new_key())
    spoilt: list[tuple[str, str, Callable[[], object], Callable[[], object]]] = [
        ("folder", "others can look", lambda: folder.chmod(0o755), lambda: folder.chmod(0o700)),
        (
            "node key",
            "other users",
            lambda: (folder / "node.key").chmod(0o644),
            lambda: (folder / "node.key").chmod(0o600),
        ),
        ("SVID", "expired on", lambda: site.svid(ttl_s=-1), site.svid),
        ("SVID", "is for spiffe://swarm.example/x", lambda: site.svid(NAME[:23] + "x"), site.svid),
        ("lease", "expired", lambda: site.lease(lasting_s=-1), site.lease),
        ("lease", "not for", lambda: site.lease(NAME + "x"), site.lease),
        ("chain", "127.0.0.1:1", lambda: site.set(rpc_url="http://127.0.0.1:1"), site.set),
        ("agreement", "not in force", lambda: site.set(agreement="0x" + "11" * 32), site.set),
        ("enrollment", "not enrolled", lambda: site.set(spiffe_id=NAME[:-1] + "2"), site.set),
        ("enrollment", "another one", lambda: site.set(node_key=other), site.set),
        ("enrollment", "peers are told", lambda: site.set(url="https://x:1"), site.set),
        ("run", "no run lung-cancer", lambda: site.set(run="lung-cancer"), site.set),
        ("run", "no run is named", lambda: site.set(run=""), site.set),
        (
            "initial parameters",
            "but the terms name",
            lambda: site.set(initial_parameters="validation.npz"),
            site.set,
        ),
        ("validation set", "cannot read", lambda: site.set(validation="none"), site.set),
    ]
    for check, text, spoil, repair in spoilt:
        spoil()
        finding = (await site.check())[check]
        assert (finding.check, finding.level) == (check, "failed"), finding
        assert text in finding.text
        assert finding.hint or check in ("chain", "validation set"), finding
        repair()


async def test_what_depends_on_a_failed_check_is_skipped_and_the_exit_code_tells(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.set(rpc_url="http://127.0.0.1:1")
    command = ["validate", "--json", "--config", str(site.folder)]
    assert await asyncio.to_thread(call, command) == 1
    found = {each["check"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["chain"]["level"] == "failed"
    for check in ("agreement", "enrollment", "run"):
        assert (found[check]["level"], found[check]["text"]) == ("skipped", "needs the chain")


class TestReachability:
    def settings(self, tmp_path: Path, listen_port: int, url_port: int) -> Settings:
        path = tmp_path / "agent.toml"
        path.write_text(
            f'agreement = "0x{"11" * 32}"\nspiffe_id = "{NAME}"\nrpc_url = "http://127.0.0.1:1"\n'
            f'url = "https://127.0.0.1:{url_port}"\nlisten_host = "127.0.0.1"\n'
            f"listen_port = {listen_port}\n"
        )
        return load(path)

    def others(self, *urls: str) -> list[Registration]:
        key = new_key().address
        return [
            Registration(n, key, n, True, 1, 0, f"spiffe://swarm.example/org/o{n}/node/x", url)
            for n, url in enumerate(urls)
        ]

    async def found(self, settings: Settings) -> Finding:
        return [each async for each in validate(settings)][-1]

    async def test_an_address_that_leads_here_is_fine_before_the_agent_runs(
        self, tmp_path: Path
    ) -> None:
        port = free_port()
        assert (await self.found(self.settings(tmp_path, port, port))).level == "ok"

    async def test_and_while_it_runs(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as agent:
            port = agent.getsockname()[1]
            assert (await self.found(self.settings(tmp_path, port, port))).level == "ok"

    async def test_an_address_that_leads_nowhere_is_pointed_out(self, tmp_path: Path) -> None:
        finding = await self.found(self.settings(tmp_path, free_port(), free_port()))
        assert finding.level == "warning"
        assert "port forwarding" in finding.hint

    async def test_who_lets_nothing_in_needs_another_one_who_does(self, tmp_path: Path) -> None:
        settings = self.settings(tmp_path, 0, 0).model_copy(update={"url": ""})
        with pytest.raises(Concern, match="no other one has an address"):
            await others_reached(settings, self.others("", ""))
        with socket.create_server(("127.0.0.1", 0)) as agent:
            url = f"https://127.0.0.1:{agent.getsockname()[1]}"
            assert "o1/node/x" in await others_reached(settings, self.others("", url))
            away = f"https://127.0.0.1:{free_port()}"
            with pytest.raises(Concern, match=r"does not reach .*o2") as caught:
                await others_reached(settings, self.others("", url, away))
        assert "o1" not in str(caught.value)
