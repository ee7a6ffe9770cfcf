"""The models of finished runs: kept whole, shown, exported, and held to their hash."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import node_agent
from node_agent.cli import call
from node_agent.errors import ConfigError, ParameterError
from node_agent.models.card import Card
from node_agent.models.library import Library, export
from node_agent.operations.storage import make_room, used_bytes
from node_agent.parameters.format import write

SAMPLES = Path(node_agent.__file__).parent / "samples"
TENSORS = {
    "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layer.steps": np.array(7, np.int64),
    "layer.half": np.array([0x3F80, 0x4000], np.uint16),  # 1 and 2, as bfloat16
}
METADATA = {"format": "swarm-1", "kind": "merged", "run": "0x" + "22" * 32}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent" / "agent.toml"
    path.parent.mkdir(mode=0o700)
    path.write_text((SAMPLES / "minimal.toml").read_text())
    return path


@pytest.fixture
def merged(tmp_path: Path) -> tuple[Path, Card]:
    path = tmp_path / "merged.safetensors"
    written = write(path, TENSORS, METADATA, bfloat16=["layer.half"])
    return path, _card("0x" + written.root.hex(), written.size)


def _card(root: str, size: int) -> Card:
    return Card(
        name="tumors",
        generation=1,
        run="0x" + "22" * 32,
        agreement="0x" + "11" * 32,
        chain_id=31337,
        training_contract="0x" + "33" * 20,
        node="spiffe://swarm.example/org/clinic-a/node/site-1",
        ending="the target was reached",
        rounds=12,
        finished_at_s=1_700_000_000,
        merged_root=root,
        initial_root="0x" + "44" * 32,
        tensors=3,
        parameters=9,
        size_bytes=size,
        initial_loss=0.7,
        best_loss=0.1,
        last_loss=0.11,
        last_metric=None,
        participants=("spiffe://swarm.example/org/clinic-a/node/site-1",),
        organizations=("clinic-a", "clinic-b"),
        terms={"max_rounds": 12},
    )


@pytest.fixture
def library(config: Path, merged: tuple[Path, Card]) -> Library:
    made = Library(config.parent / "models")
    path, card = merged
    made.keep(card, path)
    return made


def test_a_card_comes_back_as_it_was(merged: tuple[Path, Card]) -> None:
    _, card = merged
    assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "name": 3}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        Card.from_json(text)


def test_a_model_is_found_by_all_its_names(library: Library) -> None:
    names = ("tumors", "tumors-1-22222222", "0x" + "22" * 32)
    assert {library.find(name).name for name in names} == {"tumors-1-22222222"}
    with pytest.raises(ConfigError) as refused:
        library.find("tumor")
    assert "tumors-1-22222222" in refused.value.hint


def test_keeping_twice_changes_nothing(library: Library, merged: tuple[Path, Card]) -> None:
    path, card = merged
    library.keep(replace(card, rounds=99), path)
    assert library.find("tumors").card.rounds == 12


def test_the_newest_generation_comes_first(library: Library, merged: tuple[Path, Card]) -> None:
    path, card = merged
    newer = replace(card, generation=2, run="0x" + "55" * 32, finished_at_s=1_800_000_000)
    library.keep(newer, path)
    assert [kept.card.generation for kept in library.all()] == [2, 1]
    assert library.find("tumors").card.generation == 2


def test_a_model_that_was_changed_is_not_used(
    library: Library, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = library.find("tumors").path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)
    assert call(["models", "show", "tumors", "-c", str(config)]) == ParameterError.exit_code
    assert "changed after training" in capsys.readouterr().err


def test_an_exported_model_opens_elsewhere(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    export(library.find("tumors"), out, "pt")
    with safetensors.safe_open(out, "np") as file:  # type: ignore[attr-defined]  # missing in its stub
        assert file.metadata()["format"] == "pt"
        assert set(file.keys()) == set(TENSORS)
        assert np.array_equal(file.get_tensor("layer.weight"), TENSORS["layer.weight"])
        assert file.get_tensor("layer.steps") == 7
        assert file.get_slice("layer.half").get_dtype() == "BF16"


def test_the_commands_list_show_export_and_remove(
    library: Library, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ["-c", str(config)]
    assert call(["models", "list", *there]) == 0
    assert "tumors-1-22222222" in capsys.readouterr().out
    assert call(["models", "list", "--json", *there]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rounds"] == 12
    assert call(["models", "show", "tumors", *there]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("# tumors\n")
    assert "model.safetensors" in shown.err
    out = tmp_path / "x.safetensors"
    assert call(["models", "export", "tumors", "--out", str(out), *there]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert call(["models", "remove", "tumors", "--yes", *there]) == 0
    assert capsys.readouterr().out == "tumors-1-22222222\n"
    assert library.all() == []


def test_a_quota_takes_the_oldest_run_that_is_over_and_no_kept_model(
    library: Library, config: Path
) -> None:
    folder = config.parent
    for age, name in enumerate(["present", "younger", "older"]):
        path = folder / "exchange" / name / "round-000001"
        path.mkdir(parents=True)
        (path / "x.safetensors").write_bytes(bytes(1000))
        os.utime(path.parent, (1e9 - age, 1e9 - age))
    used = used_bytes(folder)
    model = library.find("tumors").path.stat().st_size
    assert used >= 3000 + model

    freed = make_room(folder, used - 500, "present")
    assert [path.name for path in freed.removed] == ["older"]
    freed = make_room(folder, 1, "present")
    assert [path.name for path in freed.removed] == ["younger"]
    assert freed.used_bytes > 1
    assert (folder / "exchange" / "present").exists()
    assert library.find("tumors").path.exists()
    assert make_room(folder, 0, "present").removed == ()
