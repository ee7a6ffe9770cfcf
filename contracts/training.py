"""Runs and rounds on chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from contracts.chain import Receipt
from contracts.contract import Contract
from contracts.keys import Signer
from contracts.messages import Attestation, RunRequest, Struct, Terms, from_abi, to_abi
from contracts.solidity import Bytes32, Int64, String, Uint8, Uint32, Uint64


class State(IntEnum):
    """Of a run."""

    NONE = 0
    OPEN = 1
    FINISHED = 2


class Ending(IntEnum):
    """Why a run finished."""

    TARGET_REACHED = 0
    ROUNDS_DONE = 1
    AGREEMENT_OVER = 2


@dataclass(frozen=True, slots=True)
class Run(Struct):
    """A run as the contract has it; `round` is the open one, of a finished run the last sealed."""

    agreement: Bytes32
    name: String
    generation: Uint32
    state: Uint8  # State
    round: Uint32
    snapshot_version: Uint32  # of the open round
    active: Uint64  # set of the parties counted in it; see `contracts.parties`
    opened_at: Uint64  # [unix s]
    prev: Bytes32  # of the open round
    merged_root: Bytes32  # last sealed; the initial root before round 0 is
    initial_loss: Uint64  # [1e-9] L0
    best_loss: Uint64  # [1e-9] lowest sealed and paid
    last_loss: Uint64  # [1e-9]
    last_metric: Int64  # [1e-9]


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

    async def reopen(self, run_id: bytes, *, signer: Signer) -> Receipt:
        return await self._write("reopen", run_id, signer=signer)

    async def close(self, run_id: bytes, *, signer: Signer) -> Receipt:
        return await self._write("close", run_id, signer=signer)

    async def consortium(self) -> str:
        return str(await self._read_one("consortium"))

    async def rewards(self) -> str:
        return str(await self._read_one("rewards"))

    async def run(self, run_id: bytes) -> Run:
        return from_abi(Run, await self._read_one("run", run_id))

    async def terms(self, run_id: bytes) -> Terms:
        return from_abi(Terms, await self._read_one("terms", run_id))

    async def run_named(self, agreement: bytes, name: str) -> bytes:
        """Returns the run's id, or 32 zero bytes."""
        return bytes(await self._read_one("runNamed", agreement, name))

    async def quorum(self, run_id: bytes) -> int:
        """Returns how many organizations have to sign the open round."""
        return int(await self._read_one("quorum", run_id))

    async def attestation_digest(self, attestation: Attestation) -> bytes:
        return bytes(await self._read_one("attestationDigest", to_abi(attestation)))
