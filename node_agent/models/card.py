"""A model card: what a finished run was, in figures that the chain and this node can vouch for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from node_agent.errors import ParameterError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model. Losses and metrics are those of the chain, not of one site."""

    name: str
    generation: int
    run: str  # 0x id
    agreement: str  # 0x id
    chain_id: int
    training_contract: str
    node: str  # SPIFFE ID of the node that kept the model
    ending: str
    rounds: int
    finished_at_s: int  # the chain's clock
    merged_root: str  # BLAKE3 of the file as it was merged: what the chain has recorded
    initial_root: str
    tensors: int
    parameters: int
    size_bytes: int
    initial_loss: float
    best_loss: float
    last_loss: float | None  # None under local metering, where no loss is agreed
    last_metric: float | None
    participants: tuple[str, ...]  # SPIFFE IDs, of the last round
    organizations: tuple[str, ...]
    terms: dict[str, Any]
    version: int = VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a card. Raises ParameterError."""
        try:
            fields: Mapping[str, Any] = json.loads(text)
            if fields.get("version") != VERSION:
                raise ParameterError(
                    f"the model card has version {fields.get('version')}, this agent knows "
                    f"{VERSION}",
                    hint="update the agent",
                )
            values = {**fields}
            for name in ("participants", "organizations"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ParameterError(f"this is no model card: {error}") from error

    def to_markdown(self) -> str:
        """The card for people, as model hubs show it."""
        metric = "" if self.last_metric is None else f"\n| metric | {self.last_metric:.6g} |"
        loss = "not agreed on" if self.last_loss is None else f"{self.last_loss:.6g}"
        return f"""# {self.name}

Trained by {len(self.organizations)} organizations together, none of which has seen another's data:
{", ".join(self.organizations)}.

| | |
|---|---|
| rounds | {self.rounds}, ended: {self.ending} |
| loss | {self.initial_loss:.6g} at first, {loss} at last, best {self.best_loss:.6g} |{metric}
| parameters | {self.parameters:,} in {self.tensors} tensors, {self.size_bytes:,} bytes |
| run | `{self.run}`, generation {self.generation} |
| agreement | `{self.agreement}` |
| chain | {self.chain_id}, Training at `{self.training_contract}` |
| merged file (BLAKE3) | `{self.merged_root}` |
| initial file (BLAKE3) | `{self.initial_root}` |

Losses and metrics are those that a majority of the organizations signed. The merged file's hash is
on chain: whoever has the file can check that it is the one they trained.
"""
