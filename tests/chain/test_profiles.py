"""What differs between networks stands in their profiles, and nothing else relies on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import contracts
from contracts.profiles import ANVIL, ETHEREUM, ISTANBUL, PROFILES, QBFT

SOURCES = Path(contracts.__file__).parent
PRODUCT = [SOURCES, SOURCES.parent / "node_agent", SOURCES.parent / "marketplace"]
# Usual seconds between two blocks; anvil makes them on demand.
BLOCK_S = {"anvil": 0.0, "istanbul": 1.0, "qbft": 2.0, "ethereum": 12.0}
# A validator chooses it, a network prices it its own way, or it is zero on some of them.
DIFFERENT = r"prevrandao|difficulty|blockhash|gaslimit|basefee|blobhash|coinbase|block\.number"


def test_networks_where_a_block_stays_need_no_depth() -> None:
    assert [each.finality_depth for each in (ANVIL, ISTANBUL, QBFT)] == [0, 0, 0]
    assert ETHEREUM.finality_depth == 2 * 32  # slots in two epochs


def test_only_public_networks_ask_for_a_tip() -> None:
    assert [name for name, each in PROFILES.items() if not each.gas_free] == ["ethereum"]


def test_only_besu_puts_its_validators_into_the_extra_data() -> None:
    assert [name for name, each in PROFILES.items() if each.middleware] == ["qbft"]


@pytest.mark.parametrize("name", PROFILES)
def test_the_next_poster_waits_until_the_first_ones_block_was_seen(name: str) -> None:
    profile = PROFILES[name]
    assert profile.post_stagger_s >= 2 * (BLOCK_S[name] + profile.receipt_poll_s)
    assert profile.receipt_timeout_s >= 10 * BLOCK_S[name]


def test_contracts_look_at_nothing_that_networks_do_differently() -> None:
    for path in SOURCES.rglob("*.sol"):
        code = re.sub(r"//.*", "", path.read_text())
        assert not re.search(DIFFERENT, code, re.IGNORECASE), path


def test_nobody_asks_for_a_finalized_block() -> None:
    for folder in PRODUCT:
        for path in folder.rglob("*.py"):
            assert not re.search(r"""["'](finalized|safe)["']""", path.read_text()), path
