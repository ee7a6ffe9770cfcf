"""A run played by hand on a real chain: everybody's keys are here, so everybody can be made to lie.

The files and rosters are those that nodes would have kept; what is sealed is up to the test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from contracts import messages as m
from contracts.consortium import Registration
from contracts.contract import Contract
from contracts.deployment import Contracts
from contracts.keys import Signer, new_key
from contracts.votes import NO_VOTES, votes_of
from marketplace.audit.artifacts import Artifacts
from marketplace.audit.gather import gather
from marketplace.audit.records import Records
from marketplace.audit.report import as_json
from marketplace.audit.scores import Measure
from marketplace.audit.walk import audit
from metering.split import node_weights
from node_agent.merge.registry import merge, state_root
from node_agent.parameters.format import ParameterFile, write
from node_agent.parameters.schema import schema_hash
from tests.chain.people import Alliance, found_alliance

POOL_WEI = 10**21 + 7
NAME = "breast-cancer"
START_E9 = 500_000_000


@dataclass
class PaperRun:
    """One run; `files` is where a node's files would lie."""

    contracts: Contracts
    alliance: Alliance
    files: Path
    run_id: bytes
    keys: dict[int, Signer]
    registrations: tuple[Registration, ...]
    base: bytes
    rows_of: m.Attestation | None = None  # what waits to be settled, under local metering

    @classmethod
    async def found(
        cls,
        contracts: Contracts,
        relayer: Signer,
        files: Path,
        *,
        organizations: Sequence[str] = ("north", "south", "west"),
        second_node_of: int | None = None,
        **terms: Any,
    ) -> Self:
        """An agreement, its nodes, a funded run. `files`: an empty folder."""
        initial = {"w": np.zeros(50, np.float32)}
        start = write(files / "new", initial, {"format": "swarm-1", "kind": "initial"})
        _named(files, files / "new", start.root)
        schema = ParameterFile.open(files / f"{start.root.hex()}.safetensors").schema
        terms = {"min_samples": 1, "target_loss": 0, "max_rounds": 9} | terms
        alliance = await found_alliance(
            contracts,
            relayer,
            new_key().address,
            organizations=organizations,
            initial_root=start.root,
            schema_hash=schema_hash(schema),
            **terms,
        )
        keys = dict(enumerate(alliance.nodes))
        if second_node_of is not None:
            key = new_key()
            keys[await alliance.enroll(second_node_of, key, "node-2")] = key
        run_id = await alliance.create_run(NAME)
        await contracts.token.mint(relayer.address, POOL_WEI, signer=relayer)
        await contracts.token.approve(contracts.rewards.address, POOL_WEI, signer=relayer)
        await contracts.rewards.fund(run_id, POOL_WEI, signer=relayer)
        registrations = await contracts.consortium.registrations(alliance.id)
        return cls(contracts, alliance, files, run_id, keys, registrations, start.root)

    @property
    def training(self) -> Contract:
        return self.contracts.training

    async def opening(self) -> m.Attestation:
        """What everybody would sign of the open round, but for what came of it."""
        run = await self.contracts.training.run(self.run_id)
        empty = bytes(32)
        return m.Attestation(
            self.run_id, run.round, run.prev, 0, empty, self.base, 0, 0, 0, b"", b""
        )

    async def start(self) -> None:
        """Seal round 0."""
        attestation = replace(
            await self.opening(), loss_before=START_E9, loss_after=START_E9, metric=0
        )
        await self.seal(dict.fromkeys(self.keys, attestation))

    async def seal(self, attested: Mapping[int, m.Attestation]) -> None:
        """Have nodes sign, and post it; late rows are not posted."""
        domain, relayer = self.contracts.training.domain, self.alliance.relayer
        signed = {n: m.sign(domain, each, self.keys[n]) for n, each in attested.items()}
        if self.alliance.agreement.terms.metering != 3:
            (attestation,) = set(attested.values())
            await self.contracts.training.seal(attestation, signed, signer=relayer)
            return
        common, votes = votes_of({n: (attested[n], signed[n]) for n in attested})
        await self.contracts.training.seal_local(
            common, votes, self.rows_of or common, NO_VOTES, signer=relayer
        )
        self.rows_of = common

    async def exchange(
        self, steps: Mapping[int, float], *, samples: Mapping[int, int] | None = None
    ) -> m.Attestation:
        """Have nodes send updates that are `steps` away from the base, and merge them.

        NaN is a step as well: such an update is rejected. Returns what honest nodes would sign,
        but for losses and shares.
        """
        opening = await self.opening()
        folder = self.files / f"round-{opening.round:06d}"
        folder.mkdir()
        order = sorted(steps, key=lambda n: self.registrations[n].spiffe_id)
        commits = {n: self._commit(folder, opening, n, steps[n], (samples or {}).get(n, 64))
                   for n in order}  # fmt: skip
        domain = self.contracts.training.domain
        root = m.updates_root([m.digest(domain, each) for each in commits.values()])
        roster = m.Roster(self.run_id, opening.round, opening.prev, 0, tuple(order), root)
        leader = order[0]
        body = {
            "roster": m.to_json(roster),
            "updates": [self._envelope("update", each, n) for n, each in commits.items()],
            "holdings": [],
            "earlier": [],
        }
        envelope = self._envelope("roster", roster, leader) | {"message": body}
        (folder / "rosters.json").write_text(json.dumps([envelope]))
        taken = [n for n in order if np.isfinite(steps[n])]
        rejects = m.pack_rejects(sorted((n, 4) for n in order if n not in taken))
        merged = self._merged(folder, opening, [commits[n].root for n in taken], taken)
        return replace(
            opening,
            roster_root=m.struct_hash(roster),
            merged_root=merged,
            loss_before=START_E9,
            loss_after=START_E9 - 40_000_000 * opening.round,
            rejects=rejects,
        )

    def file(self, root: bytes) -> Path:
        """The parameter file with this root."""
        return next(self.files.rglob(f"{root.hex()}.safetensors"))

    async def records(self) -> Records:
        return await gather(self.contracts.chain.rpc_url, self.contracts.deployment, NAME)

    async def audited(
        self, measure: Measure | None = None, records: Records | None = None
    ) -> dict[str, Any]:
        found = records or await self.records()
        return as_json(audit(found, Artifacts([self.files]), measure))

    def _commit(
        self, folder: Path, opening: m.Attestation, node: int, step: float, samples: int
    ) -> m.Update:
        base = ParameterFile.open(self.file(self.base))
        values = base.tensors()["w"] + np.float32(step)
        header = _header("update", opening) | {"node": self.registrations[node].spiffe_id}
        written = write(folder / "new", {"w": values}, header)
        _named(folder, folder / "new", written.root)
        return m.Update(
            self.run_id, opening.round, opening.prev, node, written.root, written.size, samples
        )

    def _merged(
        self, folder: Path, opening: m.Attestation, roots: Sequence[bytes], taken: Sequence[int]
    ) -> bytes:
        terms = self.alliance.agreement.terms
        parties = [self.registrations[n].party for n in taken]
        weights = {n: party.weight for n, party in enumerate(self.alliance.agreement.parties)}
        header = _header("merged", opening)
        base = ParameterFile.open(self.file(self.base))
        known = state_root(base, header)
        outcome = merge(
            terms.merge_rule,
            [ParameterFile.open(folder / f"{root.hex()}.safetensors") for root in roots],
            node_weights(parties, weights),
            folder / "merged",
            header,
            base=base,
            state=ParameterFile.open(self.file(known)) if known else None,
            state_path=folder / "state",
        )
        if outcome.state:
            _named(folder, folder / "state", outcome.state.root)
        self.base = outcome.written.root
        _named(folder, folder / "merged", self.base)
        return self.base

    def _envelope(self, kind: str, message: m.Struct, node: int) -> dict[str, Any]:
        signature = m.sign(self.contracts.training.domain, message, self.keys[node])
        return {
            "kind": kind,
            "message": m.to_json(message),
            "signature": "0x" + signature.hex(),
            "registration": node,
        }


def _header(kind: str, opening: m.Attestation) -> dict[str, str]:
    return {
        "format": "swarm-1",
        "kind": kind,
        "run": "0x" + opening.run_id.hex(),
        "round": str(opening.round),
        "prev": "0x" + opening.prev.hex(),
    }


def _named(folder: Path, path: Path, root: bytes) -> None:
    path.rename(folder / f"{root.hex()}.safetensors")
