"""What README tells admin, owners and operators to type works on three hosts, word for word."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.hosts import Network, NoNamespaces
from tests.end_to_end.readme import README, Block, blocks

_CHAIN_PORT = 8545
_TUNNEL = f"{sys.executable} -m tests.end_to_end.tunnel"
_BLOCK_TIMEOUT_S = 120


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    try:
        with Network(("market", "clinic-a", "clinic-b"), tmp_path) as made:
            yield made
    except NoNamespaces as error:
        pytest.skip(str(error))


def test_every_part_of_the_walk_is_marked_to_be_run() -> None:
    walk = README.read_text(encoding="utf-8").partition("## Two or more machines")[2]
    unmarked = re.findall(r"(?<!-->)\n```sh\n", walk.partition("## A smaller PyTorch")[0])
    assert len(unmarked) == 1, "only the first block, about the PATH, is not run"
    assert {host for block in blocks() for host in block.hosts} == {
        "market",
        "clinic-a",
        "clinic-b",
    }


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_clinics_train_and_are_paid_by_the_commands_of_the_readme(network: Network) -> None:
    values: dict[str, str] = {}
    network.hosts["market"].run(f"{_TUNNEL} serve {network.folder}/tunnel {_CHAIN_PORT} &", 10)
    said = [_run(network, block, values) for block in blocks()]

    models = [
        network.hosts[name].folder / "model/model.safetensors" for name in ("clinic-a", "clinic-b")
    ]
    deadline = time.monotonic() + 30
    while not models[0].exists() and time.monotonic() < deadline:
        time.sleep(0.2)  # clinic A's training runs in the background
    assert models[0].read_bytes() == models[1].read_bytes()
    *_, first_claim, second_claim, audit = said
    assert "confirmed" in first_claim
    assert "confirmed" in second_claim
    assert "no difference; recomputed: " in audit
    nodes = network.hosts["clinic-a"].run("swarm-market node list", _BLOCK_TIMEOUT_S)
    assert "https://clinic-a.example:7443" in nodes
    assert "https://clinic-b.example:7443" in nodes


def _run(network: Network, block: Block, values: dict[str, str]) -> str:
    """Runs a block on its hosts, one after the other, and notes what people tell each other."""
    said = ""
    for name in block.hosts:
        host = network.hosts[name]
        said = host.run(
            block.filled(values, f"{_TUNNEL} listen {network.folder}/tunnel"), _BLOCK_TIMEOUT_S
        )
        if "wallet new" in block.script:
            values[name.upper().replace("-", "_")] = re.findall(r"^0x\w{40}$", said, re.MULTILINE)[
                0
            ]
        if "agreement draft" in block.script:
            values["AGREEMENT"] = (host.folder / "agreement.id").read_text().strip()
    return said
