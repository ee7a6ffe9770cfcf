"""Three data sets of scikit-learn, divided between sites in five ways.

70 % of the rows train, 30 % judge (stratified, by the seed); features are scaled to mean 0 and
variance 1 of the training rows and get a column of ones. Of site i of N:

    iid        same number of rows, drawn at random
    size       rows in proportion to 1, 2, … N
    dirichlet  each class divided by a draw from Dirichlet(0.5); drawn again until everyone has
               `LEAST_ROWS`, so a site may lack classes, but not rows
    flip       as iid; i/(N−1) · 50 % of the labels are replaced by another class
    noise      as iid; Gaussian noise of σ = 2i/(N−1) is added to the features
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

LOADERS = {"breast_cancer": load_breast_cancer, "digits": load_digits, "wine": load_wine}
SPLITS = ("iid", "size", "dirichlet", "flip", "noise")
LEAST_ROWS = 8
LOCAL_PART = 0.2
"""Part of its rows that a site holds back to validate with, under local metering."""


@dataclass(frozen=True, slots=True)
class Data:
    """Features with a last column of ones, shape (rows, features + 1), and labels from 0."""

    x: Floats
    y: Labels

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: npt.NDArray[np.int64]) -> Data:
        return Data(self.x[rows], self.y[rows])


@dataclass(frozen=True, slots=True)
class Cell:
    """One federation to judge by: what each site holds, and who judges."""

    dataset: str
    split: str
    seed: int
    classes: int
    sites: tuple[Data, ...]
    judges: Data  # the 30 %

    def halves(self) -> tuple[Data, Data]:
        """Return the agreed validation set and the test set of the truth, stratified halves."""
        agreed, test = train_test_split(
            np.arange(len(self.judges)),
            test_size=0.5,
            stratify=self.judges.y,
            random_state=self.seed,
        )
        return self.judges.take(agreed), self.judges.take(test)

    def held_back(self) -> tuple[tuple[Data, ...], tuple[Data, ...]]:
        """Return what each site trains on and what it validates with, under local metering."""
        rng = np.random.default_rng([self.seed, 20])
        train, validate = [], []
        for site in self.sites:
            order = rng.permutation(len(site))
            held = max(1, round(LOCAL_PART * len(site)))
            train.append(site.take(order[held:]))
            validate.append(site.take(order[:held]))
        return tuple(train), tuple(validate)


def join(parts: Sequence[Data]) -> Data:
    return Data(
        np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])
    )


def flip_labels(data: Data, part: float, classes: int, rng: np.random.Generator) -> Data:
    """Return the data with a part of its labels replaced by another class each."""
    rows = rng.choice(len(data), size=round(part * len(data)), replace=False)
    y = data.y.copy()
    y[rows] = (y[rows] + rng.integers(1, classes, size=len(rows))) % classes
    return Data(data.x, y)


def make_cell(dataset: str, split: str, seed: int, n: int) -> Cell:
    """Return one federation of n sites.

    Args:
        dataset: a key of `LOADERS`.
        split: one of `SPLITS`.
        seed: decides the 70/30 cut, the halves, and the division between sites.
        n: number of sites.
    """
    train, judges, classes = _cut(dataset, seed)
    rng = np.random.default_rng([seed, SPLITS.index(split), n])
    sites = tuple(train.take(rows) for rows in _divide(train, split, n, classes, rng))
    if split == "flip":
        sites = tuple(
            flip_labels(site, 0.5 * i / (n - 1), classes, rng) for i, site in enumerate(sites)
        )
    if split == "noise":
        sites = tuple(_blurred(site, 2 * i / (n - 1), rng) for i, site in enumerate(sites))
    return Cell(dataset, split, seed, classes, sites, judges)


@cache
def _load(dataset: str) -> tuple[Floats, Labels]:
    x, y = LOADERS[dataset](return_X_y=True)
    return x.astype(np.float64), y.astype(np.int64)


def _cut(dataset: str, seed: int) -> tuple[Data, Data, int]:
    x, y = _load(dataset)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.3, stratify=y, random_state=seed
    )
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    deviation[deviation == 0] = 1.0  # digits has pixels that are always off
    train, judges = (
        Data(np.column_stack([(part - mean) / deviation, np.ones(len(part))]), labels)
        for part, labels in ((x_train, y_train), (x_test, y_test))
    )
    return train, judges, int(y.max()) + 1


def _divide(
    train: Data, split: str, n: int, classes: int, rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    if split == "dirichlet":
        return _dirichlet(train.y, n, classes, rng)
    order = rng.permutation(len(train))
    parts = np.arange(1, n + 1) if split == "size" else np.ones(n)
    cuts = np.rint(np.cumsum(parts)[:-1] / parts.sum() * len(train)).astype(int)
    return np.split(order, cuts)


def _dirichlet(
    y: Labels, n: int, classes: int, rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    while True:
        sites: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(n)]
        for label in range(classes):
            rows = rng.permutation(np.flatnonzero(y == label))
            cuts = np.rint(np.cumsum(rng.dirichlet([0.5] * n))[:-1] * len(rows)).astype(int)
            for site, own in zip(sites, np.split(rows, cuts), strict=True):
                site.append(own)
        joined = [np.concatenate(site) for site in sites]
        if min(map(len, joined)) >= LEAST_ROWS:
            return joined


def _blurred(data: Data, sigma: float, rng: np.random.Generator) -> Data:
    x = data.x.copy()
    x[:, :-1] += sigma * rng.standard_normal(x[:, :-1].shape)
    return Data(x, data.y)
