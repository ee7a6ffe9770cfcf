"""Runs and rounds on chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import (
    Attestation,
    Pardon,
    RunRequest,
    Struct,
    Terms,
    Votes,
    from_abi,
    to_abi,
)
from contracts.solidity import Bytes32, Int64, String, Uint8, Uint32, Uint64
from contracts.votes import Votings, ascending


class State(IntEnum):
    """Of a run."""

    NONE = 0
    OPEN = 1
    SETTLING = 2  # local metering: no round follows, but the last waits for rows
    FINISHED = 3


class Ending(IntEnum):
    """Why a run finished."""

    TARGET_REACHED = 0
    ROUNDS_DONE = 1
    AGREEMENT_OVER = 2
    PATIENCE = 3  # no better value for so many rounds


@dataclass(frozen=True, slots=True)
class Run(Struct):
    """A run as the contract has it; `round` is the open one, of an ended run the last sealed."""

    agreement: Bytes32
    name: String
    generation: Uint32
    state: Uint8  # State
    round: Uint32
    snapshot_version: Uint32  # of that round
    active: Uint64  # set of the parties counted in it; see `contracts.parties`
    quarantined: Uint64  # set of the parties left out; who is back comes with the next round
    opened_at: Uint64  # [unix s] the open round; of a run that has ended, when it did
    ending: Uint8  # Ending, of a run that has ended
    prev: Bytes32  # of the open round
    initial_root: Bytes32  # where round 0 starts
    merged_root: Bytes32  # last sealed; the initial root before round 0 is
    initial_loss: Uint64  # [1e-9] L0
    best_loss: Uint64  # [1e-9] lowest sealed and paid; local: L0 less the best sum of gains
    last_loss: Uint64  # [1e-9] zero under local metering
    last_metric: Int64  # [1e-9] zero under local metering
    best_metric: Int64  # [1e-9] where `stopping` watches the metric
    paid_rounds: Uint32
    idle_rounds: Uint32  # since the watched value last got better


class Training(Contract):
    """The referee. See ITraining.sol for what each function requires."""

    NAME = "Training"

    async def create_run(
        self, request: RunRequest, terms: Terms, wallet_signature: bytes, *, signer: Signer
    ) -> Receipt:
        return await self._write(
            "createRun", to_abi(request), to_abi(terms), wallet_signature, signer=signer
        )

    async def seal(
        self, attestation: Attestation, signatures: Mapping[int, bytes], *, signer: Signer
    ) -> Receipt:
        """Posts a round with its signatures by registration, in any order."""
        signers = sorted(signatures)
        joined = b"".join(signatures[each] for each in signers)
        return await self._write("seal", to_abi(attestation), signers, joined, signer=signer)

    async def seal_local(
        self,
        attestation: Attestation,
        votes: Votes,
        settled: Attestation,
        late: Votes,
        *,
        signer: Signer,
    ) -> Receipt:
        """Posts a round under local metering, and late rows of the one before.

        Args:
            attestation: what all signed alike; see `contracts.votes`.
            votes: who signed it, with what rows.
            settled: what was sealed in the round before; any where nobody is late.
            late: who signed that and is not on chain yet.
            signer: who posts.
        """
        arguments = [to_abi(each) for each in (attestation, votes, settled, late)]
        return await self._write("sealLocal", *arguments, signer=signer)

    async def add_rows(self, settled: Attestation, late: Votes, *, signer: Signer) -> Receipt:
        """Adds rows to the round that was sealed last, until it is settled."""
        return await self._write("addRows", to_abi(settled), to_abi(late), signer=signer)

    async def settle(self, run_id: bytes, *, signer: Signer) -> Receipt:
        """Settles the last round of a run under local metering that has ended."""
        return await self._write("settle", run_id, signer=signer)

    async def pardon(self, pardon: Pardon, votes: Votings, *, signer: Signer) -> Receipt:
        """Ends a quarantine, by the signatures of the parties in favor."""
        return await self._write("pardon", to_abi(pardon), *ascending(votes), signer=signer)

    async def reopen(self, run_id: bytes, *, signer: Signer) -> Receipt:
        return await self._write("reopen", run_id, signer=signer)

    async def close(self, run_id: bytes, *, signer: Signer) -> Receipt:
        return await self._write("close", run_id, signer=signer)

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def rewards(self) -> str:
        return str(await self._read_one("rewards"))

    async def clerk(self) -> str:
        return str(await self._read_one("clerk"))

    async def run(self, run_id: bytes) -> Run:
        return from_abi(Run, await self._read_one("run", run_id))

    async def terms(self, run_id: bytes) -> Terms:
        return from_abi(Terms, await self._read_one("terms", run_id))

    async def agreement_of(self, run_id: bytes) -> bytes:
        return bytes(await self._read_one("agreementOf", run_id))

    async def run_named(self, agreement: bytes, name: str) -> bytes:
        """Returns the id of the latest generation, or 32 zero bytes."""
        return bytes(await self._read_one("runNamed", agreement, name))

    async def run_of(self, agreement: bytes, name: str, generation: int) -> bytes:
        """Returns the id of one generation, or 32 zero bytes."""
        return bytes(await self._read_one("runOf", agreement, name, generation))

    async def quorum(self, run_id: bytes) -> int:
        """Returns how many organizations have to sign the open round."""
        return int(await self._read_one("quorum", run_id))

    async def attestation_digest(self, attestation: Attestation) -> bytes:
        return bytes(await self._read_one("attestationDigest", to_abi(attestation)))

    async def domain_separator(self) -> bytes:
        return bytes(await self._read_one("domainSeparator"))
