"""A deployment on Ape's local chain, and the organizations that use it.

Messages are signed with the product's own Python (`contracts.messages`), so that every transaction
here also shows that Solidity and Python agree on what was signed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ape.contracts import ContractContainer, ContractInstance
from ethpm_types import ContractType

from contracts import messages as m
from contracts.keys import Signer

ROOT = Path(__file__).parents[2]
HOUR_S = 3_600
YEAR_S = 365 * 24 * HOUR_S


def signer(number: int) -> Signer:
    """Return the same key for the same number."""
    return Signer(number.to_bytes(32, "big"))


def wallet(party: int) -> Signer:
    """Return the key of an organization's wallet."""
    return signer(0xA000 + party)


def node(registration: int) -> Signer:
    """Return the key of the node that enrolled with this number."""
    return signer(0xB000 + registration)


class Swarm:
    """The contracts as deployed; `relayer` posts what others sign and has no role in it."""

    def __init__(self, project: Any, chain: Any, accounts: Any) -> None:
        self.chain = chain
        self.relayer, self.treasury, self.sponsor = accounts[:3]
        deploy = self.relayer.deploy
        self.roles = deploy(project.Roles, self.treasury)
        self.token = deploy(project.SwarmToken, "Swarm Reward", "SWARM", 10**30, self.roles)
        self.consortium = deploy(project.Consortium)
        self.council = project.Council.at(self.consortium.council())
        self.stakes = deploy(project.Stakes, self.consortium, self.token)
        self.presence = deploy(project.Presence, self.consortium)
        clerk = deploy(project.Clerk, self.consortium, self.stakes, self.presence)
        self.training = deploy(project.Training, self.consortium, self.token, clerk)
        self.rewards = project.Rewards.at(self.training.rewards())
        self.royalties = deploy(project.Royalties, self.training)
        self.taskrunner = deploy(project.Taskrunner, self.consortium)

    def now(self) -> int:
        """Return the time of the chain."""
        return int(self.chain.pending_timestamp)

    def sign(self, contract: ContractInstance, message: m.Struct, key: Signer) -> bytes:
        """Sign a message for one of the contracts."""
        return m.sign(m.Domain(self.chain.chain_id, contract.address), message, key)

    def terms(self, **changes: Any) -> m.Terms:
        """Return terms of metered pay on a common validation set."""
        values: dict[str, Any] = {
            "initial_root": b"\x11" * 32,
            "schema_hash": b"\x22" * 32,
            "validation_root": b"\x33" * 32,
            "sponsor": self.sponsor.address,
            "budget": 10**21,
            "loss_ceiling": 700_000_000,
            "target_loss": 100_000_000,
            "min_samples": 64,
            "max_rounds": 24,
            "sync_frequency": 8,
            "stall_time": 600,
            "quorum_grace": 2_000,
            "leader_timeout": 30_000,
            "min_peers": 0,
            "merge_rule": 0,
            "metering": 2,
        }
        return m.Terms(**(values | changes))

    def agree(self, parties: int, terms: m.Terms, document: bytes = b"\x44" * 32) -> m.Agreement:
        """Bring an agreement of so many parties into force."""
        agreement = m.Agreement(
            document=document,
            purpose="Early finding",
            trust_domain="swarm.example",
            not_before=self.now() - HOUR_S,
            not_after=self.now() + YEAR_S,
            terms=terms,
            parties=tuple(
                m.Party(f"hospital-{party}", wallet(party).address, 1) for party in range(parties)
            ),
        )
        signatures = [
            self.sign(self.consortium, agreement, wallet(party)) for party in range(parties)
        ]
        self.consortium.activate(m.to_abi(agreement), signatures, sender=self.relayer)
        return agreement

    def enroll(self, agreement: m.Agreement, party: int, key: Signer, name: str = "n1") -> Any:
        """Enroll a node; return the receipt."""
        id_ = m.struct_hash(agreement)
        enrollment = m.Enrollment(
            agreement=id_,
            party=party,
            node=name,
            key=key.address,
            url=f"https://{name}.hospital-{party}.example:9443",
            may_lead=True,
            deadline=self.now() + HOUR_S,
            nonce=int(self.consortium.enrollmentNonce(id_, party)),
        )
        return self.consortium.enroll(
            m.to_abi(enrollment),
            self.sign(self.consortium, enrollment, wallet(party)),
            self.sign(self.consortium, enrollment, key),
            sender=self.relayer,
        )

    def create_run(self, agreement: m.Agreement, name: str = "breast-cancer") -> bytes:
        """Have party 0 ask for a run; return its id."""
        request = m.RunRequest(
            agreement=m.struct_hash(agreement),
            party=0,
            name=name,
            salt=b"\x05" * 32,
            deadline=self.now() + HOUR_S,
        )
        receipt = self.training.createRun(
            m.to_abi(request),
            m.to_abi(agreement.terms),
            self.sign(self.training, request, wallet(0)),
            sender=self.relayer,
        )
        (created,) = receipt.decode_logs(self.training.RunCreated)
        return bytes(created.runId)

    def fund(self, run_id: bytes, amount_wei: int) -> None:
        """Have the sponsor fund the run with newly minted tokens."""
        self.token.mint(self.sponsor, amount_wei, sender=self.treasury)
        self.token.approve(self.rewards, amount_wei, sender=self.sponsor)
        self.rewards.fund(run_id, amount_wei, sender=self.sponsor)

    def attestation(
        self, run_id: bytes, loss_e9: int, shares: Sequence[tuple[int, int]] = ()
    ) -> m.Attestation:
        """Return what honest nodes sign when the loss has gone to `loss_e9`."""
        run = self.training.run(run_id)
        start = run.round == 0
        return m.Attestation(
            run_id=run_id,
            round=int(run.round),
            prev=bytes(run.prev),
            term=0,
            roster_root=bytes(32) if start else b"\x77" * 32,
            merged_root=bytes(run.mergedRoot) if start else int(run.round).to_bytes(32, "big"),
            loss_before=int(run.lastLoss),
            loss_after=loss_e9,
            metric=900_000_000,
            shares=m.pack_shares(shares),
            rejects=b"",
        )

    def seal(self, attestation: m.Attestation, signers: Sequence[int]) -> Any:
        """Post a seal that these registrations sign; return the receipt."""
        signatures = b"".join(
            self.sign(self.training, attestation, node(registration)) for registration in signers
        )
        return self.training.seal(
            m.to_abi(attestation), list(signers), signatures, sender=self.relayer
        )


@pytest.fixture
def swarm(project: Any, chain: Any, accounts: Any) -> Swarm:
    return Swarm(project, chain, accounts)


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    """Read one of the files of test vectors."""
    return lambda name: json.loads((ROOT / "tests" / "vectors" / name).read_text("utf-8"))


@pytest.fixture(scope="session")
def compiled_hashes() -> ContractContainer:
    """Compile the libraries' hashes, once: the product itself does not expose them all."""
    source = Path(__file__).with_name("Hashes.sol")
    task = {
        "language": "Solidity",
        "sources": {source.name: {"content": source.read_text("utf-8")}},
        "settings": {
            "evmVersion": "cancun",
            "optimizer": {"enabled": True, "runs": 200},  # or it would be too large to deploy
            "outputSelection": {"*": {"Hashes": ["abi", "evm.bytecode.object"]}},
        },
    }
    answer = subprocess.run(
        (
            ROOT / "bin/solc",
            "--standard-json",
            "--base-path",
            ".",
            "--include-path",
            "node_modules",
        ),
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    compiled = json.loads(answer.stdout)["contracts"][source.name]["Hashes"]
    kind = ContractType(
        contractName="Hashes",
        abi=compiled["abi"],
        deploymentBytecode={"bytecode": "0x" + compiled["evm"]["bytecode"]["object"]},
    )
    return ContractContainer(kind)


@pytest.fixture
def hashes(compiled_hashes: ContractContainer, accounts: Any) -> ContractInstance:
    return accounts[0].deploy(compiled_hashes)
