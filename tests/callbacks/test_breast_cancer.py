from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from examples.breast_cancer import audit
from examples.breast_cancer import train as script
from examples.breast_cancer.baselines import (
    SITES,
    LocalTraining,
    baseline_accuracies,
    measure,
    site_table,
)
from examples.breast_cancer.data import prepare
from examples.breast_cancer.model import load_model, read_table
from examples.breast_cancer.simulate import swarm
from node_agent.parameters.format import ParameterFile
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load, stop


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare(folder, seed=0)
    return folder


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    roots = {path: written.root.hex() for path, written in prepare(tmp_path, seed=0).items()}
    assert roots["validation.safetensors"] == VALIDATION_ROOT
    assert roots["initial.safetensors"] == INITIAL_ROOT
    assert prepare(tmp_path, seed=1)["validation.safetensors"].root.hex() != VALIDATION_ROOT


VALIDATION_ROOT = "88bd32a443020c88ff944c4fb7e586979489a316e188c45b72498c64b28bf37f"
INITIAL_ROOT = "dd8f35a87186f530a42f967a6c73e3e084af47dd188001f6e5ef1e3e40e4f224"


def test_the_sites_are_skewed_and_no_sample_is_in_two_parts(data: Path) -> None:
    parts = {site: site_table(data, site) for site in SITES}
    benign = {site: 1 - float(targets.mean()) for site, (_, targets) in parts.items()}
    assert benign == pytest.approx({"us": 0.9, "europe": 0.5, "asia": 0.1})
    parts |= {name: read_table(data / f"{name}.safetensors") for name in ("validation", "test")}
    rows = [row.numpy().tobytes() for inputs, _ in parts.values() for row in inputs]
    assert len(set(rows)) == len(rows) == 569


def test_every_site_has_the_agreed_validation_set_and_it_is_standardized(data: Path) -> None:
    agreed = (data / "validation.safetensors").read_bytes()
    assert all((data / site / "validation.safetensors").read_bytes() == agreed for site in SITES)
    inputs, _ = read_table(data / "validation.safetensors")
    np.testing.assert_allclose(inputs.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(inputs.std(0, correction=0), 1, rtol=1e-6)


def test_the_readme_shows_every_line_that_swarm_learning_changes() -> None:
    folder = Path(script.__file__).parent
    marked = re.findall(r"^(.*?)  # swarm$", Path(script.__file__).read_text(), re.MULTILINE)
    shown = re.findall(r"^\+(.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert shown == marked
    assert len(marked) <= 5


def test_in_loopback_the_script_trains_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_LOOPBACK", "True")
    model = script.train(data / "us", max_epochs=5, seed=0)
    loss, accuracy = measure(model, read_table(data / "validation.safetensors"))
    assert loss < 0.4
    assert accuracy > 0.85


def test_the_script_in_a_swarm_of_one_trains_as_the_baseline_does(
    data: Path, tmp_path: Path, socket_path: Path
) -> None:
    update, gradient = tmp_path / "update", tmp_path / "gradient"
    start, rounds = data / "initial.safetensors", 3

    def agent(line: Line) -> None:
        line.welcome(terms=WELCOME["terms"] | {"syncFrequency": 8})
        line.load(start)
        base = start
        for round_ in range(1, rounds + 1):
            sync = line.hear()
            # 96 samples are all of an epoch, and the rest comes again in the next one.
            assert (sync["steps"], sync["samples"] <= 90) == (8, True)
            line.ask({"do": "write", "path": str(update), "metadata": {}})
            merged = tmp_path / f"merged-{round_}"
            merged.write_bytes(update.read_bytes())
            paths = {"base": str(base), "merged": str(merged), "gradient": str(gradient)}
            measured = line.ask({"do": "evaluate", "points": [[0.5, 1.0]], **paths})
            assert measured["loss_after"] < measured["loss_before"]
            last = round_ == rounds
            line.ask(stop(merged, round_) if last else load(merged, round_))
            base = merged

    with StandInAgent(socket_path, agent):
        model = script.train(data / "europe", max_epochs=100, seed=0)
    baseline = LocalTraining(start, site_table(data, "europe"), seed=0)
    baseline.run(8 * rounds)
    for name, value in baseline.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert ParameterFile.open(gradient).tensors().keys() == dict(model.named_parameters()).keys()


@pytest.mark.slow
def test_over_five_seeds_the_swarm_is_as_good_as_pooled_data_and_better_than_sites_alone(
    tmp_path: Path,
) -> None:
    alone, pooled, together = [], [], []
    for seed in range(5):
        folder = tmp_path / str(seed)
        prepare(folder, seed)
        accuracies = baseline_accuracies(folder, seed)
        pooled.append(accuracies.pop("pooled"))
        alone += accuracies.values()
        result = swarm(folder, seed)
        together.append(result.accuracy)
        start, final = result.losses[0], min(result.losses)
        assert 0.85 < (start - final) / (start - 0.05) <= 1, "the target is nearly reached"
        assert load_model(folder / "merged.safetensors")
    assert fmean(together) >= fmean(pooled) - 0.01
    assert fmean(together) >= fmean(alone) + 0.02


def test_an_auditor_trains_coalitions_and_measures_as_the_sites_do(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(data))
    monkeypatch.setenv("SITES", "clinic-a=us clinic-b=europe")
    together = audit.train(frozenset({"clinic-a", "clinic-b", "asia"}))
    assert together < audit.train(frozenset({"asia"})) < audit.train(frozenset())

    start = data / "initial.safetensors"
    measured = audit.measure(start, start, (), None)
    loss, accuracy = measure(load_model(start), read_table(data / "validation.safetensors"))
    assert (measured.loss_before, measured.metric) == pytest.approx((loss, accuracy))
