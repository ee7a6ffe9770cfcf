"""Local options against drift, for sites whose data differ: FedProx and SCAFFOLD.

Both correct the gradients between `backward` and the optimizer's step. They are a site's own
business: nothing more travels, and sites with and without them train together.

    FedProx    g ← g + μ·(w − W)      W: the model that the window began with
    SCAFFOLD   g ← g − c_i + c        c_i: this site's mean gradient in the last window, c: all's

Sources: Li et al., Federated optimization in heterogeneous networks, MLSys 2020; Karimireddy et
al., SCAFFOLD: stochastic controlled averaging for federated learning, ICML 2020, option II. There c
travels; with all sites in the mean its update is c = (W − W⁺) / Σ η, with W⁺ the merged model and
the sum over the window's steps, which every site can work out for itself, and so it does here.
Under other merge rules, or with sites left out, that is the step that was really made.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from node_agent.callbacks.errors import InvalidParameter, ModelError
from node_agent.callbacks.pytorch_model import TorchModel

Tensors = dict[str, torch.Tensor]


class LocalOptions:
    """Corrects the gradients of a model's parameters in whatever optimizer steps them.

    Args:
        model: what travels of it is corrected.
        proximal: μ of FedProx; 0 for none.
        scaffold: correct by control variates; the optimizer has to be SGD.

    Raises:
        InvalidParameter: μ is no number that is at least 0.
    """

    def __init__(self, model: TorchModel, proximal: float, scaffold: bool) -> None:
        if isinstance(proximal, bool) or not isinstance(proximal, int | float) or proximal < 0:
            raise InvalidParameter(f"proximal must be a number from 0 on, not {proximal!r}")
        if type(scaffold) is not bool:
            raise InvalidParameter(f"scaffold must be True or False, not {scaffold!r}")
        self._model, self._proximal, self._scaffold = model, float(proximal), scaffold
        self._hook: Any = None
        self._anchor: Tensors = {}
        self._trained: Tensors = {}
        self._correction: Tensors = {}
        self._rate_sum = 0.0

    @property
    def wanted(self) -> bool:
        return self._proximal > 0 or self._scaffold

    def attach(self) -> None:
        """Watch optimizers' steps."""
        if self.wanted and self._hook is None:
            self._hook = register_optimizer_step_pre_hook(self._before_step)

    def detach(self) -> None:
        """Leave optimizers alone."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def before_load(self) -> None:
        """Keep what this site made of the window, before the merge takes its place."""
        if self._scaffold and self._rate_sum > 0:
            self._trained = self._parameters()

    def after_load(self) -> None:
        """Begin a window from what was loaded."""
        if not self.wanted:
            return
        before, self._anchor = self._anchor, self._parameters()
        if self._trained:
            for name, start in before.items():
                own = (start - self._trained[name]) / self._rate_sum
                if name in self._correction:
                    own -= self._correction[name]  # which was in every step
                everyone = (start - self._anchor[name]) / self._rate_sum
                self._correction[name] = everyone - own
        self._trained, self._rate_sum = {}, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return what the window that ends now leaves, for a deterministic restart."""
        if not self._scaffold:
            return {}
        return {
            "anchor": self._anchor,
            "trained": self._parameters() if self._rate_sum else {},
            "rate_sum": self._rate_sum,
            "correction": self._correction,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begin a window from the model as it is, after what the one before has left."""
        if state:
            self._anchor, self._trained = state["anchor"], state["trained"]
            self._rate_sum, self._correction = state["rate_sum"], state["correction"]
            self.after_load()

    def _parameters(self) -> Tensors:
        return {name: p.detach().clone() for name, p in self._model.gradient_targets().items()}

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        names = {id(p): name for name, p in self._model.gradient_targets().items()}
        touched = False
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                name = names.get(id(parameter))
                if name is None or parameter.grad is None or name not in self._anchor:
                    continue
                if self._scaffold and not touched:
                    self._count(optimizer, group)
                touched = True
                if self._proximal:
                    away = parameter.detach() - self._anchor[name]
                    parameter.grad.add_(away, alpha=self._proximal)
                if self._correction:
                    parameter.grad.add_(self._correction[name])

    def _count(self, optimizer: Any, group: dict[str, Any]) -> None:
        if not isinstance(optimizer, torch.optim.SGD):
            raise ModelError(
                f"scaffold needs SGD, not {type(optimizer).__name__}",
                hint="Its control variates are mean gradients, and only SGD steps along gradients.",
            )
        self._rate_sum += float(group["lr"]) / (1 - float(group.get("momentum", 0)))
