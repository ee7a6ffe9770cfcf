from __future__ import annotations

from pathlib import Path

import pytest
import torch

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.pytorch import SwarmCallback
from node_agent.callbacks.pytorch_local import LocalOptions
from node_agent.callbacks.pytorch_model import TorchModel
from tests.callbacks.stand_in import Line, StandInAgent, load, stop

RATE, STEPS = 0.1, 10
# Two sites' losses ½·a·(w − b)²; of their sum the minimum is at Σ a·b / Σ a.
SITES = ((1.0, 0.0), (4.0, 1.0))
OPTIMUM = 0.8


class Point(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))


class Site:
    """Trains on its own parabola; what it loads comes from the merge of both."""

    def __init__(self, a: float, b: float, **options: object) -> None:
        self.a, self.b = a, b
        self.model = Point()
        self.local = LocalOptions(TorchModel(self.model), **options)  # type: ignore[arg-type]  # a test's word
        self.optimizer = torch.optim.SGD(self.model.parameters(), RATE)

    def load(self, value: torch.Tensor) -> None:
        self.local.before_load()
        with torch.no_grad():
            self.model.w.copy_(value)
        self.local.after_load()

    def train(self) -> torch.Tensor:
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            (0.5 * self.a * (self.model.w - self.b) ** 2).sum().backward()
            self.optimizer.step()
        return self.model.w.detach().clone()


def merged_after(rounds: int, **options: object) -> float:
    sites = [Site(a, b, **options) for a, b in SITES]
    common = torch.zeros(1)
    for site in sites:
        site.local.attach()
    try:
        for _ in range(rounds):
            for site in sites:
                site.load(common)
            common = sum(site.train() for site in sites) / len(sites)
    finally:
        for site in sites:
            site.local.detach()
    return float(common)


def test_scaffold_finds_the_common_optimum_where_the_plain_mean_drifts_off() -> None:
    assert abs(merged_after(60, proximal=0.0, scaffold=False) - OPTIMUM) > 0.1
    assert merged_after(60, proximal=0.0, scaffold=True) == pytest.approx(OPTIMUM, abs=1e-3)


def test_fedprox_drifts_less() -> None:
    plain = abs(merged_after(60, proximal=0.0, scaffold=False) - OPTIMUM)
    assert abs(merged_after(60, proximal=2.0, scaffold=False) - OPTIMUM) < 0.7 * plain


def test_fedprox_adds_its_term_to_the_gradient() -> None:
    site = Site(1.0, 0.0, proximal=0.5, scaffold=False)
    site.local.attach()
    site.load(torch.ones(1))
    with torch.no_grad():
        site.model.w.add_(2)
    site.model.w.grad = torch.zeros(1)
    site.optimizer.step()
    site.local.detach()
    assert float(site.model.w.detach()) == pytest.approx(3 - RATE * 0.5 * 2)


def test_other_models_optimizers_are_left_alone() -> None:
    site, other = Site(1.0, 0.0, proximal=5.0, scaffold=False), Point()
    site.local.attach()
    site.load(torch.ones(1))
    other.w.grad = torch.ones(1)
    torch.optim.SGD(other.parameters(), RATE).step()
    site.local.detach()
    assert float(other.w.detach()) == pytest.approx(-RATE)


def test_scaffold_goes_on_from_its_state_as_it_would_have() -> None:
    one, other = (Site(1.0, 0.0, proximal=0.0, scaffold=True) for _ in range(2))
    one.local.attach()
    one.load(torch.ones(1))
    one.train()
    kept = one.local.state_dict()
    one.load(torch.full((1,), 0.5))
    other.load(torch.full((1,), 0.5))
    other.local.load_state_dict(kept)
    one.local.detach()
    assert other.local.state_dict()["correction"] == one.local.state_dict()["correction"]


def test_scaffold_refuses_optimizers_that_do_not_step_along_gradients() -> None:
    site = Site(1.0, 0.0, proximal=0.0, scaffold=True)
    site.optimizer = torch.optim.Adam(site.model.parameters())
    site.local.attach()
    site.load(torch.ones(1))
    try:
        with pytest.raises(ModelError, match="scaffold needs SGD, not Adam"):
            site.train()
    finally:
        site.local.detach()


@pytest.mark.parametrize("options", [{"proximal": -1}, {"proximal": "0.1"}, {"scaffold": 1}])
def test_what_is_no_option_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter, match=next(iter(options))):
        SwarmCallback(syncFrequency=1, minPeers=2, model=Point(), **options)  # type: ignore[arg-type]  # a test's word


def test_a_script_takes_them_as_parameters(socket_path: Path, tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    x = torch.ones(8, 2)
    swarm = SwarmCallback(
        syncFrequency=2, minPeers=2, model=model, adsValData=(x, x[:, :1]), proximal=0.1
    )
    start = tmp_path / "start"

    def agent(line: Line) -> None:
        line.welcome()
        line.hear()
        line.ask({"do": "write", "path": str(start), "metadata": {}})
        line.ask(load(start))
        line.hear()
        line.ask(stop(start))

    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with StandInAgent(socket_path, agent):
        for _ in swarm.epochs(5):
            for batch in swarm.batches([x, x]):
                optimizer.zero_grad()
                model(batch).sum().backward()
                optimizer.step()
                swarm.on_batch_end()
    assert swarm.finished
