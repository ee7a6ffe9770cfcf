"""Server optimizers over several rounds, and the state that goes with the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from node_agent.errors import ParameterError
from node_agent.merge.registry import find_rule, merge, state_root
from node_agent.parameters.format import ParameterFile
from tests.merge.sites import BASE, base_of, site
from tests.parameters.models import every_dtype, saved

RUN = {"format": "swarm-1", "kind": "merged", "run": "0x07"}


def by_hand(rule: str, base, means, rate: float) -> np.ndarray:
    """W after the rounds whose mean updates are W + row; float64 but for the stored float32."""
    m, v = np.zeros_like(base), np.full_like(base, np.float32(1e-6))
    w = base
    for move in means:
        delta = (w + move).astype(np.float32).astype(np.float64) - w
        square = delta**2
        if rule == "server-momentum":
            m = 0.9 * m + delta
        else:
            beta = 0.0 if rule == "server-adagrad" else 0.9
            m = beta * m + (1 - beta) * delta
        if rule == "server-adagrad":
            v = v + square
        elif rule == "server-adam":
            v = 0.99 * v + 0.01 * square
        elif rule == "server-yogi":
            v = v - 0.01 * square * np.sign(v - square)
        m, v = m.astype(np.float32).astype(np.float64), v.astype(np.float32).astype(np.float64)
        step = rate * m if rule == "server-momentum" else rate * m / (np.sqrt(v) + 1e-3)
        w = (w + step).astype(np.float32).astype(np.float64)
    return w


def play(folder: Path, rule: str, base: ParameterFile, rounds, rate: float) -> list[ParameterFile]:
    """Merge round after round as a node does; returns base and merged models."""
    models, states = [base], {}
    for number, move in enumerate(rounds):
        start = models[-1].tensor("w").astype(np.float64)
        files = [
            site(folder, n, (start + move + error).astype(np.float32))
            for n, error in enumerate((0, 0))
        ]
        metadata = RUN | {"round": str(number)}
        root = state_root(models[-1], metadata)
        state = None if root is None else ParameterFile.open(states[root])
        out, state_path = folder / f"merged-{number}", folder / f"state-{number}"
        options = {"parameter_e6": int(rate * 1e6), "base": models[-1], "state": state}
        outcome = merge(rule, files, [1, 1], out, metadata, state_path=state_path, **options)
        states[outcome.state.root] = state_path
        models.append(ParameterFile.open(out))
    return models


@pytest.mark.parametrize(
    "rule", ["server-momentum", "server-adagrad", "server-adam", "server-yogi"]
)
def test_several_rounds_are_those_of_the_published_algorithm(tmp_path: Path, rule: str) -> None:
    rng = np.random.default_rng(5)
    start = rng.standard_normal(300).astype(np.float32)
    rounds = rng.standard_normal((4, 300)) * 0.02
    models = play(tmp_path, rule, base_of(tmp_path, start), rounds, 0.05)
    expected = by_hand(rule, start.astype(np.float64), rounds, 0.05)
    np.testing.assert_allclose(models[-1].tensor("w"), expected, rtol=0, atol=3e-7)
    assert np.abs(expected - start).max() > 1e-3


def test_a_late_joiner_finds_the_state_by_the_merged_models_header(tmp_path: Path) -> None:
    moves = np.full((2, 10), 0.01)
    models = play(tmp_path, "server-adam", base_of(tmp_path, np.zeros(10)), moves, 0.01)
    named = bytes.fromhex(models[-1].metadata["state"])
    assert ParameterFile.open(tmp_path / "state-1").root == named
    state = ParameterFile.open(tmp_path / "state-1")
    assert state.metadata["kind"] == "state"
    assert state.schema == find_rule("server-adam").state_schema(models[0].schema)
    assert state_root(models[-1], RUN) == named
    assert state_root(models[-1], RUN | {"run": "0x08"}) is None, "another run starts afresh"


def test_a_state_that_is_missing_or_another_one_is_refused(tmp_path: Path) -> None:
    moves = np.full((2, 10), 0.01)
    models = play(tmp_path, "server-yogi", base_of(tmp_path, np.zeros(10)), moves, 0.01)
    file = site(tmp_path, 0, np.ones(10))
    wrong = ParameterFile.open(tmp_path / "state-0")
    options = {"base": models[-1], "state_path": tmp_path / "next"}
    with pytest.raises(ParameterError, match="needs the state"):
        merge("server-yogi", [file], [1], tmp_path / "out", RUN, **options)
    with pytest.raises(ParameterError, match="not the state that the base names"):
        merge("server-yogi", [file], [1], tmp_path / "out", RUN, state=wrong, **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rule", ["server-momentum", "server-adam"])
def test_models_of_many_dtypes_keep_them_and_stay_finite(tmp_path: Path, rule: str) -> None:
    models = [every_dtype(seed, 100) for seed in range(4)]
    models[1]["F16"][:] = 65504
    models[2]["F32"][:] = -3e38
    base = saved(tmp_path / "base", models[0], BASE, ["BF16"])
    files = [site(tmp_path, n, model, ["BF16"]) for n, model in enumerate(models[1:])]
    out, options = tmp_path / "out", {"base": base, "state_path": tmp_path / "state"}
    merge(rule, files, [1, 1, 1], out, RUN, parameter_e6=100_000_000, **options)
    file = ParameterFile.open(out)
    assert file.schema == base.schema
    for name in ("F32", "F16"):
        assert np.isfinite(file.tensor(name)).all()
    assert ((file.tensor("BF16") & 0x7F80) != 0x7F80).all()
    by_mean = np.rint(sum(model["I32"].astype(np.float64) for model in models[1:]) / 3)
    np.testing.assert_array_equal(file.tensor("I32"), by_mean)
    state = ParameterFile.open(tmp_path / "state")
    assert all(np.isfinite(numbers).all() for numbers in state.tensors().values())
