"""What dishonest members would be paid: five sites alike, the first one attacks, merges clip.

No update is merged longer than the median of the round's updates. What is paid to the attacker is
compared with the fair fifth. Attacks on data change what the first site trains on, attacks on
updates what it sends, attacks on reports what it says it measured (see `reports`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metering.contribution import METHODS
from metering.split import node_weights
from scripts.bench_metering.datasets import Cell, Data, Floats, join
from scripts.bench_metering.federation import ROUNDS, Step, local_training
from scripts.bench_metering.models import Model
from scripts.bench_metering.payers import Amounts, pay_common, pay_local, pay_pairwise, shares
from scripts.bench_metering.views import View, look

ATTACKER = 0
DEFAULT = "aumann-shapley"


@dataclass(frozen=True, slots=True)
class Sent:
    """What an attacker knows when it makes its update."""

    own: Floats  # trained honestly, shape (d,)
    others: Floats  # shape (N − 1, d)
    last_merged: Floats  # of the round before, shape (d,); zero in the first
    rng: np.random.Generator


Tamper = Callable[[Sent], Floats]


def _noise(sent: Sent) -> Floats:
    length = np.median(np.linalg.norm(sent.others, axis=1))
    direction = sent.rng.standard_normal(len(sent.own))
    noise: Floats = length / np.linalg.norm(direction) * direction
    return noise


UPDATES: Mapping[str, Tamper] = {
    "honest": lambda sent: sent.own,
    "zero update": lambda sent: np.zeros_like(sent.own),
    "sign flip": lambda sent: -sent.own,
    "noise": _noise,
    "replay of the last merge": lambda sent: sent.last_merged,
    "boost x5": lambda sent: 5 * sent.own,
}


@dataclass(frozen=True, slots=True)
class Setup:
    """A federation as its nodes train it: data and party of each node, and who validates."""

    sites: tuple[Data, ...]
    parties: tuple[int, ...]
    held: Mapping[int, Data]  # party to its own validation data


def flipped(data: Data, classes: int) -> Data:
    """Return the data with every label replaced by the next class."""
    return Data(data.x, (data.y + 1) % classes)


def setups(cell: Cell, held_back: bool) -> dict[str, Setup]:
    """Return the attacks on data, by name, and the honest setup.

    Args:
        cell: the honest federation.
        held_back: True under local metering: sites train without the rows they validate with.
    """
    rows, held = cell.held_back()
    sites = rows if held_back else cell.sites
    parties, own = tuple(range(len(sites))), dict(enumerate(held))

    def replaced(first: Data) -> tuple[Data, ...]:
        return (first, *sites[1:])

    wrong = flipped(sites[ATTACKER], cell.classes)
    thirds = np.array_split(np.arange(len(sites[ATTACKER])), 3)
    cut = tuple(sites[ATTACKER].take(rows) for rows in thirds)
    three = (ATTACKER, ATTACKER, *parties)
    return {
        "honest": Setup(sites, parties, own),
        "label flip": Setup(replaced(wrong), parties, own),
        "label flip, also of its validation data": Setup(
            replaced(wrong), parties, {**own, ATTACKER: flipped(held[ATTACKER], cell.classes)}
        ),
        "trains on the agreed set, too": Setup(
            replaced(join([sites[ATTACKER], cell.halves()[0]])), parties, own
        ),
        "three nodes, same data": Setup((sites[ATTACKER],) * 2 + sites, three, own),
        "three nodes, data cut in three": Setup((*cut, *sites[1:]), three, own),
    }


def run(model: Model, setup: Setup, tamper: Tamper, seed: int) -> tuple[Step, ...]:
    """Train all together, the attacker's updates tampered with, all updates clipped.

    An organization's nodes share its weight; the clipping limit is the weighted median, so that
    more nodes of one organization do not move it.
    """
    current, last = model.start(seed), np.zeros(model.size)
    raw = node_weights(setup.parties, dict.fromkeys(setup.parties, 1))
    weights = tuple(weight / sum(raw) for weight in raw)
    steps = []
    rng = np.random.default_rng([seed, 99])
    for _ in range(ROUNDS):
        updates = np.concatenate([local_training(model, current[None], d) for d in setup.sites])
        if tamper is not UPDATES["honest"]:
            updates[ATTACKER] = tamper(Sent(updates[ATTACKER], updates[1:], last, rng))
        step = Step(current, clipped(updates, weights), weights)
        last = step.merged
        current = current + last
        steps.append(step)
    return tuple(steps)


def clipped(updates: Floats, weights: Sequence[float]) -> Floats:
    """Return updates, shape (N, d), none longer than the weighted lower median of their lengths."""
    lengths = np.linalg.norm(updates, axis=1)
    order = np.argsort(lengths, kind="stable")
    reached = np.cumsum(np.asarray(weights)[order])
    limit = lengths[order[np.searchsorted(reached, 0.5 - 1e-9)]]
    scaled: Floats = updates * np.minimum(1, limit / np.maximum(lengths, 1e-300))[:, None]
    return scaled


def pay(model: Model, cell: Cell, setup: Setup, tamper: Tamper, seed: int) -> dict[str, Amounts]:
    """Return what agreed-set methods pay, by name of the method."""
    agreed, _ = cell.halves()
    steps = run(model, setup, tamper, seed)
    view = look(model, steps, agreed, [len(site) for site in setup.sites], METHODS)
    return {f"{method}/common": pay_common(view, method, setup.parties) for method in METHODS}


def own_views(
    model: Model, setup: Setup, tamper: Tamper, seed: int, whole: bool = False
) -> dict[int, View]:
    """Return what each organization measures on its held-out rows, or on all that it holds."""
    steps = run(model, setup, tamper, seed)
    samples = [len(site) for site in setup.sites]
    views = {}
    for party, held in setup.held.items():
        trained = [
            site for site, own in zip(setup.sites, setup.parties, strict=True) if own == party
        ]
        data = join([*trained, held]) if whole else held
        views[party] = look(model, steps, data, samples, [DEFAULT])
    return views


def attack(cell: Cell, model: Model) -> dict[str, dict[str, float]]:
    """Return the attacker's share of what was paid: attack, then way of paying, to share."""
    common, local = setups(cell, held_back=False), setups(cell, held_back=True)
    attempts = {name: ("honest", tamper) for name, tamper in UPDATES.items()}
    attempts |= {name: (name, UPDATES["honest"]) for name in common if name != "honest"}
    found: dict[str, dict[str, float]] = {}
    for name, (setup, tamper) in attempts.items():
        amounts = pay(model, cell, common[setup], tamper, cell.seed)
        views = own_views(model, local[setup], tamper, cell.seed)
        whole = own_views(model, local[setup], tamper, cell.seed, whole=True)
        parties = local[setup].parties
        amounts["aumann-shapley/local"] = pay_local(views, DEFAULT, parties)
        amounts["aumann-shapley/whole"] = pay_local(views, DEFAULT, parties, whole)
        amounts["aumann-shapley/pairwise"] = pay_pairwise(views, DEFAULT, parties)
        found[name] = {way: float(shares(paid)[ATTACKER]) for way, paid in amounts.items()}
    return found
