"""Who takes part: three institutes, the consortium's admin, and a sponsor; all have wallets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.keys import Signer, new_key, save_wallet, write_private


@dataclass(frozen=True, slots=True)
class Institute:
    """One organization with one node."""

    key: str  # what the demo calls it
    organization: str  # its name in SPIFFE IDs
    name: str
    place: str
    node: str
    data: str

    @property
    def agent(self) -> str:
        """Name of its agent's process."""
        return f"agent-{self.key}"

    @property
    def trainer(self) -> str:
        """Name of its training process."""
        return f"training-{self.key}"


INSTITUTES = (
    Institute(
        "us",
        "lakeside",
        "Lakeside Breast Institute",
        "United States",
        "chicago",
        "200 cases, 1 in 10 malignant",
    ),
    Institute(
        "europe",
        "rhine",
        "Rhine Breast Cancer Center",
        "Europe",
        "basel",
        "90 cases, 5 in 10 malignant",
    ),
    Institute(
        "asia",
        "hanriver",
        "Han River Breast Clinic",
        "Asia",
        "seoul",
        "80 cases, 9 in 10 malignant",
    ),
)
ADMIN, SPONSOR = "admin", "sponsor"


@dataclass(frozen=True, slots=True)
class Wallet:
    """A person's key."""

    signer: Signer

    @property
    def address(self) -> str:
        return self.signer.address


def new_wallets() -> dict[str, Wallet]:
    """A wallet for each institute, the admin and the sponsor."""
    names = (ADMIN, SPONSOR, *(each.key for each in INSTITUTES))
    return {name: Wallet(new_key()) for name in names}


def save_wallets(folder: Path, wallets: Mapping[str, Wallet]) -> None:
    """Keeps them as encrypted keystores, for `swarm-market --wallet`, with the passwords beside.

    Takes seconds of computing: what makes passwords hard to guess is slow by design.
    """
    folder.mkdir(mode=0o700)
    for name, wallet in wallets.items():
        password = secrets.token_urlsafe(24)
        save_wallet(folder / f"{name}.json", wallet.signer, password)
        write_private(folder / f"{name}.password", password + "\n")
