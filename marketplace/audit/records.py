"""What the chain has of one run, as plain values: gathered once, kept as JSON, audited anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from contracts.addresses import Deployment
from contracts.consortium import Registration
from contracts.errors import ChainError
from contracts.events import TYPES, Event
from contracts.messages import Domain, Party, Terms, from_json, to_json
from contracts.rewards import Account, Pool
from contracts.training import Run
from marketplace.errors import InvalidInput

FORM = "swarm-audit-records-1"


@dataclass(frozen=True, slots=True)
class Posted:
    """A transaction as it was sent: to which contract, and what."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Everything public about a run, at the end of one block.

    Attributes:
        deployment: the contracts' addresses, and which chain they are on.
        block: number of the block; later ones are not looked at.
        block_hash: 0x-hex.
        run_id: of the run.
        agreement: it belongs to.
        terms: those in force when the run was created.
        parties: of the agreement, by their numbers, as they were when the run was created.
        registrations: every one ever made, by their numbers.
        snapshots: version to root, of those that rounds were opened with.
        events: those of the run, and what else moved tokens in its transactions, in the order of
            the chain.
        posted: the transactions that recorded seals and rows, by their hashes.
        run, pool, accounts: what the contracts say in the end; accounts by party.
        escrow_wei: tokens that the contract of all pools holds.
    """

    deployment: Deployment
    block: int
    block_hash: str
    run_id: bytes
    agreement: bytes
    terms: Terms
    parties: tuple[Party, ...]
    registrations: tuple[Registration, ...]
    snapshots: Mapping[int, bytes]
    events: tuple[Event, ...]
    posted: Mapping[str, Posted]
    run: Run
    pool: Pool
    accounts: tuple[Account, ...]
    escrow_wei: int

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of rounds."""
        return Domain(self.deployment.chain_id, self.deployment.training)

    def organization(self, party: int) -> str:
        """The name of a party."""
        known = 0 <= party < len(self.parties)
        return self.parties[party].organization if known else f"party {party}"

    def to_json(self) -> dict[str, Any]:
        return {
            "form": FORM,
            "deployment": self.deployment.to_json(),
            "block": self.block,
            "block_hash": self.block_hash,
            "run_id": _hex(self.run_id),
            "agreement": _hex(self.agreement),
            "terms": to_json(self.terms),
            "parties": [to_json(each) for each in self.parties],
            "registrations": [asdict(each) for each in self.registrations],
            "snapshots": {str(version): _hex(root) for version, root in self.snapshots.items()},
            "events": [_event_to_json(each) for each in self.events],
            "posted": {
                transaction: {"to": each.to, "data": _hex(each.data)}
                for transaction, each in self.posted.items()
            },
            "run": to_json(self.run),
            "pool": to_json(self.pool),
            "accounts": [to_json(each) for each in self.accounts],
            "escrow_wei": str(self.escrow_wei),
        }

    @classmethod
    def from_json(cls, value: Any) -> Records:
        """Raises InvalidInput: not what `to_json` gives."""
        try:
            if value["form"] != FORM:
                raise InvalidInput(f"these are records of the form {value['form']!r}, not {FORM}")
            return cls(
                deployment=Deployment.from_json(value["deployment"]),
                block=int(value["block"]),
                block_hash=str(value["block_hash"]),
                run_id=_bytes(value["run_id"]),
                agreement=_bytes(value["agreement"]),
                terms=from_json(Terms, value["terms"]),
                parties=tuple(from_json(Party, each) for each in value["parties"]),
                registrations=tuple(Registration(**each) for each in value["registrations"]),
                snapshots={int(n): _bytes(root) for n, root in value["snapshots"].items()},
                events=tuple(_event_from_json(each) for each in value["events"]),
                posted={
                    transaction: Posted(str(each["to"]), _bytes(each["data"]))
                    for transaction, each in value["posted"].items()
                },
                run=from_json(Run, value["run"]),
                pool=from_json(Pool, value["pool"]),
                accounts=tuple(from_json(Account, each) for each in value["accounts"]),
                escrow_wei=int(value["escrow_wei"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ChainError) as error:
            raise InvalidInput(
                f"these are no records of a run: {error}",
                hint="`swarm-market audit RUN --rpc URL --save-records FILE` writes them",
            ) from error

    def save(self, path: Path) -> None:
        """Write the file."""
        try:
            path.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"cannot write {path}: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Records:
        """Raises InvalidInput: no such file, or not records."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise InvalidInput(f"{path} is not JSON: {error}") from error
        return cls.from_json(value)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(f"{text[:20]!r} does not begin with 0x")
    return bytes.fromhex(text[2:])


def _event_to_json(event: Event) -> dict[str, Any]:
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    shown = {name: _hex(v) if isinstance(v, bytes) else v for name, v in values.items()}
    return {"event": type(event).__name__, **shown}


def _event_from_json(value: dict[str, Any]) -> Event:
    kind = TYPES[value["event"]]
    known = {each.name: str(each.type) for each in fields(kind)}
    if value.keys() - {"event"} != known.keys():
        raise ValueError(f"an event {value['event']} has {', '.join(sorted(known))}")
    return kind(**{name: _value(value[name], annotation) for name, annotation in known.items()})


def _value(value: Any, annotation: str) -> Any:
    if annotation == "bytes":
        return _bytes(value)
    if annotation.startswith("tuple"):
        return tuple(value)
    if type(value).__name__ != annotation:
        raise ValueError(f"{value!r} is not of the type {annotation}")
    return value
