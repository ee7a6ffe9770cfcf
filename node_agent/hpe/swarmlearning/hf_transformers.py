"""`SwarmCallback` for the Trainer of Hugging Face, with the parameters of HPE Swarm Learning."""

from __future__ import annotations

from typing import Any

from node_agent.callbacks import huggingface
from node_agent.callbacks.hpe import DEFAULT_CONTRACT, translated

__all__ = ["SwarmCallback"]


class SwarmCallback(huggingface.SwarmCallback):
    """See `node_agent.callbacks.huggingface`; what the run's terms fix wins, and is logged once."""

    mlPlatform = ml_platform = "HF_TRANSFORMER"

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str = DEFAULT_CONTRACT,
        **kwargs: Any,
    ) -> None:
        kwargs["trainingContract"] = trainingContract
        translation = translated(self.mlPlatform, kwargs, huggingface.OWN)
        super().__init__(syncFrequency, minPeers, **translation.parameters)
        for note in translation.notes:
            self.logger.info("%s", note)
