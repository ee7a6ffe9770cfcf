"""`SwarmCallback` for Keras, with the parameters of HPE Swarm Learning."""

from __future__ import annotations

from typing import Any

from node_agent.callbacks import keras
from node_agent.callbacks.hpe import DEFAULT_CONTRACT, translated

__all__ = ["SwarmCallback"]


class SwarmCallback(keras.SwarmCallback):
    """See `node_agent.callbacks.keras`; what the run's terms fix wins, and is logged once."""

    mlPlatform = ml_platform = "KERAS"

    def __init__(
        self,
        syncFrequency: int,
        minPeers: int,
        trainingContract: str = DEFAULT_CONTRACT,
        **kwargs: Any,
    ) -> None:
        kwargs["trainingContract"] = trainingContract
        translation = translated(self.mlPlatform, kwargs, keras.OWN)
        super().__init__(syncFrequency, minPeers, **translation.parameters)
        for note in translation.notes:
            self.logger.info("%s", note)
