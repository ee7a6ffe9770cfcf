"""The addresses of one set of contracts, as a JSON file; needs no web3."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from contracts.errors import MessageError, NotDeployed
from contracts.files import replace_file
from contracts.kinds import checksum_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts are."""

    chain_id: int
    roles: str
    token: str
    consortium: str
    council: str
    stakes: str
    presence: str
    clerk: str
    training: str
    rewards: str
    royalties: str
    taskrunner: str
    registry: str

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each contract, by its name here."""
        return {each.name: getattr(self, each.name) for each in fields(self)[1:]}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Deployment:
        """Raises NotDeployed: not what `to_json` gives."""
        names = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or value.keys() != set(names):
            raise NotDeployed("not a deployment", hint=f"expected exactly {', '.join(names)}")
        if type(value["chain_id"]) is not int:
            raise NotDeployed("not a deployment: chain_id is no number")
        try:
            addresses = {name: checksum_address(value[name]) for name in names[1:]}
            return cls(chain_id=value["chain_id"], **addresses)
        except MessageError as error:
            raise NotDeployed(f"not a deployment: {error}", hint=error.hint) from error

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        data = (json.dumps(self.to_json(), indent=2) + "\n").encode()
        replace_file(path, data, mode=0o644)  # no secret in it

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Raises NotDeployed: no such file, or not a deployment."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise NotDeployed(
                f"cannot read the deployment file {path}: {error}",
                hint="deploy the contracts first, or get the file from who did",
            ) from error
        return cls.from_json(value)
