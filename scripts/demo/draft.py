"""What the three institutes agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.engine.store import file_root
from node_agent.parameters.format import ParameterFile
from node_agent.parameters.schema import schema_hash
from scripts.demo.parties import INSTITUTES, SPONSOR, Wallet
from scripts.demo.settings import Settings

SYNC_FREQUENCY = 8  # batches; the training script says the same
MIN_PEERS = 2
BUDGET_WEI = 1000 * 10**18
# Below what 24 rounds reach: not all of the budget vests, and some of it returns to the sponsor.
TARGET_LOSS_E9 = 50_000_000
# ln 2, the loss of tossing a coin: a bad start does not make progress dearer.
LOSS_CEILING_E9 = 693_147_181


@dataclass(frozen=True, slots=True)
class Files:
    """What the agreement names by hash."""

    initial: Path
    validation: Path

    @classmethod
    def below(cls, data: Path) -> Files:
        return cls(data / "initial.safetensors", data / "validation.safetensors")


def agreement_draft(
    settings: Settings, files: Files, wallets: Mapping[str, Wallet]
) -> dict[str, Any]:
    """The draft as the marketplace's API takes it."""
    return {
        "title": "Benign or malignant: breast tumors from cell images",
        "purpose": "Train a classifier that tells malignant from benign breast tumors, better than "
        "any of the institutes could from its own cases, without moving a patient's data.",
        "data_exposure": "Each institute trains on its own labeled fine-needle aspirates: 30 "
        "measurements of cell nuclei a case. They stay where they are.",
        "shared": "Model parameters after every few batches, to the other institutes' nodes only; "
        "losses, accuracy and shares, in public; a validation set of 85 cases, which all have.",
        "expected_outcome": "A model that classifies at least as well as one trained on all data "
        "in one place, and that every institute may use.",
        "model": "Two dense layers, 30 to 16 to 1, ReLU between them; PyTorch.",
        "duration_days": 30,
        "parties": [
            {
                "organization": each.organization,
                "name": each.name,
                "wallet": wallets[each.key].address,
            }
            for each in INSTITUTES
        ],
        "terms": {
            "initial_root": "0x" + file_root(files.initial).hex(),
            "schema_hash": "0x" + schema_hash(ParameterFile.open(files.initial).schema).hex(),
            "validation_root": "0x" + file_root(files.validation).hex(),
            "sponsor": wallets[SPONSOR].address,
            "budget": str(BUDGET_WEI),
            "loss_ceiling": LOSS_CEILING_E9,
            "target_loss": TARGET_LOSS_E9,
            "max_rounds": settings.rounds,
            "sync_frequency": SYNC_FREQUENCY,
            "quorum_grace": settings.grace_ms,
            "leader_timeout": settings.leader_timeout_ms,
            "stall_time": settings.leader_timeout_ms // 1000 + 60,
            "min_peers": MIN_PEERS,
            "metering": "common",
            "merge_rule": "mean",  # as examples.breast_cancer.simulate merges
        },
    }
