"""Proofs that a node signed two things which contradict each other, for who wants to post them.

Both signatures are all that the contract `Stakes` needs, now or in a year. One file for each
contradiction, as JSON; the first one of its kind is kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts import Contracts
from contracts.chain import Receipt
from contracts.errors import MessageError
from contracts.files import replace_file
from contracts.keys import Signer
from contracts.messages import Attestation, Roster, Update, from_json, to_json
from node_agent.errors import ConfigError

log = logging.getLogger(__name__)

FOLDER = "proofs"
Signed = tuple[Update | Roster | Attestation, str]
"""A message and its signature, 0x-hex."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Two messages of one node for the same run, round, ``prev`` and, where they have one, term."""

    kind: str  # update, roster, attestation
    training: str  # address of the contract in whose domain they were signed
    registration: int
    node: str
    messages: tuple[dict[str, Any], dict[str, Any]]
    signatures: tuple[str, str]


class Proofs:
    """The proofs in a node's folder."""

    def __init__(self, folder: Path, training: str) -> None:
        self._folder, self._training = folder / FOLDER, training

    def keep(self, node: str, registration: int, first: Signed, second: Signed) -> None:
        """Keep a contradiction, and tell the operator what can be done with it."""
        message = first[0]
        kind = type(message).__name__.lower()
        term = getattr(message, "term", 0)
        name = f"{kind}-{message.prev.hex()[:16]}-{term}-{registration}.json"
        path = self._folder / name
        if path.exists():
            return
        proof = Proof(
            kind, self._training, registration, node,
            (to_json(message), to_json(second[0])), (first[1], second[1]),
        )  # fmt: skip
        self._folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(path, json.dumps(asdict(proof), indent=2).encode())
        log.warning(
            "%s has signed two different %ss for round %d. The proof is kept; to have its stake "
            "slashed: swarm-node report-proof %s",
            node, kind, message.round, path,
        )  # fmt: skip


def kept(folder: Path) -> list[Path]:
    """The proofs in a node's folder, oldest first."""
    return sorted((folder / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime)


def load(path: Path) -> Proof:
    """Raises ConfigError: the file is not there, or is no proof."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        first, second = value["messages"]
        signed, also = value["signatures"]
        return Proof(
            str(value["kind"]), str(value["training"]), int(value["registration"]),
            str(value["node"]), (dict(first), dict(second)), (str(signed), str(also)),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no proof: {error}", hint="swarm-node report-proof lists those there are"
        ) from error


async def report(proof: Proof, contracts: Contracts, signer: Signer) -> Receipt:
    """Post a proof; the signer is the one who is rewarded. ``ChainError``, ``ConfigError``."""
    stakes, where = contracts.stakes, (proof.training, proof.registration)
    try:
        signatures = [bytes.fromhex(each.removeprefix("0x")) for each in proof.signatures]
        match proof.kind:
            case "update":
                a, b = [_read(Update, each) for each in proof.messages]
                pairs = (a, signatures[0]), (b, signatures[1])
                return await stakes.slash_updates(*where, *pairs, signer=signer)
            case "roster":
                c, d = [_read(Roster, each) for each in proof.messages]
                of_rosters = (c, signatures[0]), (d, signatures[1])
                return await stakes.slash_rosters(*where, *of_rosters, signer=signer)
            case "attestation":
                e, f = [_read(Attestation, each) for each in proof.messages]
                attested = (e, signatures[0]), (f, signatures[1])
                return await stakes.slash_attestations(*where, *attested, signer=signer)
    except (MessageError, ValueError) as error:
        raise ConfigError(f"the proof is damaged: {error}") from error
    raise ConfigError(f"there are no proofs about a {proof.kind}")


def _read(kind: type[Any], body: Mapping[str, Any]) -> Any:
    return from_json(kind, body)
