"""Agents as processes merge by the rule of the terms, and are paid for what was merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.events import Sealed
from node_agent.merge.registry import find_rule, merge
from node_agent.parameters.format import ParameterFile
from scripts.local_swarm import LocalSwarm, Site
from tests.engine.swarms import (
    OFFSETS,
    Start,
    accrued,
    finished,
    kill,
    launch,
    reaches,
    seals,
    train,
)

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


def stored(swarm: LocalSwarm, site: Site, root: str) -> Path:
    run = swarm.run_id.hex()[:16]
    [path] = (site.folder / "exchange" / run).glob(f"round-*/{root}.safetensors")
    return path


PARAMETERS_E6 = {"centered-clipping": 50_000}
"""Where the default would change nothing: these sites are near to each other."""


def merged_again(swarm: LocalSwarm, site: Site, rule: str, out: Path) -> str:
    """The root of the last round's merge, made of the files that this site keeps."""
    before, last = (report["merged_root"] for report in swarm.reports(site)[-2:])
    model = stored(swarm, site, last)
    files = [ParameterFile.open(path) for path in model.parent.glob("*.safetensors")]
    updates = [file for file in files if file.metadata.get("kind") == "update"]
    base = ParameterFile.open(stored(swarm, site, before))
    metadata = dict(ParameterFile.open(model).metadata)
    metadata.pop("state", None)
    state = None
    if "state" in base.metadata:
        state = ParameterFile.open(stored(swarm, site, base.metadata["state"]))
    outcome = merge(
        rule, updates, [1] * len(updates), out, metadata,
        parameter_e6=PARAMETERS_E6.get(rule, 0), base=base, state=state,
        state_path=out.with_suffix(".state"),
    )  # fmt: skip
    return outcome.written.root.hex()


@pytest.mark.parametrize("number", range(12), ids=lambda number: find_rule(number).name)
async def test_everyone_merges_by_the_rule_of_the_terms_and_good_work_is_paid(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rule = find_rule(number).name
    monkeypatch.setitem(OFFSETS, "west", 0.3)  # or the middle site would be the mean
    parameter_e6 = PARAMETERS_E6.get(rule, 0)
    swarm = await start(
        max_rounds=3, merge_rule=number, merge_parameter=parameter_e6, target_loss=0
    )
    await launch(swarm)
    await finished(swarm)
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == [0, 1, 2, 3]
    all_merged_what_was_sealed(swarm, sealed)
    last = {sealed[-1].merged_root.hex()}
    assert merged_again(swarm, swarm.sites[0], rule, tmp_path / "again") in last
    if rule != "mean":
        assert merged_again(swarm, swarm.sites[0], "mean", tmp_path / "mean") not in last
    assert sealed[-1].loss_after < sealed[0].loss_after
    pool = await swarm.contracts.rewards.pool(swarm.run_id)
    paid = await accrued(swarm)
    assert 0 < sum(paid.values()) == pool.credited <= pool.funded
    if rule in ("mean", "norm-clipped-mean", "coordinate-median"):
        assert paid["north"] < paid["west"], "west takes the longer steps towards the optimum"


@pytest.mark.parametrize("rule", ["multi-krum", "coordinate-median"])
async def test_a_site_that_poisons_the_model_is_merged_away_and_paid_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.setitem(OFFSETS, "west", -60.0)
    one_of_three_e6 = 340_000 if rule == "multi-krum" else 0
    swarm = await start(
        max_rounds=3,
        merge_rule=find_rule(rule).number,
        merge_parameter=one_of_three_e6,
        target_loss=0,
        min_peers=3,
    )
    await launch(swarm)
    await finished(swarm)
    sealed = await seals(swarm)
    all_merged_what_was_sealed(swarm, sealed)
    west = swarm.sites[2].spiffe_id
    assert any(west in report["members"] for report in swarm.reports(swarm.sites[0]))
    assert sealed[-1].loss_after < sealed[0].loss_after / 2, "as two honest sites would"
    paid = await accrued(swarm)
    assert paid["west"] == 0
    assert min(paid["north"], paid["south"]) > 0


def all_merged_what_was_sealed(swarm: LocalSwarm, sealed: list[Sealed]) -> None:
    """Every site's own report of every round names the root that is on chain."""
    for event in sealed:
        for site in swarm.sites:
            [mine] = [r for r in swarm.reports(site) if r["round"] == event.round]
            assert mine["merged_root"] in ("", event.merged_root.hex())
    last = {swarm.reports(site)[-1]["merged_root"] for site in swarm.sites}
    assert last == {sealed[-1].merged_root.hex()}


async def test_a_servers_momenta_survive_kill_9_and_reach_newcomers(
    start: Start, tmp_path: Path
) -> None:
    adam = find_rule("server-adam")
    swarm = await start(
        organizations=("north", "south", "west"),
        late=("west",),
        max_rounds=1000,
        target_loss=0,
        merge_rule=adam.number,
    )
    north, south, west = swarm.sites
    for site in swarm.sites:
        site.start_agent()
        train(swarm, site, batch_s=0.02)
    await reaches(swarm, 3, [north, south])
    kill(south)
    for path in (south.folder / "exchange").rglob("*.safetensors"):
        path.unlink()  # its disk forgets too: model and momenta come from north
    south.start_agent()
    await swarm.enroll(west)
    await swarm.wait(
        "the newcomer to merge with those who were there before",
        lambda: {south.spiffe_id, west.spiffe_id} <= set(swarm.reports(north)[-1]["members"]),
        90,
    )
    at = swarm.reports(north)[-1]["round"]
    await reaches(swarm, at + 2)
    last = swarm.reports(west)[-1]["merged_root"]
    assert last in {report["merged_root"] for report in swarm.reports(north)}
    assert merged_again(swarm, west, "server-adam", tmp_path / "again") == last
    sealed = await seals(swarm)
    assert [event.round for event in sealed] == list(range(len(sealed)))
    assert sum((await accrued(swarm)).values()) > 0
