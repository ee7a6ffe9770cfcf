"""A swarm on this machine without a marketplace: keys, agreement and certificates by a script.

For benchmarks and tests of the round itself. The chain, the contracts, the agents, their TLS and
the training processes are the real ones; only onboarding is cut short. Whoever wants to see that,
runs the demo.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from contracts import Contracts
from contracts.chain import Chain
from contracts.deployment import deploy
from contracts.embedded import EmbeddedChain
from contracts.events import RunCreated
from contracts.keys import Signer, new_key, save_key
from contracts.messages import (
    Agreement,
    Bylaws,
    Enrollment,
    Party,
    RunRequest,
    Terms,
    sign,
    struct_hash,
)
from marketplace.identity import authority
from node_agent.engine.store import file_root
from node_agent.identity.builtin import certificate_request, private_pem
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import schema_hash
from scripts.local_site import TRUST_DOMAIN, Place, Site
from scripts.ports import free_port

__all__ = ["TRUST_DOMAIN", "LocalSwarm", "Place", "Site", "free_port"]

RUN_NAME = "local"
POOL_WEI = 1000 * 10**18
_DAY_S = 86_400
_IDENTITY = """[identity]
source = "files"
chain = "svid.pem"
key = "svid_key.pem"
bundle = "bundle.pem"
"""


class LocalSwarm:
    """``async with LocalSwarm(folder, …) as swarm``: chain, contracts and enrolled sites.

    ``initial`` and ``validation`` are files; an organization that is listed twice has two nodes;
    those of ``late`` are enrolled by ``enroll``; ``terms`` changes fields of the default terms.
    """

    chain: Chain
    contracts: Contracts
    run_id: bytes

    def __init__(
        self,
        folder: Path,
        initial: Path,
        *,
        validation: Path | None = None,
        organizations: Sequence[str] = ("north", "south", "west"),
        late: Collection[str] = (),
        places: Mapping[str, Place] | None = None,
        bylaws: Bylaws | None = None,
        **terms: Any,
    ) -> None:
        self.folder = folder
        self.initial, self.validation = initial, validation
        self.embedded = EmbeddedChain()
        self._wallets: dict[str, Signer] = {}
        self._parties = list(dict.fromkeys(organizations))
        self._bylaws = bylaws or Bylaws()
        self._late, self._places = late, places or {}
        self.sites = [
            self._site(name, organizations[:k].count(name)) for k, name in enumerate(organizations)
        ]
        self.terms = replace(self._default_terms(), **terms)

    def _site(self, name: str, before: int) -> Site:
        folder = self.folder / (f"{name}-{before + 1}" if before else name)
        node, party = str(before + 1), self._parties.index(name)
        wallet = self._wallets.setdefault(name, new_key())
        place = self._places.get(name, Place())
        return Site(party, name, node, folder, free_port(), wallet, new_key(), place)

    def _default_terms(self) -> Terms:
        return Terms(
            initial_root=file_root(self.initial),
            schema_hash=schema_hash(ParameterFile.open(self.initial).schema),
            validation_root=file_root(self.validation) if self.validation else bytes(32),
            sponsor=new_key().address,
            budget=POOL_WEI,
            loss_ceiling=10**10,
            target_loss=10**6,
            min_samples=1,
            max_rounds=20,
            sync_frequency=8,
            stall_time=60,
            quorum_grace=1000,
            leader_timeout=2000,
            min_peers=2,
            merge_rule=0,
            metering=2 if self.validation else 0,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._set_up()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for site in self.sites:
            site.stop()
        if hasattr(self, "chain"):
            await self.chain.close()
        await self.embedded.stop()

    async def _set_up(self) -> None:
        rpc_url = await self.embedded.start(self.folder / "chain")
        self.chain = await Chain.connect(rpc_url)
        relayer = self.embedded.deployer
        deployment = await deploy(self.chain, relayer, relayer.address, "Swarm", 10 * POOL_WEI)
        deployment.save(self.folder / "deployment.json")
        self.contracts = Contracts.at(self.chain, deployment)
        self.agreement = await self._agree(relayer)
        for site in self.sites:
            if site.organization not in self._late:
                await self.enroll(site)
        self.run_id = await self._create_run(self.agreement, relayer)
        await self._fund(relayer)
        self._write_settings(self.agreement, rpc_url)

    async def _agree(self, relayer: Signer) -> bytes:
        now = int(time.time())
        parties = tuple(Party(name, self._wallets[name].address, 1) for name in self._parties)
        agreement = Agreement(
            document=bytes(32),
            purpose="a local trial",
            trust_domain=TRUST_DOMAIN,
            not_before=now - 60,
            not_after=now + _DAY_S,
            bylaws=self._bylaws,
            terms=self.terms,
            parties=parties,
        )
        domain = self.contracts.domains.consortium
        signatures = [sign(domain, agreement, self._wallets[name]) for name in self._parties]
        await self.contracts.consortium.activate(agreement, signatures, signer=relayer)
        return struct_hash(agreement)

    async def enroll(self, site: Site) -> None:
        """Have a node in the next snapshot."""
        enrollment = Enrollment(
            agreement=self.agreement,
            party=site.party,
            node=site.node,
            key=site.key.address,
            url=site.url,
            may_lead=True,
            deadline=int(time.time()) + _DAY_S,
            nonce=int(site.node) - 1,
        )
        domain = self.contracts.domains.consortium
        await self.contracts.consortium.enroll(
            enrollment,
            sign(domain, enrollment, site.wallet),
            sign(domain, enrollment, site.key),
            signer=self.embedded.deployer,
        )

    async def continue_run(self) -> None:
        """Create another run of the same name, which goes on from the model of the finished one."""
        relayer, before = self.embedded.deployer, self.run_id
        self.run_id = await self._create_run(self.agreement, relayer, continues=before)
        await self._fund(relayer)

    async def _fund(self, relayer: Signer) -> None:
        await self.contracts.token.mint(relayer.address, POOL_WEI, signer=relayer)
        rewards = self.contracts.rewards
        await self.contracts.token.approve(rewards.address, POOL_WEI, signer=relayer)
        await rewards.fund(self.run_id, POOL_WEI, signer=relayer)

    async def _create_run(
        self, agreement: bytes, relayer: Signer, continues: bytes = bytes(32)
    ) -> bytes:
        request = RunRequest(
            agreement=agreement,
            party=0,
            name=RUN_NAME,
            generation=2 if any(continues) else 1,
            continues=continues,
            salt=bytes(32),
            deadline=int(time.time()) + _DAY_S,
        )
        receipt = await self.contracts.training.create_run(
            request,
            self.terms,
            sign(self.contracts.domains.training, request, self.sites[0].wallet),
            signer=relayer,
        )
        return next(e for e in receipt.events if isinstance(e, RunCreated)).run_id

    def _write_settings(self, agreement: bytes, rpc_url: str) -> None:
        issuer = authority.create(self.folder, TRUST_DOMAIN, int(time.time()))
        for site in self.sites:
            site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            save_key(site.folder / "node.key", site.key)
            key = ec.generate_private_key(ec.SECP256R1())
            csr = certificate_request(key, site.spiffe_id).decode()
            svid = issuer.issue_svid(csr, site.spiffe_id, int(time.time()), _DAY_S)
            (site.folder / "svid.pem").write_text(svid.pem)
            (site.folder / "svid_key.pem").write_bytes(private_pem(key))
            (site.folder / "svid_key.pem").chmod(0o600)
            (site.folder / "bundle.pem").write_text(issuer.bundle_pem)
            lines = {
                "run": RUN_NAME,
                "agreement": "0x" + agreement.hex(),
                "spiffe_id": site.spiffe_id,
                "rpc_url": site.place.rpc_url or rpc_url,
                "deployment": str(self.folder.absolute() / "deployment.json"),
                "listen_host": site.place.host,
                "url": site.url,
                "initial_parameters": str(self.initial.absolute()),
            }
            if self.validation:
                lines["validation"] = str(self.validation.absolute())
            text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
            text += f"listen_port = {site.port}\n{_IDENTITY}"
            (site.folder / "agent.toml").write_text(text)

    async def wait(self, what: str, done: Callable[[], bool], timeout_s: float) -> None:
        """Wait until ``done()``; on time-out, the error shows the ends of all logs."""
        deadline = time.monotonic() + timeout_s
        while not done():
            for site in self.sites:
                for process in (site.agent, site.training):
                    if process and process.poll() not in (None, 0, -9):
                        raise RuntimeError(f"{site.organization} failed\n{self.log_tails()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {timeout_s:g} s\n{self.log_tails()}")
            await asyncio.sleep(0.1)  # other processes' states come without notice

    def log_tails(self, lines: int = 15) -> str:
        """The last lines of every log, for error messages."""
        parts = []
        for site in self.sites:
            for name in ("agent.log", "training.log"):
                path = site.folder / name
                if path.exists():
                    tail = path.read_text(errors="replace").splitlines()[-lines:]
                    parts.append(f"--- {site.organization}/{name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def reports(self, site: Site) -> list[dict[str, Any]]:
        """A node's own reports of the rounds it has seen sealed."""
        path = site.folder / "rounds.jsonl"
        return [json.loads(line) for line in path.open()] if path.exists() else []

    def rounds(self) -> list[int | None]:
        """The open round as each agent sees it."""
        return [site.status().get("round") for site in self.sites]
