"""What a majority can sign and the chain will take, an auditor with the files still finds."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import messages as m
from contracts.deployment import Contracts
from contracts.keys import Signer
from metering.fixed import to_fixed
from metering.split import equal_row, local_row, size_row
from node_agent.callbacks.measure import Measured
from node_agent.parameters.format import ParameterFile, write
from tests.chain.conftest import block_time_s, chain, contracts, embedded, treasury
from tests.marketplace.paper_run import PaperRun

pytestmark = pytest.mark.slow

__all__ = ["block_time_s", "chain", "contracts", "embedded", "treasury"]

Found = Callable[..., Awaitable[PaperRun]]
EQUAL, SIZE, COMMON, LOCAL = range(4)
_THIRDS = m.pack_shares(equal_row([0, 1, 2]))


@pytest.fixture
def found(contracts: Contracts, treasury: Signer, tmp_path: Path) -> Found:
    files = tmp_path / "files"
    files.mkdir()

    async def _found(**terms: Any) -> PaperRun:
        run = await PaperRun.found(contracts, treasury, files, **terms)
        await run.start()
        return run

    return _found


def losses(
    base: Path, merged: Path, points: Sequence[tuple[float, float]], gradient: Path | None
) -> Measured:
    """The loss falls evenly with the mean weight: 0.5 at zero, 0.04 less for each tenth."""
    means = [float(ParameterFile.open(path).tensors()["w"].mean()) for path in (base, merged)]
    before, after = (0.5 - 0.4 * mean for mean in means)
    return Measured(before, after, 0.0)


def measure(
    base: Path, merged: Path, points: Sequence[tuple[float, float]], gradient: Path | None
) -> Measured:
    """As `losses`, and the gradient of it."""
    if gradient is not None:
        slope = np.full(50, -0.4 / 50, np.float32)
        write(gradient, {"w": slope}, {"format": "swarm-1", "kind": "gradient"})
    return losses(base, merged, points, gradient)


@pytest.mark.parametrize("rule", [0, 2, 4, 8, 9, 10, 11])
async def test_a_row_that_all_signed_but_nobody_measured_is_found_under_every_merge_rule(
    found: Found, rule: int
) -> None:
    run = await found(metering=COMMON, merge_rule=rule)
    model = run.file(run.base)
    for number in (1, 2):
        before = model
        honest = await run.exchange({0: 0.1, 1: 0.1, 2: 0.1})
        model = run.file(run.base)
        measured = losses(before, model, (), None)
        row = _THIRDS if number == 1 else m.pack_shares([(0, 5000), (1, 2500), (2, 2500)])
        signed = replace(
            honest,
            loss_before=to_fixed(measured.loss_before),
            loss_after=to_fixed(measured.loss_after),
            shares=row,
        )
        await run.seal(dict.fromkeys(run.keys, signed))
    # The chain took it, and the pay follows from it.
    assert (await run.audited())["verdict"] == "same"
    for measuring in (measure, losses):  # with gradients, as far as the rule uses them, and without
        difference = (await run.audited(measuring))["difference"]
        assert (difference["round"], difference["organization"]) == (2, "north")
        assert difference["what"] == "credit [wei] by its shares"
        assert int(difference["found"]) > int(difference["expected"].split()[0])


async def test_a_model_that_is_no_merge_of_the_updates_is_found(found: Found) -> None:
    run = await found(metering=EQUAL, merge_rule=8)  # a rule that keeps a state
    for _ in range(2):
        honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.3})
        await run.seal({n: replace(honest, shares=_THIRDS) for n in run.keys})
    assert (await run.audited())["verdict"] == "same"
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.3})
    other = b"\x99" * 32
    forged = replace(honest, shares=_THIRDS, merged_root=other)
    await run.seal(dict.fromkeys(run.keys, forged))
    difference = (await run.audited())["difference"]
    assert (difference["round"], difference["step"]) == (3, "merge")
    assert difference["expected"] == f"0x{honest.merged_root.hex()}"
    assert difference["found"] == f"0x{other.hex()}"


async def test_rejects_sizes_and_second_nodes_are_recomputed(found: Found) -> None:
    run = await found(metering=SIZE, merge_rule=1, second_node_of=1)
    samples = {0: 100, 1: 50, 2: 300, 3: 50}
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: math.nan, 3: 0.3}, samples=samples)
    halves = m.pack_shares(size_row({0: 100, 1: 100}))
    await run.seal({n: replace(honest, shares=halves) for n in run.keys})
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.1, 3: 0.3}, samples=samples)
    row = m.pack_shares(size_row({0: 100, 1: 100, 2: 300}))
    await run.seal({n: replace(honest, shares=row) for n in run.keys})
    answer = await run.audited()
    assert answer["verdict"] == "same", answer
    assert [each["updates"] for each in answer["rounds"]] == [None, 3, 4]
    assert {each["row"] for each in answer["rounds"][1:]} == {"recomputed"}

    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.1, 3: 0.3}, samples=samples)
    wrong = m.pack_shares(size_row({0: 100, 1: 100, 2: 400}))
    await run.seal({n: replace(honest, shares=wrong) for n in run.keys})
    difference = (await run.audited())["difference"]
    assert (difference["round"], difference["step"], difference["what"]) == (3, "row", "shares")
    assert difference["expected"] == "0:2000 1:2000 2:6000"


async def test_a_good_update_that_was_called_bad_is_found(found: Found) -> None:
    run = await found(metering=EQUAL)
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.3})
    framed = replace(
        honest, shares=m.pack_shares(equal_row([0, 1])), rejects=m.pack_rejects([(2, 4)])
    )
    await run.seal(dict.fromkeys((0, 1), framed))
    difference = (await run.audited())["difference"]
    assert (difference["round"], difference["step"]) == (1, "updates")
    assert (difference["what"], difference["expected"]) == ("rejected updates", "nothing")


async def test_rows_of_its_own_are_settled_to_the_last_wei(found: Found) -> None:
    names = ("east", "north", "south", "west")
    run = await found(metering=LOCAL, organizations=names, max_rounds=2, validation_root=bytes(32))
    for _ in range(2):
        merged = await run.exchange(dict.fromkeys(range(4), 0.1))
        rows = {
            n: m.pack_shares(local_row(n, range(4), {k: 1.0 + k for k in range(4)}))
            for n in range(4)
        }
        # The last one has no data: it abstains, and its gain counts as none.
        rows[3] = m.pack_shares(local_row(3, range(4), None))
        own = {n: replace(merged, shares=rows[n]) for n in range(4)}
        own[3] = replace(own[3], loss_before=2**64 - 1, loss_after=2**64 - 1)
        await run.seal(own)
    await run.contracts.training.settle(run.run_id, signer=run.alliance.relayer)
    answer = await run.audited()
    assert answer["verdict"] == "same", answer
    assert [sum(map(int, each["credited_wei"].values())) > 0 for each in answer["rounds"]] == [
        False,
        True,
        True,
    ]
    records = await run.records()
    at = next(n for n, each in enumerate(records.events) if type(each).__name__ == "RowCounted"
              and each.round == 1)  # fmt: skip
    bent = replace(records.events[at], loss_after=1)
    events = (*records.events[:at], bent, *records.events[at + 1 :])
    difference = (await run.audited(records=replace(records, events=events)))["difference"]
    assert (difference["round"], difference["organization"]) == (1, "east")
    assert difference["what"] == "its row"


async def test_a_round_that_was_opened_again_is_followed(found: Found) -> None:
    run = await found(metering=EQUAL)
    chain = run.contracts.chain
    await chain.request("evm_increaseTime", 601)
    await chain.request("evm_mine")
    await run.contracts.training.reopen(run.run_id, signer=run.alliance.relayer)
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.3})
    await run.seal({n: replace(honest, shares=_THIRDS) for n in run.keys})
    answer = await run.audited()
    assert (answer["verdict"], answer["recomputed"]["opening"]) == ("same", 4)


async def test_an_amendment_of_weights_does_not_touch_a_run_that_goes_on(found: Found) -> None:
    run = await found(metering=EQUAL)
    alliance, consortium = run.alliance, run.contracts.consortium
    heavy = tuple(
        replace(party, weight=n + 1) for n, party in enumerate(alliance.agreement.parties)
    )
    amended = replace(alliance.agreement, previous=alliance.id, version=2, parties=heavy)
    signatures = [m.sign(consortium.domain, amended, wallet) for wallet in alliance.wallets]
    await consortium.activate(amended, signatures, signer=alliance.relayer)
    honest = await run.exchange({0: 0.1, 1: 0.2, 2: 0.3})
    await run.seal(dict.fromkeys(run.keys, replace(honest, shares=_THIRDS)))
    answer = await run.audited()
    assert (answer["verdict"], answer["rounds"][1]["merged"]) == ("same", True), answer
