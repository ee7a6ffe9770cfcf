"""Runs and their rounds: to the contracts and the model at once; who signs is decided here."""

from __future__ import annotations

from dataclasses import replace

from contracts import messages as m
from contracts.training import Training
from contracts.votes import votes_of
from tests.chain.machine.local import LocalRun
from tests.chain.machine.model import World
from tests.chain.machine.runs import Measured, Rows, Seal
from tests.chain.machine.stage import ALWAYS, Stage, key
from tests.chain.people import INITIAL_ROOT


def local(world: World, run_id: bytes) -> LocalRun:
    run = world.runs[run_id]
    assert isinstance(run, LocalRun)
    return run


class RoundActs(Stage):
    """Runs are created, their rounds sealed, opened again and closed."""

    @property
    def training(self) -> Training:
        return self.contracts.training

    async def create_run(
        self, party: int, name: str, generation: int, terms: m.Terms | None = None
    ) -> bool:
        """By the terms in force, unless others are given."""
        domain, world = self.training.domain, self.world
        request = m.RunRequest(
            agreement=world.id,
            party=party,
            name=name,
            salt=bytes(32),
            generation=generation,
            deadline=ALWAYS,
        )
        run_id = m.run_id(
            domain.chain_id, domain.contract, world.id, name, generation, request.salt
        )
        signature, by_terms = self.signed(domain, request, party), terms or world.signed.terms
        return await self.step(
            "create run",
            lambda trial: trial.create_run(run_id, party, name, generation, by_terms),
            lambda: self.training.create_run(request, by_terms, signature, signer=self.poster),
        )

    async def seal(self, run_id: bytes, seal: Seal) -> bool:
        agreed = replace(
            with_measured(
                await self._attestation(run_id, seal.round, seal.same_prev), seal.measured
            ),
            rejects=m.pack_rejects(seal.rejects),
        )
        signatures = {each: self._signed(each, agreed) for each in seal.signers}
        return await self.step(
            "seal",
            lambda trial: trial.runs[run_id].seal(trial.now, trial.who, trial.stakes, seal),
            lambda: self.training.seal(agreed, signatures, signer=self.poster),
        )

    async def seal_local(
        self, run_id: bytes, round_: int, rows: Rows, late: Rows, same_prev: bool = True
    ) -> bool:
        common = await self._attestation(run_id, round_, same_prev)
        settled = self.sealed.get(run_id, common)
        done = await self.step(
            "seal local with late rows" if late else "seal local",
            lambda trial: trial.runs[run_id].seal_local(
                trial.now, trial.who, trial.stakes, round_, rows, late, same_prev
            ),
            lambda: self.training.seal_local(
                common, self._votes(common, rows), settled, self._votes(settled, late),
                signer=self.poster,
            ),
        )  # fmt: skip
        if done:
            self.sealed[run_id] = common
        return done

    async def add_rows(self, run_id: bytes, late: Rows) -> bool:
        settled = self.sealed.get(run_id) or await self._attestation(run_id, 0, True)
        return await self.step(
            "add rows",
            lambda trial: local(trial, run_id).add_rows(trial.who, late),
            lambda: self.training.add_rows(settled, self._votes(settled, late), signer=self.poster),
        )

    async def settle(self, run_id: bytes) -> bool:
        return await self.step(
            "settle",
            lambda trial: trial.runs[run_id].settle(trial.now),
            lambda: self.training.settle(run_id, signer=self.poster),
        )

    async def reopen(self, run_id: bytes) -> bool:
        return await self.step(
            "reopen",
            lambda trial: trial.runs[run_id].reopen(trial.now, trial.who, trial.stakes),
            lambda: self.training.reopen(run_id, signer=self.poster),
        )

    async def close(self, run_id: bytes) -> bool:
        return await self.step(
            "close",
            lambda trial: trial.runs[run_id].close(trial.now, trial.who),
            lambda: self.training.close(run_id, signer=self.poster),
        )

    async def pardon(self, run_id: bytes, party: int, voters: tuple[int, ...]) -> bool:
        run = self.world.runs[run_id]
        asked = m.Pardon(run_id, party, ALWAYS, run.pardons)
        votes, by = self.votes(self.training.domain, asked, voters)
        return await self.step(
            "pardon",
            lambda trial: trial.runs[run_id].pardon(trial.now, trial.who, party, by),
            lambda: self.training.pardon(asked, votes, signer=self.poster),
        )

    async def _attestation(self, run_id: bytes, round_: int, same_prev: bool) -> m.Attestation:
        prev = (await self.training.run(run_id)).prev if same_prev else b"\x99" * 32
        roster = bytes([round_]) * 32
        merged = bytes([0x80 + round_]) * 32 if round_ else INITIAL_ROOT
        return m.Attestation(run_id, round_, prev, 0, roster, merged, 0, 0, 0, b"", b"")

    def _signed(self, registration: int, attestation: m.Attestation) -> bytes:
        node = self.world.who.nodes[registration]
        return m.sign(self.training.domain, attestation, key("node", node.key))

    def _votes(self, common: m.Attestation, rows: Rows) -> m.Votes:
        made = {each: with_measured(common, row) for each, row in rows.items()}
        if not made:
            return m.Votes((), b"", ())
        return votes_of({each: (own, self._signed(each, own)) for each, own in made.items()})[1]


def with_measured(attestation: m.Attestation, measured: Measured) -> m.Attestation:
    return replace(
        attestation,
        loss_before=measured.loss_before,
        loss_after=measured.loss_after,
        metric=measured.metric,
        # Not by `pack_shares`, which refuses the bad rows that the contracts have to refuse too.
        shares=b"".join(p.to_bytes(2, "big") + b.to_bytes(2, "big") for p, b in measured.row),
    )
