"""An auditor recomputes a real run from the chain and the nodes' files, and finds what was bent."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.messages import Claim, sign
from marketplace.audit.artifacts import Artifacts
from marketplace.audit.records import Records
from marketplace.audit.report import as_json
from marketplace.audit.retrain import By, retrain
from marketplace.audit.scores import Measure
from marketplace.audit.walk import audit
from marketplace.cli import main
from node_agent.parameters.format import ParameterFile, write
from scripts.local_swarm import LocalSwarm
from tests.engine.swarms import finished, launch
from tests.marketplace.quadratic import measure, train

SWARM_MARKET = str(Path(sys.executable).with_name("swarm-market"))
SAME, DIFFERENT, INCOMPLETE = 0, 13, 14
ROUNDS = 6

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Played:
    """A run of three organizations that is over, claimed by one of them and refunded."""

    folder: Path
    records: Path
    answer: subprocess.CompletedProcess[str]
    """Of the audit that asked the chain itself."""

    @property
    def nodes(self) -> list[Path]:
        return [self.folder / name for name in ("north", "south", "west")]


def swarm_market(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SWARM_MARKET, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def _artifacts(folders: list[Path]) -> list[str | Path]:
    return [part for folder in folders for part in ("--artifacts", folder)]


async def _play(folder: Path) -> Played:
    initial, agreed = folder / "initial.safetensors", folder / "agreed.safetensors"
    write(initial, {"w": np.zeros(2000, np.float32)}, {"format": "swarm-1", "kind": "initial"})
    write(agreed, {"inputs": np.ones(1, np.float32)}, {"format": "swarm-1"})
    async with LocalSwarm(folder, initial, validation=agreed, max_rounds=ROUNDS) as swarm:
        await launch(swarm)
        await finished(swarm)
        rewards, relayer, north = swarm.contracts.rewards, swarm.embedded.deployer, swarm.sites[0]
        claim = Claim(
            run_ids=(swarm.run_id,),
            party=0,
            recipient=north.wallet.address,
            nonce=0,
            deadline=int(time.time()) + 3600,
        )
        await rewards.claim(claim, sign(rewards.domain, claim, north.wallet), signer=relayer)
        await rewards.refund(swarm.run_id, signer=relayer)
        records = folder / "records.json"
        answer = await asyncio.to_thread(
            swarm_market,
            *("audit", "local", "--rpc", swarm.chain.rpc_url),
            *("--deployment", folder / "deployment.json", "--save-records", records),
            *_artifacts([site.folder for site in swarm.sites]),
            *("--measure", "tests.marketplace.quadratic:measure"),
        )
    return Played(folder, records, answer)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return asyncio.run(_play(tmp_path_factory.mktemp("run")))


@pytest.fixture
def copy(played: Played, tmp_path: Path) -> Path:
    """One node's files, to be tampered with."""
    for kind in ("exchange", "archive"):
        shutil.copytree(played.folder / "north" / kind, tmp_path / "north" / kind)
    return tmp_path / "north"


def audited(
    played: Played,
    folders: Sequence[Path] = (),
    measuring: Measure | None = None,
    records: Records | None = None,
) -> dict[str, Any]:
    """The audit of the records, without a chain, as programs get it."""
    found = records or Records.load(played.records)
    return as_json(audit(found, Artifacts(folders), measuring))


def update_of(files: Path, round_number: int, organization: str) -> Path:
    """The update file that an organization's node sent in a round."""
    for path in files.rglob(f"round-{round_number:06d}/*.safetensors"):
        metadata = ParameterFile.open(path).metadata
        if f"/org/{organization}/" in metadata.get("node", ""):
            return path
    raise AssertionError(f"no update of {organization} in round {round_number}")


def tampered(played: Played, change: Callable[[dict[str, Any]], None]) -> Records:
    """Records of another chain than the one there was."""
    records = json.loads(played.records.read_text())
    change(records)
    return Records.from_json(records)


def event_of(records: dict[str, Any], kind: str, number: int = 0) -> dict[str, Any]:
    events = [event for event in records["events"] if event["event"] == kind]
    found: dict[str, Any] = events[number]
    return found


def test_a_run_that_went_well_is_recomputed_to_the_last_wei(played: Played) -> None:
    assert played.answer.returncode == SAME, played.answer.stdout + played.answer.stderr
    assert "no difference; recomputed: " in played.answer.stdout
    answer = audited(played, played.nodes, measure)
    assert (answer["verdict"], answer["not_recomputed"]) == ("same", [])
    rounds = answer["rounds"][1:]
    assert [each["round"] for each in rounds] == list(range(1, ROUNDS + 1))
    assert all(each["merged"] and each["row"] == "recomputed" for each in rounds)
    totals = {name: int(wei) for name, wei in answer["totals_wei"].items()}
    assert totals["funded"] == totals["claimed"] + totals["refunded"] + totals["left"]
    assert 0 < totals["claimed"] < totals["credited"] < totals["funded"]


def test_one_node_s_files_are_enough(played: Played) -> None:
    answer = audited(played, played.nodes[:1])
    assert (answer["verdict"], answer["not_recomputed"]) == ("same", [])
    assert {each["row"] for each in answer["rounds"][1:]} == {"as signed"}


def test_one_altered_byte_of_an_update_is_found_and_named(played: Played, copy: Path) -> None:
    path = update_of(copy, 2, "south")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    difference = audited(played, [copy])["difference"]
    assert (difference["round"], difference["organization"]) == (2, "south")
    assert difference["step"] == "updates"
    assert difference["expected"] == f"0x{path.stem}" != difference["found"]
    # Who has a whole copy is not troubled by the altered one.
    assert audited(played, [copy, played.nodes[1]])["verdict"] == "same"
    said = swarm_market("audit", "local", "--records", played.records, "--artifacts", copy)
    assert said.returncode == DIFFERENT
    assert f"first difference: round 2, south: BLAKE3 of the update, {path}: " in said.stdout


def test_without_a_file_it_says_which_step_is_missing_and_goes_on(
    played: Played, copy: Path
) -> None:
    update_of(copy, 2, "south").unlink()
    answer = audited(played, [copy])
    assert (answer["verdict"], answer["difference"]) == ("incomplete", None)
    (gap,) = answer["not_recomputed"]
    assert (gap["round"], gap["organization"], gap["step"]) == (2, "south", "updates")
    assert [each["merged"] for each in answer["rounds"][1:]] == [
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    assert answer["recomputed"]["credit"] == ROUNDS


def test_without_any_files_the_chain_s_own_arithmetic_is_recomputed(played: Played) -> None:
    answer = audited(played)
    assert (answer["verdict"], answer["difference"]) == ("incomplete", None)
    assert {gap["step"] for gap in answer["not_recomputed"]} == {"commits"}
    assert answer["recomputed"]["credit"] == ROUNDS
    assert answer["recomputed"]["balance"] == 1


def test_a_row_that_was_bent_after_signing_is_found_in_its_round(played: Played) -> None:
    def bend(records: dict[str, Any]) -> None:
        row = event_of(records, "Sealed", 3)
        first = int(row["shares"][6:10], 16)
        row["shares"] = row["shares"][:6] + f"{first - 1:04x}" + row["shares"][10:]

    answer = audited(played, records=tampered(played, bend))
    assert (answer["difference"]["round"], answer["difference"]["step"]) == (3, "seal")
    assert answer["difference"]["what"] == "recorded shares"


def test_a_forged_signature_is_found(played: Played) -> None:
    def forge(records: dict[str, Any]) -> None:
        posted = records["posted"][event_of(records, "Sealed", 2)["transaction"]]
        # The signatures are the last bytes but for the padding of the encoding.
        data = bytearray.fromhex(posted["data"][2:])
        end = len(bytes(data).rstrip(b"\0"))
        data[end - 20] ^= 1
        posted["data"] = "0x" + bytes(data).hex()

    answer = audited(played, records=tampered(played, forge))
    assert (answer["difference"]["round"], answer["difference"]["step"]) == (2, "seal")
    assert "key that signed for spiffe://" in answer["difference"]["what"]


def test_a_transaction_that_is_no_seal_is_found(played: Played) -> None:
    def garble(records: dict[str, Any]) -> None:
        posted = records["posted"][event_of(records, "Sealed", 2)["transaction"]]
        posted["data"] = posted["data"][:74]

    difference = audited(played, records=tampered(played, garble))["difference"]
    assert (difference["round"], difference["step"]) == (2, "seal")
    assert "these are no arguments of seal" in difference["found"]


def test_a_seal_through_another_contract_cannot_be_checked_and_is_said_so(played: Played) -> None:
    def forward(records: dict[str, Any]) -> None:
        posted = records["posted"][event_of(records, "Sealed", 2)["transaction"]]
        posted["to"] = records["deployment"]["token"]

    answer = audited(played, played.nodes, records=tampered(played, forward))
    (gap,) = answer["not_recomputed"]
    assert (answer["verdict"], gap["round"], gap["step"]) == ("incomplete", 2, "seal")


@pytest.mark.parametrize("kind", ["Claimed", "Refunded", "Credited"])
def test_one_wei_more_than_is_due_is_found(played: Played, kind: str) -> None:
    def take(records: dict[str, Any]) -> None:
        if kind == "Credited":
            event_of(records, "Sealed", 4)["credited"] += 1
        else:
            event_of(records, kind)["amount"] += 1

    answer = audited(played, records=tampered(played, take))
    difference = answer["difference"]
    assert int(difference["found"]) == int(difference["expected"]) + 1
    expected = {"Claimed": ("claim", "north"), "Refunded": ("claim", "sponsor")}
    assert (difference["step"], difference["organization"]) == expected.get(kind, ("credit", ""))
    assert len(difference["transaction"]) == 66
    if kind == "Credited":
        assert difference["round"] == 4


def test_tokens_that_moved_without_a_claim_are_found(played: Played) -> None:
    def drain(records: dict[str, Any]) -> None:
        claimed = event_of(records, "Claimed")
        moved = next(
            event
            for event in records["events"]
            if event["event"] == "Transfer" and event["transaction"] == claimed["transaction"]
        )
        records["events"].append({**moved, "to": "0x" + "11" * 20, "value": 7})

    answer = audited(played, records=tampered(played, drain))
    assert (answer["difference"]["expected"], answer["difference"]["found"]) == ("0", "7")


def test_an_account_that_holds_more_than_it_earned_is_found(played: Played) -> None:
    def enrich(records: dict[str, Any]) -> None:
        account = records["accounts"][2]
        account["accrued"] = str(int(account["accrued"]) + 1)

    answer = audited(played, records=tampered(played, enrich))
    assert (answer["difference"]["step"], answer["difference"]["organization"]) == (
        "balance",
        "west",
    )


def test_the_retrain_audit_stands_beside_what_was_paid(played: Played) -> None:
    said = swarm_market(
        *("audit", "local", "--json", "--records", played.records),
        *("--retrain", "tests.marketplace.quadratic:train"),
    )
    assert said.returncode == INCOMPLETE, said.stderr  # no files were given
    answer = json.loads(said.stdout)
    names = [each["organization"] for each in answer["retrained"]]
    assert names == ["north", "south", "west"]
    for name in ("retrained_bips", "paid_bips"):
        assert sum(each[name] for each in answer["retrained"]) == pytest.approx(10_000, abs=3)
    assert sum(each["value"] for each in answer["retrained"]) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("stopping", "sign"), [(1, -1), (2, 1)])
def test_a_run_that_a_metric_ends_can_be_judged_by_the_metric(
    played: Played, stopping: int, sign: int
) -> None:
    result = audit(Records.load(played.records), Artifacts([]))
    terms = replace(result.records.terms, stopping=stopping)
    result = replace(result, records=replace(result.records, terms=terms))
    by_loss = retrain(result, train)
    assert retrain(result, lambda who: -sign * train(who), By.METRIC) == by_loss
    assert as_json(result, by_loss, By.METRIC)["retrained_by"] == "metric"


def test_where_the_loss_ends_the_run_a_metric_is_refused_before_anybody_trains(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["audit", "local", "--records", str(played.records), "--by-metric"]
    for more, said in (
        ([], "says what --retrain returns"),
        (["--retrain", "tests.marketplace.quadratic:train"], "hint: have the function return"),
    ):
        with pytest.raises(SystemExit) as left:
            main([*arguments, *more])
        assert (left.value.code, said in capsys.readouterr().err) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name either a chain (--rpc) or records of one (--records)"),
        (["--records", "none.json"], "cannot read none.json"),
        (["--records", "empty.json"], "hint: `swarm-market audit RUN --rpc URL --save-records"),
        (["--records", "empty.json", "--measure", "no:thing"], "hint: MODULE:FUNCTION"),
        (["--records", "empty.json", "--artifacts", "empty.json"], "empty.json is no folder"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["audit", "local", *arguments])
    assert (left.value.code, said in capsys.readouterr().err) == (4, True)


def test_records_of_another_run_are_refused(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["audit", "other", "--records", str(played.records)])
    assert (left.value.code, "are of the run local" in capsys.readouterr().err) == (4, True)
