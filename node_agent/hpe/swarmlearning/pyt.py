"""`SwarmCallback` for PyTorch, with the parameters of HPE Swarm Learning."""

from __future__ import annotations

from typing import Any

from node_agent.callbacks import pytorch
from node_agent.callbacks.hpe import DEFAULT_CONTRACT, translated
from node_agent.callbacks.pytorch_functions import suited_loss

__all__ = ["SwarmCallback"]


class SwarmCallback(pytorch.SwarmCallback):
    """See `node_agent.callbacks.pytorch`; what the run's terms fix wins, and is logged once.

    Without lossFunction the loss is the one that suits the targets: cross entropy for classes,
    binary cross entropy on logits for numbers.
    """

    mlPlatform = ml_platform = "PYTORCH"

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str = DEFAULT_CONTRACT,
        **kwargs: Any,
    ) -> None:
        kwargs["trainingContract"] = trainingContract
        if kwargs.get("lossFunction") is None:
            kwargs["lossFunction"] = suited_loss
            kwargs["lossFunctionArgs"] = None
        translation = translated(self.mlPlatform, kwargs, pytorch.OWN)
        super().__init__(syncFrequency, minPeers, **translation.parameters)
        for note in translation.notes:
            self.logger.info("%s", note)
