"""What each rule promises when one of five sites is hostile.

Honest updates are base + one common step + noise. A rule *holds* if the merged step points where
the honest mean does and is not much longer; a rule that promises nothing is shown to be carried
away, so that nobody takes it for more than it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.merge.sites import merged_w

LENGTH = 400
ROBUST = [
    "coordinate-median",
    "geometric-median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "centered-clipping",
    "norm-clipped-mean",
]
CLOSE = {"coordinate-median", "geometric-median", "trimmed-mean", "krum", "multi-krum"}


def honest(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    base = rng.standard_normal(LENGTH)
    step = rng.standard_normal(LENGTH)
    return base, base + step + 0.5 * rng.standard_normal((5, LENGTH))


def a_hundredfold(rng, base, update):
    return base + 100 * (update - base)


def sign_flipped(rng, base, update):
    return 2 * base - update


def hundredfold_flipped(rng, base, update):
    return base - 100 * (update - base)


def garbage(rng, base, update):
    return np.ldexp(rng.uniform(-1, 1, LENGTH), rng.integers(-100, 127, LENGTH))


ATTACKS = [a_hundredfold, sign_flipped, hundredfold_flipped, garbage]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_robust_rules_go_where_the_honest_go(tmp_path: Path, rule, attack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base, updates = honest(rng)
    wanted = updates[:4].mean(axis=0) - base
    updates[4] = attack(rng, base, updates[4])
    step = merged_w(rule, updates, [1] * 5, tmp_path, base) - base
    cosine = step @ wanted / np.linalg.norm(step) / np.linalg.norm(wanted)
    assert cosine > 0.8
    assert 0.3 < np.linalg.norm(step) / np.linalg.norm(wanted) < 1.3
    if rule in CLOSE:
        spread = np.linalg.norm(updates[:4] - base - wanted, axis=1).max()
        assert np.linalg.norm(step - wanted) < 1.1 * spread


@pytest.mark.parametrize("attack", [a_hundredfold, garbage])
def test_clipping_bounds_what_one_site_can_do(tmp_path: Path, attack) -> None:
    """A site of a fifth of the weight moves the model by at most a fifth of the median norm."""
    rng = np.random.default_rng(3)
    base, updates = honest(rng)
    updates = np.tile(base, (5, 1)) + (updates - base) / np.linalg.norm(
        updates - base, axis=1, keepdims=True
    )
    updates[4] = attack(rng, base, updates[4])
    all_five = merged_w("norm-clipped-mean", updates, [1] * 5, tmp_path, base)
    without = base + (updates[:4] - base).sum(axis=0) / 5
    assert np.linalg.norm(all_five - without) < 0.2 * (1 + 1e-5)


@pytest.mark.parametrize("rule", ["mean"])
def test_the_mean_is_carried_away_by_one_site(tmp_path: Path, rule: str) -> None:
    rng = np.random.default_rng(0)
    base, updates = honest(rng)
    wanted = updates[:4].mean(axis=0) - base
    updates[4] = hundredfold_flipped(rng, base, updates[4])
    step = merged_w(rule, updates, [1] * 5, tmp_path, base) - base
    assert step @ wanted < 0


@pytest.mark.parametrize("rule", ["krum", "multi-krum", "trimmed-mean", "coordinate-median"])
def test_a_hostile_site_is_left_out_altogether(tmp_path: Path, rule: str) -> None:
    """Whatever it sends far away, the merged model is the same."""
    rng = np.random.default_rng(7)
    base, updates = honest(rng)
    results = []
    for size in (1e3, 1e6):
        updates[4] = size + np.arange(LENGTH)
        results.append(merged_w(rule, updates, [1] * 5, tmp_path, base))
    np.testing.assert_array_equal(results[0], results[1])
